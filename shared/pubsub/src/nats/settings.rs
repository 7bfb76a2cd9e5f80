//! What a URL says. Source of the parameters of core NATS: gocloud.dev v0.40.0, `pubsub/natspubsub`.

use std::time::Duration;

use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};

const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_DELIVER: i64 = 20;
const CONSUMER: &str = "autopgo";

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) subject: String,
    pub(super) v2: bool,
    pub(super) queue: Option<String>,
    pub(super) kept: Option<Kept>,
}

/// What it says of JetStream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) stream: String,
    pub(super) consumer: String,
    /// If the URL says so.
    pub(super) ack_wait: Option<Duration>,
    /// If the URL says so.
    pub(super) max_deliver: Option<i64>,
}

impl Kept {
    pub(super) fn ack_wait(&self) -> Duration {
        self.ack_wait.unwrap_or(ACK_WAIT)
    }

    pub(super) fn max_deliver(&self) -> i64 {
        self.max_deliver.unwrap_or(MAX_DELIVER)
    }
}

impl Settings {
    pub(super) fn of_topic(address: &Address) -> Result<Self> {
        let (mut params, v2) = version(address)?;
        let stream = named(&mut params, "jetstream")?;
        params.finish()?;
        let subject = subject(address)?;
        if subject.split('.').any(|token| matches!(token, "*" | ">")) {
            return Err(wrong(format!(
                "nats://{subject} stands for many subjects, and a message is published to one"
            )));
        }
        let kept = stream.map(|stream| Kept {
            stream,
            consumer: CONSUMER.to_owned(),
            ack_wait: None,
            max_deliver: None,
        });
        Ok(Self { subject, v2, queue: None, kept })
    }

    pub(super) fn of_subscription(address: &Address) -> Result<Self> {
        let (mut params, v2) = version(address)?;
        let queue = params.text("queue")?.filter(|queue| !queue.is_empty());
        let stream = named(&mut params, "jetstream")?;
        let consumer = named(&mut params, "consumer")?;
        let ack_wait = params.duration("ack_wait")?;
        let max_deliver = params.number::<i64>("max_deliver")?;
        params.finish()?;
        let subject = subject(address)?;
        let Some(stream) = stream else {
            let given = [
                ("consumer", consumer.is_some()),
                ("ack_wait", ack_wait.is_some()),
                ("max_deliver", max_deliver.is_some()),
            ];
            return match given.iter().find(|(_, given)| *given) {
                Some((name, _)) => Err(wrong(format!(
                    "nats://: parameter {name} is one of JetStream; name the stream with jetstream=STREAM"
                ))),
                None => {
                    if let Some(queue) = &queue {
                        printable("queue", queue)?;
                    }
                    Ok(Self { subject, v2, queue, kept: None })
                }
            };
        };
        if queue.is_some() {
            return Err(wrong(
                "nats://: parameter queue is one of core NATS; with jetstream= the workers share consumer=NAME",
            ));
        }
        if ack_wait.is_some_and(|wait| wait.is_zero()) {
            return Err(wrong("nats://: parameter ack_wait is 0; write a time as 30s or 1m"));
        }
        if max_deliver.is_some_and(|times| times < -1 || times == 0) {
            return Err(wrong("nats://: parameter max_deliver is no number above 0, nor -1 for ever"));
        }
        let consumer = consumer.unwrap_or_else(|| CONSUMER.to_owned());
        Ok(Self { subject, v2, queue: None, kept: Some(Kept { stream, consumer, ack_wait, max_deliver }) })
    }
}

/// The parameters that are left, and whether bodies are of the second version. As in Go, any case of the name is
/// accepted and only the exact one counts.
fn version(address: &Address) -> Result<(Params, bool)> {
    let mut params = address.params();
    let v2 = params.switch("natsv2")?;
    params.ignore_other_case("natsv2");
    Ok((params, v2))
}

/// A name of JetStream.
fn named(params: &mut Params, key: &'static str) -> Result<Option<String>> {
    let Some(name) = params.text(key)? else { return Ok(None) };
    let good = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '.' | '*' | '>' | '/' | '\\');
    if name.is_empty() || !name.chars().all(good) {
        return Err(wrong(format!(
            "nats://: parameter {key} is {name:?}: it takes a name without spaces and any of . * > / \\"
        )));
    }
    Ok(Some(name))
}

/// The subject, by the rules of NATS: tokens with dots between them.
fn subject(address: &Address) -> Result<String> {
    let subject = address.name();
    if subject.is_empty() {
        return Err(wrong("nats:// names no subject; write nats://subject"));
    }
    if subject.split('.').any(str::is_empty) {
        return Err(wrong(format!(
            "nats://{subject} is no subject: no dot at either end, and no two together"
        )));
    }
    printable("the subject", &subject)?;
    Ok(subject)
}

fn printable(what: &str, text: &str) -> Result<()> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(wrong(format!("nats://: {what} {text:?} has a space or a control character in it")));
    }
    Ok(())
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(url: &str) -> [Result<Settings>; 2] {
        let address = Address::parse(url).expect(url);
        [Settings::of_topic(&address), Settings::of_subscription(&address)]
    }

    fn core(subject: &str, v2: bool, queue: Option<&str>) -> Settings {
        Settings { subject: subject.to_owned(), v2, queue: queue.map(str::to_owned), kept: None }
    }

    #[test]
    fn core_nats_is_read_as_in_go() {
        for (url, subject, v2) in [
            ("nats://profile", "profile", false),
            ("nats://Profile.Events", "Profile.Events", false),
            ("nats://a/b", "a/b", false),
            ("nats://a//b/", "a/b", false),
            ("nats://profile?natsv2", "profile", true),
            ("nats://profile?natsv2=", "profile", true),
            ("nats://profile?natsv2=true", "profile", true),
            ("nats://profile?natsv2=T", "profile", true),
            ("nats://profile?natsv2=1", "profile", true),
            ("nats://profile?natsv2=false", "profile", false),
            ("nats://profile?natsv2=F", "profile", false),
            // Accepted, and without effect.
            ("nats://profile?NATSv2=true", "profile", false),
            ("nats://profile?NatsV2", "profile", false),
            ("nats://profile?natsv2&NATSV2=0", "profile", true),
        ] {
            for settings in both(url) {
                assert_eq!(settings.expect(url), core(subject, v2, None), "{url}");
            }
        }
        for (url, queue) in
            [("nats://p.>?natsv2=true&queue=worker", Some("worker")), ("nats://p.>?natsv2&queue=", None)]
        {
            let [topic, subscription] = both(url);
            assert_eq!(subscription.expect(url), core("p.>", true, queue));
            assert!(topic.expect_err(url).what().contains("unknown parameter \"queue\""));
        }
    }

    #[test]
    fn jetstream_is_read() {
        let kept = |consumer: &str, ack_wait, max_deliver| Kept {
            stream: "EVENTS".to_owned(),
            consumer: consumer.to_owned(),
            ack_wait,
            max_deliver,
        };
        let plain = "nats://profile?jetstream=EVENTS&natsv2";
        for settings in both(plain) {
            let settings = settings.expect(plain);
            let kept = kept("autopgo", None, None);
            assert_eq!((kept.ack_wait(), kept.max_deliver()), (Duration::from_secs(30), 20));
            assert_eq!(settings, Settings { kept: Some(kept), ..core("profile", true, None) });
        }
        let full = "nats://profile?jetstream=EVENTS&consumer=w&ack_wait=1m&max_deliver=-1";
        let [topic, subscription] = both(full);
        let kept = kept("w", Some(Duration::from_secs(60)), Some(-1));
        assert_eq!(subscription.expect(full), Settings { kept: Some(kept), ..core("profile", false, None) });
        let says = "unknown parameters \"ack_wait\", \"consumer\", \"max_deliver\"";
        assert!(topic.expect_err(full).what().contains(says));
    }

    #[test]
    fn parameters_are_known_or_refused() {
        for (url, says) in [
            ("nats://", "names no subject"),
            ("nats://a..b", "no two together"),
            ("nats://a.", "no dot at either end"),
            ("nats://a/b%20c", "the subject \"a/b c\" has a space"),
            ("nats://profile?queu=worker", "unknown parameter \"queu\""),
            ("nats://profile?queue=a&queue=b", "queue is given more than once"),
            ("nats://profile?queue=a+b", "queue \"a b\" has a space"),
            ("nats://profile?natsv2=yes", "natsv2 is \"yes\""),
            ("nats://profile?natsv2=tRUE", "natsv2 is \"tRUE\""),
            ("nats://profile?natsv2&natsv2=true", "natsv2 is given more than once"),
            ("nats://profile?jetstream=", "jetstream is \"\""),
            ("nats://profile?jetstream=a.b", "jetstream is \"a.b\""),
            ("nats://profile?jetstream=S&jetstream=T", "jetstream is given more than once"),
            ("nats://profile?jetstream=S&consumer=a%20b", "consumer is \"a b\""),
            ("nats://profile?jetstream=S&queue=q", "the workers share consumer=NAME"),
            ("nats://profile?consumer=w", "name the stream with jetstream=STREAM"),
            ("nats://profile?ack_wait=30s", "parameter ack_wait is one of JetStream"),
            ("nats://profile?jetstream=S&ack_wait=30", "missing unit"),
            ("nats://profile?jetstream=S&ack_wait=0s", "ack_wait is 0"),
            ("nats://profile?jetstream=S&max_deliver=0", "max_deliver is no number above 0"),
            ("nats://profile?jetstream=S&max_deliver=many", "max_deliver is \"many\""),
        ] {
            let [topic, subscription] = both(url);
            let error = subscription.expect_err(url);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
            // A topic refuses no less, if by other words.
            topic.expect_err(url);
        }
        let [topic, subscription] = both("nats://profile.*");
        assert!(topic.expect_err("many").what().contains("stands for many subjects"));
        subscription.expect("many may be received");
    }
}
