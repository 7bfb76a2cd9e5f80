//! The URL of a bucket, a topic or a subscription, split by hand: `scheme "://" host ["/" path] ["?" query]`.
//! The grammar is Go's, where `nats://jobs.>` and `awssns:///arn:aws:sns:...` are good URLs and the case of a host
//! counts; a general URL parser follows other rules.

mod params;

use std::fmt;

pub use params::Params;

use crate::error::{Error, Kind, Result};

/// What a URL is to open: it decides which `blob+` and `pubsub+` prefixes may stand before the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A blob store: `blob+`, `blob+bucket+`.
    Bucket,
    /// Where events are published: `pubsub+`, `pubsub+topic+`.
    Topic,
    /// Where events are received: `pubsub+`, `pubsub+subscription+`.
    Subscription,
}

/// A URL, split and decoded. It names a resource and never a secret: one with `user:password@` is refused.
///
/// Shown without the values of its parameters, in which people do put secrets.
///
/// ```
/// use autopgo_core::address::Address;
///
/// let address = Address::parse("s3://profiles?region=eu-west-1&use_path_style=true")?;
/// assert_eq!((address.scheme(), address.host()), ("s3", "profiles"));
///
/// let mut params = address.params();
/// assert_eq!(params.text("region")?.as_deref(), Some("eu-west-1"));
/// assert_eq!(params.flag("use_path_style")?, Some(true));
/// params.finish()?; // whatever nobody took is an error
/// # Ok::<(), autopgo_core::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    prefix: &'static str,
    scheme: String,
    host: String,
    path: String,
    query: Vec<(String, String)>,
}

/// The prefixes that the portable API of gocloud.dev allows before a scheme, longer ones first, and what each opens.
const PREFIXES: [(&str, &[Resource]); 5] = [
    ("blob+bucket+", &[Resource::Bucket]),
    ("blob+", &[Resource::Bucket]),
    ("pubsub+topic+", &[Resource::Topic]),
    ("pubsub+subscription+", &[Resource::Subscription]),
    ("pubsub+", &[Resource::Topic, Resource::Subscription]),
];

impl Address {
    /// Splits `text`, whatever it is to open.
    ///
    /// # Errors
    /// `Invalid`: no `scheme://`, credentials, a fragment, a control character, a character that Go refuses in a
    /// host, a bad `%` escape. The text of the error never repeats the URL beyond its scheme.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Err(invalid(
                "the URL has no scheme; write it as s3://bucket, file:///folder or nats://subject",
            ));
        };
        let scheme = scheme.to_ascii_lowercase();
        Self::split(&scheme, rest).map_err(|error| error.during(format_args!("{scheme}://")))
    }

    /// Splits `text`, which is to open `resource`.
    ///
    /// # Errors
    /// Those of [`Address::parse`], and a prefix that belongs to another kind of resource.
    pub fn of(resource: Resource, text: &str) -> Result<Self> {
        let address = Self::parse(text)?;
        let fits =
            |(prefix, opens): &(&str, &[Resource])| *prefix == address.prefix && opens.contains(&resource);
        if address.prefix.is_empty() || PREFIXES.iter().any(fits) {
            return Ok(address);
        }
        let (prefix, scheme) = (address.prefix, &address.scheme);
        Err(invalid(format!("{prefix}{scheme}:// opens no {resource}; write {scheme}:// without a prefix")))
    }

    fn split(scheme: &str, rest: &str) -> Result<Self> {
        let (prefix, scheme) = PREFIXES
            .iter()
            .find_map(|(prefix, _)| Some((*prefix, scheme.strip_prefix(prefix)?)))
            .unwrap_or(("", scheme));
        if let Some(bad) = rest.chars().find(char::is_ascii_control) {
            return Err(invalid(format!("the URL has the control character {bad:?} in it")));
        }
        if rest.contains('#') {
            return Err(invalid("the URL has a # in it, which begins a fragment; write %23"));
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = location.split_at(location.find('/').unwrap_or(location.len()));
        // A password may hold a slash, so an @ behind host:something is taken for one too.
        if host.contains('@') || (host.contains(':') && path.contains('@')) {
            return Err(invalid(
                "the URL carries credentials; a URL names a resource, so leave them out and give them by the \
                 environment",
            ));
        }
        Ok(Self {
            prefix,
            scheme: scheme.to_owned(),
            host: decode_host(host)?,
            path: decode(path, false)
                .ok_or_else(|| invalid("the path has a bad % escape; write % as %25"))?,
            query: split_query(query)?,
        })
    }

    /// The scheme in lower case, without a `blob+` or `pubsub+` prefix.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host, its case kept, with the port if there is one. A bucket's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path, decoded, with the slash it begins with; empty if there is none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of a topic or a subscription: host and path joined as Go's `path.Join` does. Doubled and trailing
    /// slashes go, `.` and `..` are resolved.
    pub fn name(&self) -> String {
        match (self.host.as_str(), self.path.as_str()) {
            ("", "") => String::new(),
            ("", path) => clean(path),
            (host, path) => clean(&format!("{host}/{path}")),
        }
    }

    /// The parameters, to be taken one by one.
    pub fn params(&self) -> Params {
        Params::new(format!("{}://", self.scheme), self.query.clone())
    }
}

/// `scheme://host/path`, without parameters.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// As shown to people, and the names of the parameters.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self}")?;
        for (at, (key, _)) in self.query.iter().enumerate() {
            write!(f, "{}{key}=\u{2026}", if at == 0 { '?' } else { '&' })?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bucket => "bucket",
            Self::Topic => "topic",
            Self::Subscription => "subscription",
        })
    }
}

fn invalid(what: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, what)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Go's rule for hosts (net/url, `encodeHost`): only bytes beyond ASCII may be escaped, and a few characters of
/// ASCII may not stand in one at all. Colons are free, so that a project `example.com:name` needs no long form.
fn decode_host(host: &str) -> Result<String> {
    if let Some(bad) = host.chars().find(|c| matches!(c, ' ' | '\\' | '^' | '`' | '{' | '|' | '}')) {
        return Err(invalid(format!("the host has {bad:?} in it")));
    }
    // The escape of a byte beyond ASCII begins with a digit of 8 or more.
    let beyond = |escape: &str| matches!(escape.as_bytes(), [b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
    host.split('%')
        .skip(1)
        .all(beyond)
        .then(|| decode(host, false))
        .flatten()
        .ok_or_else(|| invalid("the host has a % escape in it that none may have"))
}

/// The parameters of a query in their order. Form-encoded: `+` is a space.
fn split_query(query: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return Err(invalid("parameters are separated by &; write a ; that belongs to a value as %3B"));
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key, true)
            .ok_or_else(|| invalid("the name of a parameter has a bad % escape; write % as %25"))?;
        let value = decode(value, true)
            .ok_or_else(|| invalid(format!("parameter {key:?} has a bad % escape; write % as %25")))?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Undoes percent escapes; `None` for a `%` without two hex digits, or bytes that are not UTF-8.
fn decode(text: &str, form: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if form => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(&last)) if last != ".." => {
                parts.pop();
            }
            ("..", None) if rooted => {}
            (part, _) => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_go_does() {
        for (text, scheme, host, path, name) in [
            ("s3://bucket", "s3", "bucket", "", "bucket"),
            ("S3://MyBucket", "s3", "MyBucket", "", "MyBucket"),
            ("file:///abs/dir", "file", "", "/abs/dir", "/abs/dir"),
            ("file://./data", "file", ".", "/data", "data"),
            ("file:///a%20b/%C3%A9", "file", "", "/a b/é", "/a b/é"),
            ("file:///a+b@c", "file", "", "/a+b@c", "/a+b@c"),
            ("mem://", "mem", "", "", ""),
            ("mem:///", "mem", "", "/", "/"),
            ("nats://jobs.>", "nats", "jobs.>", "", "jobs.>"),
            ("nats://a.*.c_D", "nats", "a.*.c_D", "", "a.*.c_D"),
            ("nats://a/b", "nats", "a", "/b", "a/b"),
            ("nats://a//b/", "nats", "a", "//b/", "a/b"),
            ("nats://a/../b", "nats", "a", "/../b", "b"),
            ("nats://a/./b/../../..", "nats", "a", "/./b/../../..", ".."),
            ("nats://a/..", "nats", "a", "/..", "."),
            ("nats://$SYS.<x>", "nats", "$SYS.<x>", "", "$SYS.<x>"),
            ("kafka://gr%C3%BCn", "kafka", "grün", "", "grün"),
            (
                "awssns:///arn:aws:sns:eu-west-1:123456789012:pgo.fifo?region=eu-west-1",
                "awssns",
                "",
                "/arn:aws:sns:eu-west-1:123456789012:pgo.fifo",
                "/arn:aws:sns:eu-west-1:123456789012:pgo.fifo",
            ),
            (
                "awssqs://localhost:4566/000000000000/pgo",
                "awssqs",
                "localhost:4566",
                "/000000000000/pgo",
                "localhost:4566/000000000000/pgo",
            ),
            ("gcppubsub://example.com:proj/t", "gcppubsub", "example.com:proj", "/t", "example.com:proj/t"),
            (
                "gcppubsub://projects/p/topics/t",
                "gcppubsub",
                "projects",
                "/p/topics/t",
                "projects/p/topics/t",
            ),
            ("blob+s3://b", "s3", "b", "", "b"),
            ("blob+bucket+s3://b", "s3", "b", "", "b"),
            ("pubsub+kafka://t", "kafka", "t", "", "t"),
            ("pubsub+topic+kafka://t", "kafka", "t", "", "t"),
            ("pubsub+subscription+kafka://t", "kafka", "t", "", "t"),
            ("awssqs://[::1]:4566/1/q", "awssqs", "[::1]:4566", "/1/q", "[::1]:4566/1/q"),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(
                (address.scheme(), address.host(), address.path(), address.name().as_str()),
                (scheme, host, path, name),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_without_repeating_secrets() {
        for (text, says) in [
            ("", "no scheme"),
            ("hunter2", "no scheme"),
            ("user:hunter2@host", "no scheme"),
            ("://hunter2", "no scheme"),
            ("1s3://hunter2", "no scheme"),
            ("s3:hunter2", "no scheme"),
            ("s3:/hunter2", "no scheme"),
            ("nats://user:hunter2@host", "nats://: the URL carries credentials"),
            ("nats://user:hunter2/x@host", "carries credentials"),
            ("nats://hunter2@host", "carries credentials"),
            ("s3://bucket#hunter2", "fragment"),
            ("s3://hun\nter2", "control character '\\n'"),
            ("s3://hunter2 x", "' '"),
            ("s3://a%41hunter2", "% escape"),
            ("s3://a%zzhunter2", "% escape"),
            ("s3://a%FFhunter2", "% escape"),
            ("file:///a%hunter2", "the path has a bad % escape"),
            ("file:///a%F", "the path has a bad % escape"),
            ("s3://b?a%=hunter2", "name of a parameter"),
            ("s3://b?token=hunter2%", "parameter \"token\" has a bad % escape"),
            ("s3://b?token=hunter2%ff", "parameter \"token\" has a bad % escape"),
            ("s3://b?a=1;token=hunter2", "separated by &"),
        ] {
            let error = Address::parse(text).expect_err(text);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().contains(says), "{text:?}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{text:?}: {error:?}");
        }
    }

    #[test]
    fn a_prefix_says_what_is_opened() {
        use Resource::{Bucket, Subscription, Topic};
        for (text, opens) in [
            ("s3://b", &[Bucket, Topic, Subscription][..]),
            ("blob+s3://b", &[Bucket]),
            ("blob+bucket+s3://b", &[Bucket]),
            ("pubsub+nats://b", &[Topic, Subscription]),
            ("pubsub+topic+nats://b", &[Topic]),
            ("PubSub+Subscription+nats://b", &[Subscription]),
        ] {
            for resource in [Bucket, Topic, Subscription] {
                let result = Address::of(resource, text);
                assert_eq!(result.is_ok(), opens.contains(&resource), "{text} as {resource}: {result:?}");
            }
        }
        let error = Address::of(Topic, "blob+s3://b").expect_err("a bucket");
        assert_eq!(error.what(), "blob+s3:// opens no topic; write s3:// without a prefix");
    }

    #[test]
    fn shown_without_the_values_of_parameters() {
        let address = Address::parse("s3://b/x?region=r&secret=hunter2").expect("good");
        assert_eq!(address.to_string(), "s3://b/x");
        assert_eq!(format!("{address:?}"), "Address(s3://b/x?region=…&secret=…)");
        assert!(!format!("{:?}", address.params()).contains("hunter2"));
    }
}
