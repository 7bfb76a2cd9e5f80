//! A target: one Go process, where its profile is to be had, and the application it belongs to. Checked when made.

use std::fmt;
use std::time::Duration;

use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind, Result};
use reqwest::Url;

/// A process to profile. Shown without credentials and query, so that it may stand in logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    url: Url,
    app: App,
}

impl Target {
    /// Where `net/http/pprof` serves CPU profiles.
    pub const DEFAULT_PATH: &str = "/debug/pprof/profile";

    /// The target at `address` (`http://host:port`, a path prefix allowed) whose profiles are at `path` below it and
    /// belong to `app`. An empty `path` is [`Self::DEFAULT_PATH`]; a query in it is kept.
    ///
    /// # Errors
    /// `Invalid`, saying what is wrong with the address or the path; never with credentials in the text.
    pub fn new(address: &str, path: &str, app: App) -> Result<Self> {
        let base = base(address)?;
        let path = if path.is_empty() { Self::DEFAULT_PATH } else { path };
        if path.contains('#') {
            return Err(Error::new(Kind::Invalid, "the path has a fragment (#...); leave it out"));
        }
        let joined = format!("{}/{}", base.as_str().trim_end_matches('/'), path.trim_start_matches('/'));
        let url = Url::parse(&joined)
            .map_err(|error| Error::new(Kind::Invalid, "the path is not one").because(error))?;
        Ok(Self { url, app })
    }

    /// The application that its profiles belong to.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Where its profile is to be had, without the time to profile.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// What to ask for a profile of `duration`: pprof knows whole seconds only, and takes none as 30.
    pub(crate) fn profile_url(&self, duration: Duration) -> Url {
        let mut url = self.url.clone();
        let kept = self.url.query().unwrap_or_default().split('&');
        let mut query: Vec<_> = kept
            .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("seconds"))
            .map(str::to_owned)
            .collect();
        query.push(format!("seconds={}", whole_seconds(duration)));
        url.set_query(Some(&query.join("&")));
        url
    }
}

/// `scheme://host:port/path`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.url.path())
    }
}

/// `duration` in the whole seconds that a target is asked for: rounded up, at least one.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// Checks `address`.
fn base(address: &str) -> Result<Url> {
    let invalid = |problem: &str| {
        // What stands before an @ may be a password.
        let shown = address
            .rsplit_once('@')
            .map_or_else(|| format!("{address:?}"), |(_, host)| format!("{host:?} (credentials left out)"));
        Error::new(Kind::Invalid, format!("the address {shown} {problem}; write it as http://host:port"))
    };
    if address.is_empty() {
        return Err(Error::new(Kind::Invalid, "the address is empty; write it as http://host:port"));
    }
    let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => {}
        Some(_) => return Err(invalid("is neither http nor https")),
        None => return Err(invalid("has no http:// or https:// in front")),
    }
    let url = Url::parse(address).map_err(|error| invalid(&format!("is no URL ({error})")))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("has a query or a fragment, which belongs into \"path\""));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, path: &str) -> Result<Target> {
        Target::new(address, path, App::parse("checkout").expect("good"))
    }

    #[test]
    fn what_is_asked_for() {
        for (address, path, millis, asked) in [
            ("http://a:5000", "", 30_000, "http://a:5000/debug/pprof/profile?seconds=30"),
            ("http://a:5000/", "/debug/pprof/profile", 0, "http://a:5000/debug/pprof/profile?seconds=1"),
            ("https://a/prefix", "x", 1_001, "https://a/prefix/x?seconds=2"),
            ("https://a/prefix/", "//x/", 500, "https://a/prefix/x/?seconds=1"),
            ("http://[::1]:1", "/x?seconds=9&a=b%20c&&d", 1_000, "http://[::1]:1/x?a=b%20c&d&seconds=1"),
            ("HTTP://A", "/x?a=%73econds=1", 1_000, "http://a/x?a=%73econds=1&seconds=1"),
            ("http://a", "@b:1/x", 1_000, "http://a/@b:1/x?seconds=1"),
        ] {
            let target = target(address, path).expect(address);
            assert_eq!(target.profile_url(Duration::from_millis(millis)).as_str(), asked);
        }
    }

    #[test]
    fn shown_without_secrets() {
        let shown = target("https://me:secret@a:1/p", "/x?token=secret").expect("good").to_string();
        assert_eq!(shown, "https://a:1/p/x");
        let error = target("ftp://me:secret@a:1", "").expect_err("ftp");
        assert_eq!(
            error.what(),
            "the address \"a:1\" (credentials left out) is neither http nor https; write it as http://host:port"
        );
    }

    #[test]
    fn bad_addresses_and_paths() {
        for (address, path, says) in [
            ("", "", "is empty"),
            ("localhost:5000", "", "has no http:// or https:// in front"),
            ("localhost", "", "has no http:// or https:// in front"),
            ("unix:///run/a.sock", "", "is neither http nor https"),
            ("http://", "", "is no URL (empty host)"),
            ("http://a:99999", "", "is no URL (invalid port number)"),
            ("http://a b", "", "is no URL"),
            ("http://a?x=y", "", "has a query or a fragment"),
            ("http://a#x", "", "has a query or a fragment"),
            ("http://a", "/x#y", "the path has a fragment"),
        ] {
            let error = target(address, path).expect_err(address);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().contains(says), "{address:?} {path:?}: {error}");
        }
    }
}
