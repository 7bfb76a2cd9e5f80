//! The id of an upload.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};

/// The id of an upload: unique, sorts by time, carries its time.
///
/// Ours are `{unix nanoseconds, 19 digits}-{8 or more hex digits}`. The Go original writes the nanoseconds alone; its
/// documentation shows 13 digits, which are milliseconds. All three are read.
///
/// It is kept as numbers, for a ledger has thousands of them, in the order in which texts would sort.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Parts);

/// The numbers of an id, in the order of their weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Parts {
    /// In nanoseconds. 19 digits may say more than an `i64` holds.
    pub(crate) time: u64,
    /// Whether all 19 digits are said: what says 13 sorts before what goes on after them.
    pub(crate) nanos: bool,
    /// The hex digits, from the left: those that are not there are 0.
    pub(crate) chance: u128,
    /// How many hex digits there are: none, or 8 to 32.
    pub(crate) hexes: u8,
}

const NANOS: usize = 19;
const MILLIS: usize = 13;
const NANOS_IN_MILLI: u64 = 1_000_000;
/// What no longer fits into 19 digits.
const LATEST: u64 = 10_000_000_000_000_000_000;

impl Id {
    /// A fresh one: the clock's time and 64 random bits.
    pub fn fresh(clock: &dyn Clock) -> Self {
        let time = u64::try_from(clock.now().as_nanosecond()).unwrap_or(0);
        Self(Parts { time, nanos: true, chance: u128::from(clock.random()) << 64, hexes: 16 })
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
        let time = u64::try_from(time.as_nanosecond()).unwrap_or(0);
        Ok(Self(Parts { time, nanos: true, chance: bits << 48, hexes: 20 }))
    }

    /// Reads an id as it stands in a key. `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, hex) = match text.split_once('-') {
            Some((digits, hex)) => (digits, Some(hex)),
            None => (text, None),
        };
        let decimal = |c: u8| c.is_ascii_digit();
        let lower_hex = |c: u8| decimal(c) || (b'a'..=b'f').contains(&c);
        let good = digits.bytes().all(decimal)
            && hex.is_none_or(|hex| (8..=32).contains(&hex.len()) && hex.bytes().all(lower_hex));
        let number = digits.parse::<u64>().ok().filter(|_| good)?;
        let (time, nanos) = match digits.len() {
            NANOS => (number, true),
            MILLIS => (number * NANOS_IN_MILLI, false),
            _ => return None,
        };
        let hex = hex.unwrap_or_default();
        let hexes = u8::try_from(hex.len()).ok()?;
        let chance = if hex.is_empty() { 0 } else { u128::from_str_radix(hex, 16).ok()? << unsaid(hexes) };
        Some(Self(Parts { time, nanos, chance, hexes }))
    }

    /// The id of these numbers. `None` if there is none.
    pub(crate) fn of(parts: Parts) -> Option<Self> {
        let Parts { time, nanos, chance, hexes } = parts;
        let said = match hexes {
            0 => chance == 0,
            8..=32 => chance.trailing_zeros() >= unsaid(hexes),
            _ => false,
        };
        let short = nanos || time % NANOS_IN_MILLI == 0;
        (said && short && time < LATEST).then_some(Self(parts))
    }

    /// Its numbers.
    pub(crate) fn parts(&self) -> Parts {
        self.0
    }

    /// When the upload was made, by the clock of who made it.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_nanosecond(self.0.time.into()).unwrap_or(Timestamp::MAX)
    }
}

/// How many bits of 128 are left beside so many hex digits, at most 32.
fn unsaid(hexes: u8) -> u32 {
    128 - 4 * u32::from(hexes)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { time, nanos, chance, hexes } = self.0;
        if nanos {
            write!(f, "{time:0NANOS$}")?;
        } else {
            write!(f, "{:0MILLIS$}", time / NANOS_IN_MILLI)?;
        }
        match hexes {
            0 => Ok(()),
            hexes => write!(f, "-{:0width$x}", chance >> unsaid(hexes), width = usize::from(hexes)),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::System;

    #[test]
    fn ids_carry_their_time() {
        let time = |text: &str| Id::parse(text).expect(text).time().to_string();
        assert_eq!(time("1730075435311000000"), "2024-10-28T00:30:35.311Z");
        assert_eq!(time("1730075435311000001-00000000"), "2024-10-28T00:30:35.311000001Z");
        assert_eq!(time("1730075435311"), "2024-10-28T00:30:35.311Z");
        let fresh = Id::fresh(&System);
        assert_eq!(Id::parse(&fresh.to_string()), Some(fresh.clone()));
        assert!(fresh.time().duration_since(Timestamp::now()).unsigned_abs() < Duration::from_secs(60));
    }

    proptest! {
        /// Few digits that differ, so that texts are often equal for a while.
        #[test]
        fn an_id_is_its_text_and_sorts_as_it(
            a in "[01]{12}[09]{1}([08]{6})?(-(0|f){8}(0|1){0,24})?",
            b in "[01]{12}[09]{1}([08]{6})?(-(0|f){8}(0|1){0,24})?",
        ) {
            let [id, other] = [&a, &b].map(|text| Id::parse(text).expect("an id"));
            prop_assert_eq!(&id.to_string(), &a);
            prop_assert_eq!(id.cmp(&other), a.cmp(&b), "{} and {}", a, b);
        }

        #[test]
        fn any_id_is_its_text(text in "([0-9]{13}|1[0-7][0-9]{17}|9{19})(-[0-9a-f]{8,32})?") {
            prop_assert_eq!(Id::parse(&text).map(|id| id.to_string()), Some(text));
        }
    }

    #[test]
    fn an_idempotency_key_is_always_the_same_id() {
        let five = Duration::from_secs(300);
        let key = Uuid::now_v7().to_string();
        let id = Id::from_idempotency_key(&key, &System, five).expect("a fresh key");
        assert_eq!(id, Id::from_idempotency_key(&key.to_uppercase(), &System, five).expect("the same"));
        assert_eq!(Id::parse(&id.to_string()), Some(id.clone()));
        let text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        let then = Timestamp::from_millisecond(0x017f_22e2_79b0).expect("a time");
        let read = Id::from_idempotency_key(
            text,
            &System,
            then.duration_since(Timestamp::now()).unsigned_abs() + five,
        );
        assert_eq!(read.expect("within reach").to_string(), "1645557742000000000-7cc398c4dc0c0c07398f");
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
