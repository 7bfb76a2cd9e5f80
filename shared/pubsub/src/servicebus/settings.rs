//! What an `azuresb://` URL and the environment say. Of the URL, what gocloud.dev v0.40 takes (`pubsub/azuresb`): a topic
//! has no parameters; a reader has `subscription`, which must be there, `listener_timeout` (how long one request waits for a
//! message, 2 s; more is taken, and waited for in several requests) and `max_recv_batch_size` (messages of one batch, 50).
//!
//! Who one is comes from the environment alone:
//! 1. `SERVICEBUS_CONNECTION_STRING`, which names the namespace too;
//! 2. `AZURE_SERVICEBUS_HOSTNAME`, the namespace (`acme.servicebus.windows.net`), with Entra as [`super::entra`] has it.

use std::fmt;
use std::time::Duration;

use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};

use super::connection;
use super::entra::Proof;

/// Where the value of a variable comes from.
pub(super) type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

const CONNECTION_STRING: &str = "SERVICEBUS_CONNECTION_STRING";
const HOSTNAME: &str = "AZURE_SERVICEBUS_HOSTNAME";

const LISTENER_TIMEOUT: Duration = Duration::from_secs(2);
/// The service lets nobody wait longer in one request than it waits of itself.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const BATCH: usize = 50;

/// Where the namespace is, and who one is to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// `https://HOST`
    pub(super) base: String,
    pub(super) access: Access,
}

/// Who one is to the service.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever has the key of this rule.
    Key { rule: String, key: Secret },
    /// Whoever has this shared access signature.
    Signature(Secret),
    /// Somebody that Entra knows.
    Entra { authority: String, proof: Proof },
}

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Settings {
    /// What the environment says of whoever uses `topic`.
    pub(super) fn of(topic: &str, variables: &Variables<'_>) -> Result<Self> {
        let set = |name: &str| variables(name).filter(|value| !value.trim().is_empty());
        if let Some(text) = set(CONNECTION_STRING) {
            return connection::read(CONNECTION_STRING, &text, topic);
        }
        let Some(host) = set(HOSTNAME) else {
            return Err(invalid(format!(
                "neither {CONNECTION_STRING} nor {HOSTNAME} is set; set one of them"
            )));
        };
        let base = base(&host).ok_or_else(|| {
            invalid(format!("{HOSTNAME} is no host; write it as acme.servicebus.windows.net"))
        })?;
        let (authority, proof) = Proof::of(&set)?;
        Ok(Self { base, access: Access::Entra { authority, proof } })
    }
}

/// The URL of the namespace at `host`. At this machine itself nobody has a certificate, and nobody listens in.
fn base(host: &str) -> Option<String> {
    let host = host.trim().trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '@', '?', '#', ' ', '\\']) {
        return None;
    }
    let is_here = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|here| host.strip_prefix(here).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    Some(format!("{}://{host}", if is_here { "http" } else { "https" }))
}

/// The name of the topic: letters, digits and a few marks, with slashes between
/// (<https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftservicebus>).
pub(super) fn entity(address: &Address) -> Result<String> {
    let name = address.name();
    if name.to_ascii_lowercase().contains("/subscriptions/") {
        return Err(invalid("a subscription is a parameter; write azuresb://TOPIC?subscription=NAME"));
    }
    named(name, "topic", 260)
}

fn named(name: String, what: &str, longest: usize) -> Result<String> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '~');
    let outside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let good = name.chars().all(inside)
        && outside(name.chars().next())
        && outside(name.chars().next_back())
        && name.chars().count() <= longest;
    if good { Ok(name) } else { Err(invalid(format!("{name:?} can be the name of no {what}"))) }
}

/// The parameters of a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) subscription: String,
    /// How long one request waits, in whole seconds, as the service counts.
    pub(super) wait: Duration,
    pub(super) batch: usize,
}

impl Reader {
    pub(super) fn of(mut params: Params) -> Result<Self> {
        let subscription = params.text("subscription")?.filter(|name| !name.is_empty());
        let wait = params.duration("listener_timeout")?.unwrap_or(LISTENER_TIMEOUT);
        let batch = params.number("max_recv_batch_size")?.unwrap_or(BATCH);
        params.finish()?;
        let subscription = subscription.ok_or_else(|| {
            invalid("a reader needs a subscription of the topic; write azuresb://TOPIC?subscription=NAME")
        })?;
        if subscription.contains('/') {
            return Err(invalid("parameter subscription is a name without slashes"));
        }
        if wait.is_zero() || wait > LONGEST_WAIT {
            return Err(invalid("parameter listener_timeout is to be more than 0 and at most 60s"));
        }
        if batch == 0 {
            return Err(invalid("parameter max_recv_batch_size is 0; a batch has at least one message"));
        }
        let wait = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        Ok(Self { subscription: named(subscription, "subscription", 50)?, wait, batch })
    }
}

pub(super) fn invalid(what: impl fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("azuresb://: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(url: &str) -> Result<Reader> {
        Reader::of(Address::parse(url).expect(url).params())
    }

    #[test]
    fn a_reader_has_a_subscription_and_may_have_more() {
        for (url, wait, batch) in [
            ("azuresb://pgo?subscription=worker", 2, 50),
            ("azuresb://pgo?subscription=worker&listener_timeout=500ms&max_recv_batch_size=1", 1, 1),
            ("azuresb://pgo?max_recv_batch_size=200&listener_timeout=1m&subscription=worker", 60, 200),
            ("azuresb://pgo?subscription=worker&listener_timeout=2001ms", 3, 50),
        ] {
            let wait = Duration::from_secs(wait);
            let expected = Reader { subscription: "worker".to_owned(), wait, batch };
            assert_eq!(reader(url).expect(url), expected, "{url}");
        }
        for (url, says) in [
            ("azuresb://pgo", "a reader needs a subscription"),
            ("azuresb://pgo?subscription=", "a reader needs a subscription"),
            ("azuresb://pgo?subscription=a/b", "without slashes"),
            ("azuresb://pgo?subscription=-a", "the name of no subscription"),
            ("azuresb://pgo?subscription=a&subscription=b", "more than once"),
            ("azuresb://pgo?subscription=a&listener_timeout=0s", "listener_timeout"),
            ("azuresb://pgo?subscription=a&listener_timeout=2", "missing unit"),
            ("azuresb://pgo?subscription=a&listener_timeout=2m", "at most 60s"),
            ("azuresb://pgo?subscription=a&max_recv_batch_size=0", "at least one"),
            ("azuresb://pgo?subscription=a&max_recv_batch_size=x", "max_recv_batch_size"),
            ("azuresb://pgo?subscripton=a", "unknown parameter \"subscripton\""),
        ] {
            let error = reader(url).expect_err(url);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn names_are_those_the_service_allows() {
        for (url, name) in
            [("azuresb://pgo", "pgo"), ("azuresb://a/b//c/", "a/b/c"), ("azuresb://A.b-c_d", "A.b-c_d")]
        {
            assert_eq!(entity(&Address::parse(url).expect(url)).expect(url), name);
        }
        for url in [
            "azuresb://",
            "azuresb:///",
            "azuresb://a/../..",
            "azuresb://-a",
            "azuresb://a$b",
            "azuresb://a:1",
        ] {
            let error = entity(&Address::parse(url).expect(url)).expect_err(url);
            assert!(error.what().contains("the name of no topic"), "{url}: {error}");
        }
        let error =
            entity(&Address::parse("azuresb://a/Subscriptions/b").expect("a URL")).expect_err("no topic");
        assert!(error.what().contains("?subscription=NAME"), "{error}");
    }

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::of("pgo", &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_connection_string_wins() {
        let string = "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=r;SharedAccessKey=k";
        let both = settings(&[(CONNECTION_STRING, string), (HOSTNAME, "other")]).expect("settings");
        assert_eq!(both.base, "https://acme.servicebus.windows.net");
        assert!(matches!(both.access, Access::Key { .. }), "{both:?}");
        let neither = settings(&[(CONNECTION_STRING, " ")]).expect_err("neither");
        assert!(
            neither.what().contains("neither SERVICEBUS_CONNECTION_STRING nor AZURE_SERVICEBUS_HOSTNAME")
        );
    }

    #[test]
    fn a_host_is_reached_by_https_unless_it_is_here() {
        for (host, base) in [
            ("acme.servicebus.windows.net", "https://acme.servicebus.windows.net"),
            (" acme.servicebus.windows.net/ ", "https://acme.servicebus.windows.net"),
            ("127.0.0.1:1", "http://127.0.0.1:1"),
            ("localhost", "http://localhost"),
            ("localhost.example.com", "https://localhost.example.com"),
        ] {
            let settings = settings(&[(HOSTNAME, host)]).expect(host);
            assert_eq!(settings.base, base);
            assert!(matches!(settings.access, Access::Entra { .. }), "{settings:?}");
        }
        for host in ["sb://acme", "a b", "user@acme"] {
            assert!(settings(&[(HOSTNAME, host)]).expect_err(host).what().contains("is no host"));
        }
    }
}
