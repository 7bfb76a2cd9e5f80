//! `NATS_SERVER_URL`: where the servers are and who we are to them, as Go's client reads it.

use std::borrow::Cow;

use async_nats::{ConnectOptions, ServerAddr};
use autopgo_core::error::{Error, Kind, Result};
use percent_encoding::percent_decode_str;

use super::SERVERS;

/// The servers, without what they let us in by: the client's own log names them as they are.
pub(super) struct Servers {
    pub(super) addresses: Vec<ServerAddr>,
    access: Access,
}

/// What the URLs say, each of them the same: the client shows it to every server that it comes to.
#[derive(PartialEq, Eq)]
enum Access {
    Open,
    Token(String),
    Password(String, String),
}

impl Servers {
    /// Reads the variable.
    ///
    /// # Errors
    /// `Invalid`, without the value: it may hold a password.
    pub(super) fn parse(value: Option<String>) -> Result<Self> {
        let value = value.unwrap_or_default();
        let urls = value.split(',').map(str::trim).filter(|url| !url.is_empty());
        let (addresses, access): (Vec<_>, Vec<_>) =
            urls.map(server).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let mut access = access.into_iter();
        let Some(first) = access.next() else {
            let what =
                format!("nats:// needs a server: set {SERVERS}, to localhost:4222 or nats://host:4222");
            return Err(Error::new(Kind::Invalid, what));
        };
        if access.any(|other| other != first) {
            let what = format!(
                "{SERVERS} has different credentials for its servers, and each would be shown to all of them; write \
                 the same before each, or none"
            );
            return Err(Error::new(Kind::Invalid, what));
        }
        Ok(Self { addresses, access: first })
    }

    /// `options` with what we are let in by.
    pub(super) fn let_in(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.access {
            Access::Open => options,
            Access::Token(token) => options.token(token.clone()),
            Access::Password(user, password) => options.user_and_password(user.clone(), password.clone()),
        }
    }

    /// Their names, for the errors.
    pub(super) fn names(&self) -> String {
        let names = self.addresses.iter().map(|address| format!("{}:{}", address.host(), address.port()));
        names.collect::<Vec<_>>().join(", ")
    }
}

fn server(url: &str) -> Result<(ServerAddr, Access)> {
    let bad = |why: &str| {
        let what = format!("{SERVERS} {why}; write localhost:4222, nats://host:4222 or tls://host:4222");
        Error::new(Kind::Invalid, what)
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    if !matches!(scheme, "nats" | "tls") {
        return Err(bad("has a URL that is neither nats:// nor tls://"));
    }
    let (known_as, place) = match rest.rsplit_once('@') {
        None => (Access::Open, rest),
        Some((user, place)) => (access(user).ok_or_else(|| bad("has a bad % escape in it"))?, place),
    };
    let place = place.trim_end_matches('/');
    if place.is_empty() || place.contains(['/', '?', '#']) {
        return Err(bad("has a URL that is more, or less, than a host and a port"));
    }
    // Only the place goes on, and its parser's error has no more than that to tell.
    let address = format!("{scheme}://{place}").parse();
    Ok((address.map_err(|error| bad("names no server").because(error))?, known_as))
}

/// `user:password`, or a token alone.
fn access(text: &str) -> Option<Access> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    Some(match text.split_once(':') {
        Some((user, password)) => Access::Password(decoded(user)?, decoded(password)?),
        None if text.is_empty() => Access::Open,
        None => Access::Token(decoded(text)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<Servers> {
        Servers::parse(Some(value.to_owned()))
    }

    #[test]
    fn every_form_that_go_takes_is_read() {
        let password = |user: &str, password: &str| Access::Password(user.to_owned(), password.to_owned());
        for (value, names, access) in [
            ("localhost:4222", "localhost:4222", Access::Open),
            ("localhost", "localhost:4222", Access::Open),
            ("nats://10.0.0.1:5222/", "10.0.0.1:5222", Access::Open),
            ("tls://nats.example.com", "nats.example.com:4222", Access::Open),
            ("[::1]:4223", "::1:4223", Access::Open),
            ("nats://me:p%40ss:w@h:4222", "h:4222", password("me", "p@ss:w")),
            ("nats://t0ken@h", "h:4222", Access::Token("t0ken".to_owned())),
            (" a:1 , nats://b:2,, c:3", "a:1, b:2, c:3", Access::Open),
            ("nats://u:p%40@a:1,tls://u:p@@b:2", "a:1, b:2", password("u", "p@")),
        ] {
            let servers = parsed(value).expect(value);
            assert_eq!(servers.names(), names);
            assert!(servers.access == access, "{value}");
            let tls = servers.addresses[0].tls_required();
            assert_eq!(tls, value.starts_with("tls"), "{value}");
            let shown = format!("{:?}", servers.addresses);
            assert!(!shown.contains('@') && !shown.contains("t0ken"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_its_secret() {
        for (value, says) in [
            (None, "set NATS_SERVER_URL"),
            (Some(""), "set NATS_SERVER_URL"),
            (Some(" , "), "set NATS_SERVER_URL"),
            (Some("http://u:hunter2@h"), "neither nats:// nor tls://"),
            (Some("ws://h"), "neither nats:// nor tls://"),
            (Some("nats://u:hunter2@"), "more, or less"),
            (Some("nats://u:hunter2@h/path"), "more, or less"),
            (Some("nats://u:hunter2%ff@h"), "bad % escape"),
            (Some("nats://u:hunter2@h:port"), "names no server"),
            (Some("nats://a,nats://u:hunter2@b"), "different credentials"),
            (Some("nats://u:hunter2@a,b"), "different credentials"),
            (Some("nats://u:hunter2@a,nats://u:hunter2@b,nats://u:hunter3@c"), "different credentials"),
            (Some("nats://hunter2@a,nats://hunter2:@b"), "different credentials"),
        ] {
            let error = Servers::parse(value.map(str::to_owned)).err().expect("no server");
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{value:?}: {error}");
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
        }
    }
}
