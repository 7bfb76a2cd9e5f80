//! The name of an application, checked when it was made: whoever holds an [`App`] need not ask again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind};

/// The longest name, in characters. Longer ones would not fit every store's key limits beside an id.
pub const LONGEST: usize = 128;

/// An application's name: `a-z`, `0-9` and `-`, 1 to 128 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct App(Arc<str>);

impl App {
    /// Checks `name`.
    ///
    /// # Errors
    /// `Invalid`, saying what is wrong with the name and which characters are allowed.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let problem = if name.is_empty() {
            "the application name is empty".to_owned()
        } else if name.chars().count() > LONGEST {
            format!("the application name is {} characters long", name.chars().count())
        } else if let Some(bad) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            // Debug form: a control character or a right-to-left mark must not reach a terminal or a log as it is.
            format!("the application name has {bad:?} in it")
        } else {
            return Ok(Self(name.into()));
        };
        Err(Error::new(Kind::Invalid, format!("{problem}; use a-z, 0-9 and -, at most {LONGEST} characters")))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({})", self.0)
    }
}

impl FromStr for App {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::parse(name)
    }
}

impl Serialize for App {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for App {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names() {
        for name in ["a", "hello-world", "0", "-", "api-gateway-2", &"x".repeat(128)] {
            assert_eq!(App::parse(name).expect(name).as_str(), name);
        }
    }

    #[test]
    fn bad_names_say_why() {
        for (name, says) in [
            ("", "is empty"),
            ("Hello", "'H'"),
            ("..", "'.'"),
            ("a/b", "'/'"),
            ("a%2fb", "'%'"),
            ("a\u{202e}b", "'\\u{202e}'"),
            ("a b", "' '"),
            (&"x".repeat(129), "129 characters long"),
        ] {
            let error = App::parse(name).expect_err(name);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().contains(says), "{name:?}: {error}");
        }
    }
}
