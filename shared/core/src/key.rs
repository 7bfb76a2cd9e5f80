//! Where things lie in the store: the only file that spells `{app}/staging/{id}`.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::app::App;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};

/// The id of an upload: unique, sorts by time, carries its time.
///
/// Ours are `{unix nanoseconds, 19 digits}-{8 or more hex digits}`. The Go original writes the nanoseconds alone; its
/// documentation shows 13 digits, which are milliseconds. All three are read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// A fresh one: the clock's time and 64 random bits.
    pub fn fresh(clock: &dyn Clock) -> Self {
        Self(format!("{:019}-{:016x}", clock.now().as_nanosecond().max(0), clock.random()).into())
    }

    /// The id that an `Idempotency-Key` stands for: always the same for the same key, so that a retry is the same
    /// upload. The key is a UUID version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then chance.
    ///
    /// # Errors
    /// `Invalid` if the key is none, or if its time is off the server's by more than `most`.
    pub fn from_idempotency_key(key: &str, clock: &dyn Clock, most: std::time::Duration) -> Result<Self> {
        let wrong = |why: String| Error::new(Kind::Invalid, format!("the Idempotency-Key {why}"));
        let uuid = Uuid::try_parse(key)
            .ok()
            .filter(|uuid| uuid.get_version_num() == 7)
            .ok_or_else(|| wrong("is no UUID version 7; make a fresh one for each upload".to_owned()))?;
        let bits = uuid.as_u128();
        let millis = i64::try_from(bits >> 80).unwrap_or(i64::MAX);
        let time =
            Timestamp::from_millisecond(millis).map_err(|_| wrong("carries no possible time".to_owned()))?;
        let now = clock.now();
        if time.duration_since(now).unsigned_abs() > most {
            return Err(wrong(format!(
                "was made at {time}, but it is {now} here; they may differ by {} minutes: make a fresh key, and check both clocks",
                most.as_secs() / 60
            )));
        }
        Ok(Self(format!("{:019}-{:020x}", time.as_nanosecond(), bits & ((1 << 80) - 1)).into()))
    }

    /// Reads an id as it stands in a key. `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, chance) = match text.split_once('-') {
            Some((time, chance)) => (time, Some(chance)),
            None => (text, None),
        };
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let good = matches!(time.len(), 13 | 19)
            && time.bytes().all(|c| c.is_ascii_digit())
            && chance.is_none_or(|chance| (8..=32).contains(&chance.len()) && chance.bytes().all(hex));
        good.then(|| Self(text.into()))
    }

    /// When the upload was made, by the clock of who made it.
    pub fn time(&self) -> Timestamp {
        let digits = self.0.split_once('-').map_or(&*self.0, |(time, _)| time);
        let number: i128 = digits.parse().unwrap_or(0);
        let nanoseconds = if digits.len() == 13 { number * 1_000_000 } else { number };
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MAX)
    }

    /// The id as it stands in a key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}

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
    use std::time::Duration;

    use super::*;
    use crate::clock::System;

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
    fn ids_carry_their_time() {
        let time = |text: &str| Id::parse(text).expect(text).time().to_string();
        assert_eq!(time("1730075435311000000"), "2024-10-28T00:30:35.311Z");
        assert_eq!(time("1730075435311000001-00000000"), "2024-10-28T00:30:35.311000001Z");
        assert_eq!(time("1730075435311"), "2024-10-28T00:30:35.311Z");
        let fresh = Id::fresh(&System);
        assert_eq!(Id::parse(fresh.as_str()), Some(fresh.clone()));
        assert!(fresh.time().duration_since(Timestamp::now()).unsigned_abs() < Duration::from_secs(60));
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

    #[test]
    fn an_idempotency_key_is_always_the_same_id() {
        let five = Duration::from_secs(300);
        let key = Uuid::now_v7().to_string();
        let id = Id::from_idempotency_key(&key, &System, five).expect("a fresh key");
        assert_eq!(id, Id::from_idempotency_key(&key.to_uppercase(), &System, five).expect("the same"));
        assert_eq!(Id::parse(id.as_str()), Some(id.clone()));
        let other = Id::from_idempotency_key(&Uuid::now_v7().to_string(), &System, five).expect("another");
        assert_ne!(id, other);
        for (key, says) in [
            ("", "no UUID version 7"),
            ("e9e23fa8-9d46-4c66-9190-2f64eacd73a2", "no UUID version 7"),
            ("01890a5d-ac96-774b-bcce-b302099a8057", "was made at 2023-06-30"),
        ] {
            let error = Id::from_idempotency_key(key, &System, five).expect_err(key);
            assert!(error.what().contains(says), "{error}");
        }
    }
}
