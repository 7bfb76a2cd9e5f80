//! What a URL and `KAFKA_BROKERS` say. Source: gocloud.dev v0.40.0, `pubsub/kafkapubsub`.

use autopgo_core::address::Address;
use autopgo_core::error::{Error, Kind, Result};

use super::BROKERS;

/// Where the brokers are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Brokers(Vec<String>);

/// What the URL of a topic says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) topic: String,
}

/// What the URL of a subscription says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) group: String,
    pub(super) topics: Vec<String>,
    pub(super) start: Start,
}

/// Where a group begins that has no offset yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Oldest,
    Newest,
}

impl Brokers {
    pub(super) fn parse(value: Option<String>) -> Result<Self> {
        let value = value.unwrap_or_default();
        let brokers: Vec<&str> =
            value.split(',').map(str::trim).filter(|broker| !broker.is_empty()).collect();
        if brokers.is_empty() {
            return Err(wrong(format!("set {BROKERS} to where the brokers are, such as host:9092")));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if !brokers.iter().all(|broker| broker.chars().all(good)) {
            // It is not repeated: somebody may have put a password into it.
            return Err(wrong(format!(
                "{BROKERS} has something in it that is more than a host and a port; write host:9092, or several \
                 with commas between them"
            )));
        }
        Ok(Self(brokers.into_iter().map(str::to_owned).collect()))
    }

    /// As the client wants them, and for the errors.
    pub(super) fn list(&self) -> String {
        self.0.join(",")
    }
}

impl Writer {
    pub(super) fn of(address: &Address) -> Result<Self> {
        let mut params = address.params();
        let key_name = params.text("key_name")?;
        params.finish()?;
        if key_name.is_some_and(|name| name.is_empty()) {
            return Err(wrong("kafka://: parameter key_name is empty; leave it out, it has no effect here"));
        }
        let topic = address.name();
        if topic.is_empty() {
            return Err(wrong("kafka:// names no topic; write kafka://topic"));
        }
        legal(&topic)?;
        Ok(Self { topic })
    }
}

impl Reader {
    pub(super) fn of(address: &Address) -> Result<Self> {
        let mut params = address.params().first_wins();
        let mut topics = params.list("topic");
        let start = match params.text("offset")?.as_deref() {
            None | Some("newest") => Start::Newest,
            Some("oldest") => Start::Oldest,
            Some(other) => {
                return Err(wrong(format!(
                    "kafka://: parameter offset is {other:?}; it takes oldest or newest"
                )));
            }
        };
        params.finish()?;
        let group = address.name();
        if group.is_empty() {
            return Err(wrong("kafka:// names no consumer group; write kafka://group?topic=topic"));
        }
        if topics.is_empty() {
            return Err(wrong(format!(
                "kafka://{group} is a consumer group; name what it receives, as in kafka://{group}?topic=topic"
            )));
        }
        topics.iter().try_for_each(|topic| legal(topic))?;
        topics.sort_unstable();
        topics.dedup();
        Ok(Self { group, topics, start })
    }
}

/// The rule of Kafka for topics (`org.apache.kafka.common.internals.Topic`). The client would take a name that begins
/// with `^` for a pattern.
fn legal(topic: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if matches!(topic, "" | "." | "..") || topic.len() > 249 || !topic.chars().all(good) {
        return Err(wrong(format!(
            "kafka://: {topic:?} is no topic: it takes at most 249 letters, digits and any of . _ -"
        )));
    }
    Ok(())
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(url: &str) -> Result<Writer> {
        Writer::of(&Address::parse(url).expect(url))
    }

    fn reader(url: &str) -> Result<Reader> {
        Reader::of(&Address::parse(url).expect(url))
    }

    #[test]
    fn urls_are_read_as_in_go() {
        for (url, topic) in [
            ("kafka://pgo", "pgo"),
            ("kafka://Pgo.events_1-2", "Pgo.events_1-2"),
            ("kafka://pgo/", "pgo"),
            ("kafka:///pgo", "/pgo"),
            ("kafka://pgo?key_name=app", "pgo"),
        ] {
            match writer(url) {
                Ok(writer) => assert_eq!(writer, Writer { topic: topic.to_owned() }, "{url}"),
                // A slash is none of a topic's characters.
                Err(error) => assert!(topic.starts_with('/') && error.what().contains("\"/pgo\""), "{url}"),
            }
        }
        for (url, group, topics, start) in [
            ("kafka://worker?topic=pgo", "worker", &["pgo"][..], Start::Newest),
            ("kafka://worker?topic=pgo&offset=newest", "worker", &["pgo"], Start::Newest),
            ("kafka://pgo-worker?topic=pgo&offset=oldest", "pgo-worker", &["pgo"], Start::Oldest),
            ("kafka://team/w?offset=oldest&topic=b&topic=a&topic=b", "team/w", &["a", "b"], Start::Oldest),
            // The first counts.
            ("kafka://w?topic=t&offset=oldest&offset=newest", "w", &["t"], Start::Oldest),
        ] {
            let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            assert_eq!(reader(url).expect(url), Reader { group: group.to_owned(), topics, start }, "{url}");
        }
    }

    #[test]
    fn parameters_are_known_or_refused() {
        for (url, says) in [
            ("kafka://", "names no topic"),
            ("kafka://a/b", "\"a/b\" is no topic"),
            ("kafka://a/..", "\".\" is no topic"),
            ("kafka://t?key_name=", "key_name is empty"),
            ("kafka://t?key_name=a&key_name=b", "key_name is given more than once"),
            ("kafka://t?topic=t", "unknown parameter \"topic\""),
            ("kafka://t?offset=oldest", "unknown parameter \"offset\""),
            ("kafka://t?acks=all", "unknown parameter \"acks\""),
        ] {
            let error = writer(url).expect_err(url);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
        }
        let long = format!("kafka://g?topic={}", "x".repeat(250));
        for (url, says) in [
            ("kafka://?topic=t", "names no consumer group"),
            ("kafka://g", "name what it receives, as in kafka://g?topic=topic"),
            ("kafka://g?topic=", "\"\" is no topic"),
            ("kafka://g?topic=t&topic=%5Et.*", "\"^t.*\" is no topic"),
            ("kafka://g?topic=t&offset=latest", "offset is \"latest\"; it takes oldest or newest"),
            ("kafka://g?topic=t&offset=Oldest", "it takes oldest or newest"),
            ("kafka://g?topic=t&offset=", "it takes oldest or newest"),
            ("kafka://g?topic=t&key_name=k", "unknown parameter \"key_name\""),
            ("kafka://g?topics=t", "unknown parameter \"topics\""),
            (long.as_str(), "is no topic"),
        ] {
            let error = reader(url).expect_err(url);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn brokers_are_hosts_and_ports() {
        for (value, list) in [
            ("k1:9092", "k1:9092"),
            (" k1:9092 , k2.example.com:9092,, 10.0.0.1:1 ", "k1:9092,k2.example.com:9092,10.0.0.1:1"),
            ("[::1]:9092", "[::1]:9092"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(Brokers::parse(Some(value.to_owned())).expect(value).list(), list);
        }
        for (value, says) in [
            (None, "set KAFKA_BROKERS"),
            (Some(""), "set KAFKA_BROKERS"),
            (Some(" , "), "set KAFKA_BROKERS"),
            (Some("me:hunter2@k1:9092"), "more than a host and a port"),
            (Some("SASL_SSL://k1:9092"), "more than a host and a port"),
            (Some("k1:9092 k2:9092"), "more than a host and a port"),
        ] {
            let error = Brokers::parse(value.map(str::to_owned)).expect_err("no brokers");
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{value:?}: {error}");
            assert!(!error.chain().contains("hunter2"), "{error}");
        }
    }
}
