//! What a `gcppubsub://` URL and the environment say. Of the URL, what gocloud.dev v0.40 takes (`pubsub/gcppubsub`): a
//! topic has `max_send_batch_size`, a subscription `max_recv_batch_size` (messages of one batch) and `nacklazy` (what is
//! handed back waits for its ack deadline).

use std::fmt;

use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};

use http::uri::Authority;

use super::{EMULATOR, SCHEME};

/// What the service takes and gives in one call (<https://cloud.google.com/pubsub/quotas#resource_limits>).
const BATCH: usize = 1000;

/// An end of a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Topic,
    Subscription,
}

impl What {
    /// The role that lets one use it.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Topic => "roles/pubsub.publisher",
            Self::Subscription => "roles/pubsub.subscriber",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Topic => "topic",
            Self::Subscription => "subscription",
        })
    }
}

/// The full name of the topic or the subscription: as it stands, or made of a project and a name below it. As with the
/// original, the long form is anything that looks like one.
pub(super) fn name(address: &Address, what: What) -> Result<String> {
    let name = address.name();
    let parts: Vec<&str> = name.split('/').collect();
    let collection = format!("{what}s");
    let full = match parts[..] {
        ["projects", project, of, name] if of == collection => Some((project, name)),
        [project, name] => Some((project, name)),
        _ => None,
    };
    match full {
        Some((project, name)) if is_name(project) && is_name(name) => {
            Ok(format!("projects/{project}/{collection}/{name}"))
        }
        _ => Err(invalid(format!(
            "{name:?} names no {what}; write {SCHEME}://projects/PROJECT/{collection}/NAME or {SCHEME}://PROJECT/NAME"
        ))),
    }
}

/// Whether this can be a part of a name at all; the service knows the rest
/// (<https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>).
fn is_name(part: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '%' | ':');
    part.chars().all(good) && part.chars().any(|c| c != '.')
}

/// Takes every parameter of a topic, and gives how many messages a call may have at the most.
pub(super) fn writer(mut params: Params) -> Result<usize> {
    let batch = batch(&mut params, "max_send_batch_size")?;
    params.finish()?;
    Ok(batch)
}

/// What the URL of a subscription asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reader {
    /// At most so many messages in one call.
    pub(super) batch: usize,
    /// Whether a message that is handed back waits until its time has run out.
    pub(super) nack_lazily: bool,
}

impl Reader {
    /// Takes every parameter.
    pub(super) fn of(mut params: Params) -> Result<Self> {
        let batch = batch(&mut params, "max_recv_batch_size")?;
        let nack_lazily = params.flag("nacklazy")?.unwrap_or(false);
        params.finish()?;
        Ok(Self { batch, nack_lazily })
    }
}

fn batch(params: &mut Params, key: &'static str) -> Result<usize> {
    match params.number(key)? {
        None => Ok(BATCH),
        Some(batch) if (1..=BATCH).contains(&batch) => Ok(batch),
        Some(batch) => Err(invalid(format!("parameter {key} is {batch}, and is to be 1 to {BATCH}"))),
    }
}

/// Where the emulator is, as `http://HOST`, if the variable names one. The original knows `HOST:PORT` alone.
pub(super) fn emulator(variable: Option<&str>) -> Result<Option<String>> {
    let Some(host) = variable.map(str::trim).filter(|host| !host.is_empty()) else { return Ok(None) };
    let bare = host.strip_prefix("http://").unwrap_or(host);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let is_host = |authority: &Authority| authority.port_u16().is_some() && !authority.as_str().contains('@');
    match bare.parse::<Authority>() {
        Ok(authority) if is_host(&authority) => Ok(Some(format!("http://{authority}"))),
        _ => Err(invalid(format!("{EMULATOR} is no host; write it as {EMULATOR}=localhost:8085"))),
    }
}

pub(super) fn invalid(what: impl fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("{SCHEME}://: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).expect(url)
    }

    #[test]
    fn both_forms_name_the_same() {
        for (url, expected) in [
            ("gcppubsub://projects/acme/topics/pgo", "projects/acme/topics/pgo"),
            ("gcppubsub://acme/pgo", "projects/acme/topics/pgo"),
            ("gcppubsub://acme//pgo/", "projects/acme/topics/pgo"),
            ("pubsub+topic+gcppubsub://acme/pgo", "projects/acme/topics/pgo"),
            ("gcppubsub://example.com:acme/pgo", "projects/example.com:acme/topics/pgo"),
            (
                "gcppubsub://projects/example.com:acme/topics/p.g~o%2B",
                "projects/example.com:acme/topics/p.g~o+",
            ),
            // A project of that name is none that Google gives, and this is no long form.
            ("gcppubsub://projects/pgo", "projects/projects/topics/pgo"),
        ] {
            assert_eq!(name(&address(url), What::Topic).expect(url), expected);
        }
        let long = "gcppubsub://projects/acme/subscriptions/worker";
        for url in [long, "gcppubsub://acme/worker"] {
            let expected = "projects/acme/subscriptions/worker";
            assert_eq!(name(&address(url), What::Subscription).expect(url), expected);
        }
        for (url, what, says) in [
            (long, What::Topic, "names no topic; write gcppubsub://projects/PROJECT/topics/NAME"),
            ("gcppubsub://projects/a/topics/b", What::Subscription, "projects/PROJECT/subscriptions/NAME"),
            ("gcppubsub://", What::Topic, "\"\" names no topic"),
            ("gcppubsub://acme", What::Topic, "names no topic"),
            ("gcppubsub:///pgo", What::Topic, "names no topic"),
            ("gcppubsub://acme/a/b", What::Topic, "names no topic"),
            ("gcppubsub://acme/..", What::Topic, "names no topic"),
            ("gcppubsub://acme/p%20go", What::Topic, "names no topic"),
        ] {
            let error = name(&address(url), what).expect_err(url);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn every_parameter_is_read_and_others_are_refused_by_name() {
        let topic = |query: &str| writer(address(&format!("gcppubsub://p/t?{query}")).params());
        let reader = |query: &str| Reader::of(address(&format!("gcppubsub://p/s?{query}")).params());
        for (query, batch) in [("", 1000), ("max_send_batch_size=1", 1), ("max_send_batch_size=1000", 1000)] {
            assert_eq!(topic(query).expect(query), batch);
        }
        for (query, batch, nack_lazily) in [
            ("", 1000, false),
            ("max_recv_batch_size=7", 7, false),
            ("nacklazy=true&max_recv_batch_size=1000", 1000, true),
            ("nacklazy=F", 1000, false),
        ] {
            assert_eq!(reader(query).expect(query), Reader { batch, nack_lazily }, "{query}");
        }
        for (query, says) in [
            ("max_recv_batch_size=0", "max_recv_batch_size is 0, and is to be 1 to 1000"),
            ("max_recv_batch_size=1001", "is 1001, and is to be 1 to 1000"),
            ("max_recv_batch_size=-1", "parameter max_recv_batch_size is \"-1\""),
            ("max_recv_batch_size=", "parameter max_recv_batch_size is \"\""),
            ("max_recv_batch_size=1&max_recv_batch_size=2", "more than once"),
            ("nacklazy=", "parameter nacklazy is \"\""),
            ("nacklazy=1&nacklazy=1", "more than once"),
            ("max_send_batch_size=1", "unknown parameter \"max_send_batch_size\""),
            ("topic=t", "unknown parameter \"topic\""),
        ] {
            let error = reader(query).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
        for (query, says) in [
            ("max_send_batch_size=0", "max_send_batch_size is 0"),
            ("max_send_batch_size=x", "max_send_batch_size is \"x\""),
            ("nacklazy=true", "unknown parameter \"nacklazy\"; those it takes here: max_send_batch_size"),
        ] {
            let error = topic(query).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
    }

    #[test]
    fn an_emulator_is_found_with_a_scheme_and_without() {
        for (host, expected) in [
            (None, None),
            (Some(" "), None),
            (Some("localhost:8085"), Some("http://localhost:8085")),
            (Some(" [::1]:8085 "), Some("http://[::1]:8085")),
            (Some("http://localhost:8085/"), Some("http://localhost:8085")),
        ] {
            assert_eq!(emulator(host).expect("good").as_deref(), expected);
        }
        for host in ["http://", "a/b", "https://x", "x", "x:y", "a b:1", "me:hunter2@host:1"] {
            let error = emulator(Some(host)).expect_err(host);
            assert!(error.what().contains("PUBSUB_EMULATOR_HOST=localhost:8085"), "{host}: {error}");
            assert!(error.kind() == Kind::Invalid && !error.what().contains("hunter2"), "{host}: {error}");
        }
    }
}
