//! The reserved comments of a base profile: which uploads are decided, and when it was last deleted.
//!
//! They stand in the profile itself, so that they change in the same atomic write as the data. `autopgo:base:<uuid>`
//! is fresh for every write: no two writes have the same bytes, so that a store whose version is a hash of the content
//! never takes an old state for the present one. The ids are packed; one that stands by itself (`autopgo:merged:<id>`) is read too.

mod packed;

use std::collections::BTreeSet;
use std::time::Duration;

use autopgo_pprof::Profile;
use jiff::Timestamp;
use uuid::Uuid;

use crate::clock::since;
use crate::error::{Error, Kind, Result};
use crate::key::Id;

/// How far the clocks of clients, servers and workers may differ.
pub(crate) const CLOCK_DIFFERENCE: Duration = Duration::from_secs(5 * 60);
/// How long after its id's time a ticket can be used and completed: no upload of it is staged later than that.
pub(crate) const TICKET_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a write may be under way before it lands.
const UNDER_WAY: Duration = Duration::from_secs(20 * 60);
/// How long an id stays in the ledger after its own time, so that no write of its staged object can still be under
/// way.
pub(crate) const GRACE: Duration = CLOCK_DIFFERENCE.saturating_add(TICKET_LIFE).saturating_add(UNDER_WAY);

const RESERVED: &str = "autopgo:";
const BASE: &str = "autopgo:base:";
/// Before an id.
const MERGED: &str = "autopgo:merged:";
/// Before many.
const DECIDED: &str = "autopgo:decided:";
const DELETED: &str = "autopgo:deleted:";

/// How many ids stand in one comment.
const ROW: usize = 1_000;

/// What a base profile says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Every upload that is decided (merged, or erased by a deletion) and whose staged object may still exist.
    pub decided: BTreeSet<Id>,
    /// The newest deletion that was applied.
    pub deleted: Option<Timestamp>,
}

impl Ledger {
    /// Takes the ledger out of `base`: what stays are the comments of the profiles themselves.
    ///
    /// # Errors
    /// `Unusable` if ids are packed in a way that is not known here: without them, what is in the base would be merged once
    /// more.
    pub fn take(base: &mut Profile) -> Result<Self> {
        let mut ledger = Self::default();
        for comment in base.comments() {
            if let Some(ids) = comment.strip_prefix(DECIDED) {
                ledger.decided.extend(packed::unpack(ids).ok_or_else(unknown)?);
            } else if let Some(id) = comment.strip_prefix(MERGED).and_then(Id::parse) {
                ledger.decided.insert(id);
            } else if let Some(time) = comment.strip_prefix(DELETED).and_then(|time| time.parse().ok()) {
                ledger.note_deletion(time);
            }
        }
        strip(base);
        Ok(ledger)
    }

    /// Writes the ledger into `base`, in place of any that is there, and keeps the first `most` other comments.
    /// `write` must be fresh.
    pub fn put(&self, base: &mut Profile, write: Uuid, most: usize) {
        let own: Vec<String> = own_comments(base).take(most).collect();
        let write = std::iter::once(format!("{BASE}{write}"));
        let deleted = self.deleted.map(|time| format!("{DELETED}{time}"));
        base.set_comments(own.into_iter().chain(write).chain(deleted).chain(self.rows()));
    }

    /// The comments that name what is decided.
    fn rows(&self) -> impl Iterator<Item = String> {
        let mut ids = self.decided.iter().peekable();
        std::iter::from_fn(move || {
            ids.peek()?;
            Some(format!("{DECIDED}{}", packed::pack(ids.by_ref().take(ROW))))
        })
    }

    /// The ids whose grace time is over: those whose staged object is gone may leave.
    pub(crate) fn old(&self, now: Timestamp) -> Vec<Id> {
        self.decided.iter().filter(|id| since(id.time(), now) > GRACE).cloned().collect()
    }

    /// Notes that a deletion of `time` was applied; an older one changes nothing.
    pub fn note_deletion(&mut self, time: Timestamp) {
        self.deleted = self.deleted.max(Some(time));
    }
}

fn unknown() -> Error {
    let what =
        format!("a comment `{DECIDED}` of it, which says what was merged, is damaged or of a newer version");
    Error::new(Kind::Unusable, what)
}

/// Takes every reserved comment out of an upload: a client or a Go server may have put them there.
pub fn strip(profile: &mut Profile) {
    if profile.comments().any(|comment| comment.starts_with(RESERVED)) {
        let own: Vec<String> = own_comments(profile).collect();
        profile.set_comments(own);
    }
}

/// How many comments of a profile are its own.
pub fn own_comment_count(profile: &Profile) -> usize {
    own_comments(profile).count()
}

/// Whether a comment is one of ours.
pub(crate) fn is_reserved(comment: &[u8]) -> bool {
    comment.starts_with(RESERVED.as_bytes())
}

fn own_comments(profile: &Profile) -> impl Iterator<Item = String> + '_ {
    profile.comments().filter(|comment| !comment.starts_with(RESERVED)).map(|comment| comment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(second: i64) -> Id {
        Id::parse(&format!("{:019}-00000000", second * 1_000_000_000)).expect("an id")
    }

    #[test]
    fn what_is_put_can_be_taken_and_leaves_the_rest() {
        let mut profile = Profile::empty_cpu();
        profile.set_comments(["built by make", "autopgo:merged:9999999999999999999-00000000"]);
        let ledger = Ledger { decided: [id(2), id(1)].into(), deleted: Some(Timestamp::UNIX_EPOCH) };
        ledger.put(&mut profile, Uuid::nil(), 10);
        let comments: Vec<String> = profile.comments().map(|comment| comment.to_string()).collect();
        assert_eq!(
            comments,
            [
                "built by make",
                "autopgo:base:00000000-0000-0000-0000-000000000000",
                "autopgo:deleted:1970-01-01T00:00:00Z",
                "autopgo:decided:CICU69wDAAAAAAiAlOvcAwAAAAA",
            ]
        );
        assert_eq!(Ledger::take(&mut profile).expect("a ledger"), ledger);
        assert_eq!(own_comment_count(&profile), 1);
        assert_eq!(profile.comments().count(), 1);
    }

    #[test]
    fn a_merge_keeps_the_first_comments_and_all_of_the_ledger() {
        let mut profile = Profile::empty_cpu();
        profile.set_comments(["a", "b", "c"]);
        let ledger = Ledger { decided: (1..=5).map(id).collect(), deleted: None };
        ledger.put(&mut profile, Uuid::nil(), 2);
        assert_eq!(own_comment_count(&profile), 2);
        assert_eq!(Ledger::take(&mut profile).expect("a ledger").decided.len(), 5);
    }

    #[test]
    fn many_ids_stand_in_few_comments() {
        let mut profile = Profile::empty_cpu();
        for (many, comments) in [(0, 0), (1, 1), (ROW, 1), (ROW + 1, 2), (3 * ROW, 3)] {
            let ledger = Ledger { decided: (0..many as i64).map(id).collect(), deleted: None };
            ledger.put(&mut profile, Uuid::nil(), 0);
            assert_eq!(profile.comments().count(), comments + 1, "of {many} ids, and the write's own");
            assert_eq!(Ledger::take(&mut profile).expect("a ledger"), ledger);
        }
    }

    #[test]
    fn an_id_by_itself_is_read_and_what_is_none_is_not() {
        let mut profile = Profile::empty_cpu();
        profile.set_comments(["autopgo:merged:x", "autopgo:merged:0000000001000000000-00000000"]);
        assert_eq!(Ledger::take(&mut profile).expect("a ledger").decided, [id(1)].into());
    }

    #[test]
    fn packed_ids_that_cannot_be_read_are_not_passed_over() {
        let mut profile = Profile::empty_cpu();
        Ledger { decided: [id(1), id(2)].into(), deleted: None }.put(&mut profile, Uuid::nil(), 0);
        let whole: Vec<String> = profile.comments().map(|comment| comment.to_string()).collect();
        let packed = whole.last().expect("the ids");
        for wrong in ["autopgo:decided:!", &packed[..packed.len() - 2], &format!("{packed}AA")] {
            profile.set_comments([wrong, "built by make"]);
            let error = Ledger::take(&mut profile).expect_err(wrong);
            assert_eq!(error.kind(), Kind::Unusable);
            assert!(error.what().contains("`autopgo:decided:`"), "{error}");
            assert_eq!(profile.comments().count(), 2, "nothing was taken out");
        }
    }

    #[test]
    fn the_newest_deletion_counts() {
        let mut ledger = Ledger::default();
        let late = Timestamp::from_second(20).expect("a time");
        ledger.note_deletion(late);
        ledger.note_deletion(Timestamp::UNIX_EPOCH);
        assert_eq!(ledger.deleted, Some(late));
    }
}
