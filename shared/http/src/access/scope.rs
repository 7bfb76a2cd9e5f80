//! What a token may do, and to which applications.

use std::fmt;
use std::str::FromStr;

use autopgo_core::app::{App, LONGEST};
use autopgo_core::error::{Error, Kind};
use serde::{Deserialize, Serialize};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// It brings a profile, in whatever steps.
    Upload,
    /// It takes a merged profile, or asks which there are.
    Download,
    /// It deletes an application's profile.
    Delete,
}

impl Scope {
    /// What a list of tokens calls them.
    pub const NAMES: [&'static str; 3] = ["upload", "download", "delete"];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "upload" => Ok(Self::Upload),
            "download" => Ok(Self::Download),
            "delete" => Ok(Self::Delete),
            _ => Err(Error::new(
                Kind::Invalid,
                format!("{name:?} is no scope; use {}", Self::NAMES.join(", ")),
            )),
        }
    }
}

/// The name of an application, or of several: `*` stands for any characters, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Every application.
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// Checks `text`.
    ///
    /// # Errors
    /// `Invalid` for what matches no name that there can be.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let problem = if text.is_empty() {
            "the application pattern is empty".to_owned()
        } else if text.chars().filter(|c| *c != '*').count() > LONGEST {
            format!("the application pattern is longer than {LONGEST} characters, the most that a name has")
        } else if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '*')) {
            format!("the application pattern has {bad:?} in it, which no name has")
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::new(Kind::Invalid, format!("{problem}; use a name, or one with * for any characters")))
    }

    /// Whether `app` is meant.
    pub fn matches(&self, app: &App) -> bool {
        let name = app.as_str();
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            // The first place that fits leaves the most to the parts that follow.
            let Some(at) = name.find(part) else { return false };
            name = &name[at + part.len()..];
        }
        name.ends_with(last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written_alike() {
        for name in Scope::NAMES {
            assert_eq!(name.parse::<Scope>().expect(name).to_string(), name);
            assert_eq!(serde_json::from_str::<Scope>(&format!("{name:?}")).expect(name).as_str(), name);
        }
        for wrong in ["", "Upload", "admin", "*"] {
            let error = wrong.parse::<Scope>().expect_err(wrong);
            assert!(error.what().ends_with("is no scope; use upload, download, delete"), "{error}");
        }
    }

    #[test]
    fn a_pattern_means_what_it_says() {
        for (pattern, yes, no) in [
            ("checkout", &["checkout"][..], &["check", "checkout-2", "a-checkout"][..]),
            ("*", &["a", "-", "team-a-api"], &[]),
            ("**", &["a"], &[]),
            ("team-*", &["team-", "team-a", "team-a-b"], &["team", "a-team-", "steam-a"]),
            ("*-api", &["-api", "team-api"], &["api", "team-api-2"]),
            ("a*a", &["aa", "aba", "a-a-a"], &["a", "ab", "ba"]),
            ("team-*-api*", &["team-x-api", "team--api-2", "team-api-api"], &["team-api", "team-x-ap"]),
            ("a*b*c*d", &["abcd", "axbbxcd-d", "abcbcd"], &["acbd", "abcdx", "abd"]),
            ("*ab*ab*", &["abab", "xabxabx"], &["ab", "aab", "abxba"]),
        ] {
            let parsed = Pattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.to_string(), pattern);
            for (names, expected) in [(yes, true), (no, false)] {
                for name in names {
                    let app = App::parse(name).expect(name);
                    assert_eq!(parsed.matches(&app), expected, "{pattern} {name}");
                }
            }
        }
    }

    #[test]
    fn what_can_match_nothing_is_no_pattern() {
        for (text, says) in [
            ("", "is empty"),
            ("Team-*", "'T'"),
            ("team_a", "'_'"),
            ("a b", "' '"),
            ("a?", "'?'"),
            ("^a.*", "'^'"),
            ("a\u{202e}", "'\\u{202e}'"),
            (&"x".repeat(129), "longer than 128"),
        ] {
            let error = text.parse::<Pattern>().expect_err(text);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{text:?}: {error}");
        }
        Pattern::parse(&format!("*{}*", "x".repeat(128))).expect("one name fits");
    }
}
