//! Durations as Go writes them: `90s`, `1h30m`, `1.5h`, `500ms`. Every flag, variable and URL parameter that takes
//! a time takes this syntax, because the people who set it know it from Go.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// A [`Duration`] that is read and shown in Go's syntax (`time.ParseDuration`, `Duration.String`).
///
/// ```
/// use autopgo_core::duration::GoDuration;
///
/// let frequency: GoDuration = "1.5h".parse()?;
/// assert_eq!(frequency.0.as_secs(), 5400);
/// assert_eq!(frequency.to_string(), "1h30m0s");
/// # Ok::<(), autopgo_core::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub Duration);

/// The longest time Go can hold: 2^63 - 1 nanoseconds, about 292 years.
const LONGEST: u64 = i64::MAX as u64;

/// Go's units in nanoseconds. Both micro signs are accepted: U+00B5 and the Greek letter U+03BC.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads Go's syntax: `[+-]?(digits[.digits]unit)+`, or `0`.
///
/// # Errors
/// `Invalid`: not of that form, an unknown unit, no unit, more than 292 years, or below zero.
pub fn parse(text: &str) -> Result<Duration> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let nanos = if unsigned == "0" { 0 } else { sum(unsigned).map_err(|problem| invalid(&problem, text))? };
    if negative && nanos > 0 {
        return Err(Error::new(Kind::Invalid, format!("duration {text:?} is below zero")));
    }
    Ok(Duration::from_nanos(nanos))
}

/// Writes `duration` as Go's `Duration.String` does: `1h30m0s`, `1.5s`, `500ms`, `0s`.
pub fn format(duration: Duration) -> String {
    GoDuration(duration).to_string()
}

impl FromStr for GoDuration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map(Self)
    }
}

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        duration.0
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let text = match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{nanos}ns"),
            1_000..1_000_000 => decimal(nanos, 3, "\u{b5}s"),
            1_000_000..1_000_000_000 => decimal(nanos, 6, "ms"),
            _ => {
                let seconds = decimal(nanos % 60_000_000_000, 9, "s");
                let minutes = nanos / 60_000_000_000;
                match (minutes / 60, minutes % 60) {
                    (0, 0) => seconds,
                    (0, minutes) => format!("{minutes}m{seconds}"),
                    (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
                }
            }
        };
        f.pad(&text)
    }
}

/// Adds up the parts of `text`, in nanoseconds, or says what is wrong with it.
fn sum(text: &str) -> std::result::Result<u64, String> {
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err("invalid duration".to_owned());
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err("missing unit in duration".to_owned());
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("unknown unit {unit:?} in duration"));
        };
        total = part(whole, fraction, *scale)
            .and_then(|nanos| total.checked_add(nanos))
            .filter(|total| *total <= LONGEST)
            .ok_or("too long a duration")?;
        if after.is_empty() {
            return Ok(total);
        }
        rest = after;
    }
}

/// `whole.fraction` times `scale`, cut to whole nanoseconds; `None` when it does not fit.
fn part(whole: &str, fraction: &str, scale: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Go reads as many digits of the fraction as fit 63 bits and multiplies in floating point; so does this, to end
    // at the same nanosecond.
    let (mut value, mut power) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        match value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0'))) {
            Some(next) if next <= 1 << 63 => value = next,
            _ => break,
        }
        power *= 10.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "Go's own rounding")]
    let beneath = (value as f64 * (scale as f64 / power)) as u64;
    whole.checked_mul(scale)?.checked_add(beneath)
}

/// The digits that `text` begins with, and what follows.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `nanos` as a decimal of `places` fewer digits, trailing zeros cut, and its unit.
fn decimal(nanos: u128, places: usize, unit: &str) -> String {
    let scale = 10_u128.pow(places as u32);
    let digits = format!("{:0places$}", nanos % scale);
    match digits.trim_end_matches('0') {
        "" => format!("{}{unit}", nanos / scale),
        fraction => format!("{}.{fraction}{unit}", nanos / scale),
    }
}

fn invalid(problem: &str, text: &str) -> Error {
    Error::new(Kind::Invalid, format!("{problem} {text:?}; write it as 90s, 1h30m, 1.5h or 500ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text and nanoseconds, as Go 1.26 reads it.
    const GOOD: [(&str, u64); 39] = [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
        ("-0s", 0),
        ("5s", 5_000_000_000),
        ("30s", 30_000_000_000),
        ("1478s", 1_478_000_000_000),
        ("+5s", 5_000_000_000),
        ("+5m", 300_000_000_000),
        ("5.0s", 5_000_000_000),
        ("5.6s", 5_600_000_000),
        ("5.s", 5_000_000_000),
        (".5s", 500_000_000),
        ("1.0s", 1_000_000_000),
        ("1.00s", 1_000_000_000),
        ("1.004s", 1_004_000_000),
        ("1.0040s", 1_004_000_000),
        ("100.00100s", 100_001_000_000),
        ("10ns", 10),
        ("11us", 11_000),
        ("12µs", 12_000),
        ("12μs", 12_000),
        ("13ms", 13_000_000),
        ("14s", 14_000_000_000),
        ("15m", 900_000_000_000),
        ("16h", 57_600_000_000_000),
        ("3h30m", 12_600_000_000_000),
        ("10.5s4m", 250_500_000_000),
        ("1h15m30.918273645s", 4_530_918_273_645),
        ("1.5h", 5_400_000_000_000),
        ("39h9m14.425s", 140_954_425_000_000),
        ("52763797000ns", 52_763_797_000),
        ("0.3333333333333333333h", 1_200_000_000_000),
        ("9007199254740993ns", 9_007_199_254_740_993),
        ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ("9223372036854775.807us", 9_223_372_036_854_775_807),
        ("9223372036s854ms775us807ns", 9_223_372_036_854_775_807),
        ("0.100000000000000000000h", 360_000_000_000),
    ];

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in GOOD {
            assert_eq!(parse(text).expect(text), Duration::from_nanos(nanos), "{text}");
        }
        assert_eq!(parse("0.9223372036854775807h").expect("long"), Duration::from_nanos(3_320_413_933_267));
    }

    #[test]
    fn refuses_what_go_refuses_and_says_why() {
        for (text, says) in [
            ("", "invalid duration \"\""),
            ("3", "missing unit in duration \"3\""),
            ("-", "invalid duration \"-\""),
            ("s", "invalid duration \"s\""),
            (".", "invalid duration \".\""),
            ("-.", "invalid duration"),
            (".s", "invalid duration"),
            ("+.s", "invalid duration"),
            ("1d", "unknown unit \"d\" in duration \"1d\""),
            ("1 s", "unknown unit \" s\""),
            ("1s ", "unknown unit \"s \""),
            ("1h-1m", "unknown unit \"h-\""),
            ("+-5s", "invalid duration"),
            ("1s1", "missing unit"),
            ("\u{85}\u{85}", "invalid duration"),
            ("\u{ffff}", "invalid duration"),
            ("hello \u{ffff} world", "invalid duration"),
            ("1\u{ffff}", "unknown unit"),
            ("9223372036854775810ns", "too long"),
            ("9223372036854775808ns", "too long"),
            ("99999999999999999999ns", "too long"),
            ("3000000h", "too long"),
            ("9223372036854ms775us808ns", "too long"),
            ("-5m", "duration \"-5m\" is below zero"),
            ("-9223372036854775808ns", "too long"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn writes_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (5_400_000_000_000, "1h30m0s"),
            (500_000_000, "500ms"),
            (9_223_372_036_854_775_807, "2562047h47m16.854775807s"),
        ] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(format(duration), text);
            assert_eq!(parse(text).expect(text), duration);
        }
        assert_eq!(format!("{:>5}", GoDuration(Duration::from_secs(1))), "   1s");
        // Beyond Go's own range, which configuration cannot reach but arithmetic can.
        assert_eq!(format(Duration::MAX), "5124095576030431h0m15.999999999s");
    }
}
