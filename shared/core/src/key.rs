//! Where things lie in the store: the only file that spells `{app}/staging/{id}`.

mod id;

use std::fmt;

use crate::app::App;

pub use id::Id;
pub(crate) use id::Parts;

/// What lies at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The base profile.
    Base,
    /// A ticket's upload before it is completed.
    Incoming(Id),
    /// An upload that could not be merged, as it was.
    Rejected(Id),
    /// Why it could not.
    Reason(Id),
    /// An upload that is to be merged.
    Staged(Id),
}

/// A key of the store, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose it is.
    pub app: App,
    /// What it is.
    pub place: Place,
}

const BASE: &str = "default.pgo";
const INCOMING: &str = "incoming";
const REJECTED: &str = "rejected";
const STAGING: &str = "staging";
const REASON: &str = ".json";

impl Key {
    /// The key of the base profile of `app`.
    pub fn base(app: &App) -> Self {
        Self { app: app.clone(), place: Place::Base }
    }

    /// The key of a staged upload.
    pub fn staged(app: &App, id: &Id) -> Self {
        Self { app: app.clone(), place: Place::Staged(id.clone()) }
    }

    /// The key of a ticket's upload before it is completed.
    pub fn incoming(app: &App, id: &Id) -> Self {
        Self { app: app.clone(), place: Place::Incoming(id.clone()) }
    }

    /// The key of an upload that was set aside.
    pub fn rejected(app: &App, id: &Id) -> Self {
        Self { app: app.clone(), place: Place::Rejected(id.clone()) }
    }

    /// The key of the reason why an upload was set aside.
    pub fn reason(app: &App, id: &Id) -> Self {
        Self { app: app.clone(), place: Place::Reason(id.clone()) }
    }

    /// Reads a key. `None` for what is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (app, rest) = text.split_once('/')?;
        let app = App::parse(app).ok()?;
        let place = match rest.split_once('/') {
            None if rest == BASE => Place::Base,
            Some((INCOMING, id)) => Place::Incoming(Id::parse(id)?),
            Some((REJECTED, id)) => match id.strip_suffix(REASON) {
                Some(id) => Place::Reason(Id::parse(id)?),
                None => Place::Rejected(Id::parse(id)?),
            },
            Some((STAGING, id)) => Place::Staged(Id::parse(id)?),
            _ => return None,
        };
        Some(Self { app, place })
    }

    /// What every staged upload of `app` starts with.
    pub fn staging_prefix(app: &App) -> String {
        format!("{app}/{STAGING}/")
    }

    /// What everything set aside of `app` starts with.
    pub fn rejected_prefix(app: &App) -> String {
        format!("{app}/{REJECTED}/")
    }

    /// A text that sorts behind every key in the same place of the same application: the way to skip them in a listing.
    pub fn after_place(&self) -> String {
        let place = match self.place {
            Place::Base => return format!("{}/{BASE}", self.app),
            Place::Incoming(_) => INCOMING,
            Place::Rejected(_) | Place::Reason(_) => REJECTED,
            Place::Staged(_) => STAGING,
        };
        format!("{}/{place}/~", self.app)
    }

    /// A text that sorts behind every key of the same application.
    pub fn after_app(&self) -> String {
        format!("{}/~", self.app)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = &self.app;
        match &self.place {
            Place::Base => write!(f, "{app}/{BASE}"),
            Place::Incoming(id) => write!(f, "{app}/{INCOMING}/{id}"),
            Place::Rejected(id) => write!(f, "{app}/{REJECTED}/{id}"),
            Place::Reason(id) => write!(f, "{app}/{REJECTED}/{id}{REASON}"),
            Place::Staged(id) => write!(f, "{app}/{STAGING}/{id}"),
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn keys_read_back() {
        for text in [
            "checkout/default.pgo",
            "checkout/staging/1730075435311000000",
            "checkout/staging/1730075435311000000-0a1b2c3d",
            "checkout/staging/1730075435311",
            "checkout/rejected/1730075435311000000-0a1b2c3d",
            "checkout/rejected/1730075435311000000-0a1b2c3d.json",
            "checkout/incoming/1730075435311000000-0a1b2c3d",
        ] {
            assert_eq!(Key::parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_ours_is_no_key() {
        for text in [
            "",
            "checkout",
            "default.pgo",
            "Checkout/default.pgo",
            "checkout/default.pgo/x",
            "checkout/staging/",
            "checkout/staging/../../other/default.pgo",
            "checkout/staging/173007543531100000",
            "checkout/staging/1730075435311000000-0a1b",
            "checkout/staging/1730075435311000000-0A1B2C3D",
            "checkout/staging/1730075435311000000/x",
            "checkout/elsewhere/1730075435311000000",
        ] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    #[test]
    fn skips_sort_behind_what_they_skip() {
        for text in [
            "a/incoming/1730075435311000000",
            "a/rejected/1730075435311000000-ffffffff.json",
            "a/staging/9999999999999999999-ffffffff",
        ] {
            let key = Key::parse(text).expect(text);
            assert!(key.after_place().as_str() > text && key.after_app() > key.after_place(), "{text}");
        }
        // `a-b` sorts before `a/`, `a0` behind it: neither lies inside the other's range.
        let key = Key::parse("a/default.pgo").expect("base");
        assert!(key.after_app().as_str() < "a0/default.pgo" && key.to_string().as_str() > "a-b/staging/9");
    }
}
