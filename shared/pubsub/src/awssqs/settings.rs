//! The parameters of a subscription: those of gocloud.dev v0.40, `pubsub/awssnssqs`.

use std::time::Duration;

use autopgo_core::address::Params;
use autopgo_core::error::Result;

use super::invalid;

/// What a URL asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether a body stays as it is, though it looks like what SNS wraps.
    pub(super) raw: bool,
    /// Whether a message that is handed back stays hidden until its time has run out.
    pub(super) nack_lazily: bool,
    /// How long a call is to wait for messages. `None`: as long as the queue is set to.
    pub(super) wait: Option<Duration>,
}

/// What SQS waits at the most.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

impl Settings {
    /// Takes every parameter that is left.
    pub(super) fn of(mut params: Params) -> Result<Self> {
        let raw = params.flag("raw")?.unwrap_or(false);
        let nack_lazily = params.flag("nacklazy")?.unwrap_or(false);
        let wait = params.duration("waittime")?;
        if wait.is_some_and(|wait| wait > LONGEST_WAIT) {
            return Err(invalid("parameter waittime is longer than the 20s that a queue waits at the most"));
        }
        params.finish()?;
        // In whole seconds. None at all is what the original does not send either, so that the queue's own counts.
        let wait = wait.map(|wait| Duration::from_secs(wait.as_secs())).filter(|wait| !wait.is_zero());
        Ok(Self { raw, nack_lazily, wait })
    }
}

#[cfg(test)]
mod tests {
    use autopgo_core::address::Address;
    use autopgo_core::error::Kind;

    use super::*;

    fn read(query: &str) -> Result<Settings> {
        Settings::of(
            Address::parse(&format!("awssqs://host/1/q?{query}")).expect(query).params().first_wins(),
        )
    }

    #[test]
    fn every_parameter_is_read() {
        let usual = Settings { raw: false, nack_lazily: false, wait: None };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (query, expected) in [
            ("", usual),
            ("raw=true", Settings { raw: true, ..usual }),
            ("nacklazy=1&raw=f", Settings { nack_lazily: true, ..usual }),
            ("waittime=20s", Settings { wait: seconds(20), ..usual }),
            ("waittime=2500ms&waittime=x", Settings { wait: seconds(2), ..usual }),
            ("waittime=999ms", usual),
            ("waittime=0", usual),
        ] {
            assert_eq!(read(query).expect(query), expected, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (query, says) in [
            ("raw=", "parameter raw is \"\""),
            ("nacklazy=yes", "parameter nacklazy is \"yes\""),
            ("waittime=", "parameter waittime"),
            ("waittime=20", "missing unit"),
            ("waittime=-1s", "below zero"),
            ("waittime=21s", "the 20s that a queue waits"),
            ("Raw=true", "unknown parameter \"Raw\""),
            ("max_recv_batch_size=5", "unknown parameter \"max_recv_batch_size\""),
        ] {
            let error = read(query).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
    }
}
