//! What an upload must be, for everybody who asks: the server that takes it, the worker that merges what another server
//! took, and the scraper and the command that would rather know before they send it.

use autopgo_pprof::{Profile, Sound, check};

use crate::error::{Error, Kind, Result};
use crate::ledger;
use crate::limits::Limits;

/// The most that the values of one sample type may add up to: in nanoseconds 104 days of CPU time. Bases add up 64-bit
/// numbers, and must have room for a good many uploads.
const LARGEST_TOTAL: i128 = i64::MAX as i128 / 1024;

/// Applies every check to an upload, gzip or not. A good one takes less time and memory than to [`parse`] it.
///
/// # Errors
/// As [`parse`].
pub fn check(body: &[u8], limits: &Limits) -> Result<()> {
    let sound = Sound::look(body, &limits.upload(), |comment| !ledger::is_reserved(comment));
    if sound.is_some_and(|sound| {
        sound.comments() <= limits.comments && sound.totals().into_iter().all(|total| total <= LARGEST_TOTAL)
    }) {
        return Ok(());
    }
    // The words for what is wrong with it.
    parse(body, limits).map(drop)
}

/// Reads an upload, gzip or not, and applies every check.
///
/// # Errors
/// `Unusable` for what is no CPU profile that PGO can use, `TooLarge` for one over a limit; the text says what is wrong
/// and what is needed.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Profile> {
    checked(Profile::parse(body, &limits.upload())?, limits)
}

/// Reads of an upload what compacting it needs, and applies every check.
///
/// # Errors
/// As [`parse`].
pub fn parse_top(body: &[u8], limits: &Limits) -> Result<Profile> {
    checked(Profile::parse_top(body, &limits.upload())?, limits)
}

fn checked(profile: Profile, limits: &Limits) -> Result<Profile> {
    let comments = ledger::own_comment_count(&profile);
    if comments > limits.comments {
        return Err(Error::new(
            Kind::TooLarge,
            format!("the profile has {comments} comments; at most {} are taken", limits.comments),
        ));
    }
    check::upload(&profile)?;
    if let Some(total) = profile.totals().into_iter().find(|total| *total > LARGEST_TOTAL) {
        return Err(Error::new(
            Kind::Unusable,
            format!(
                "the profile's values add up to {total}, more than {LARGEST_TOTAL}, far beyond any CPU profile"
            ),
        ));
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_counted_without_the_reserved_ones() {
        let limits = Limits { comments: 3, ..Limits::default() };
        let with = |comments: &[&str]| {
            let mut profile = Profile::empty_cpu();
            profile.set_comments(comments);
            let bytes = profile.write();
            [parse(&bytes, &limits).map(drop), check(&bytes, &limits)]
        };
        for checked in with(&["a", "b", "c", "autopgo:merged:x", "autopgo:base:y"]) {
            checked.expect("three of its own");
        }
        for checked in with(&["a", "b", "c", "d"]) {
            let error = checked.expect_err("four of its own");
            assert_eq!(error.kind(), Kind::TooLarge);
            assert_eq!(error.what(), "the profile has 4 comments; at most 3 are taken");
        }
    }
}
