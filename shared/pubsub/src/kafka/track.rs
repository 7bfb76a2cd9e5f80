//! What is known of one partition: which of its records are not done yet, and so how far a group's offset may go.

use std::collections::BTreeMap;

/// The records of a partition that came and are not done. Everything else before `next` is.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// By offset: how often it was given out, or is about to be.
    open: BTreeMap<i64, u32>,
    /// Behind the last that came. `None` where nothing has come and nobody said where it begins.
    next: Option<i64>,
}

impl Track {
    /// One that begins at an offset, if it is known.
    pub(super) fn starting(at: Option<i64>) -> Self {
        Self { open: BTreeMap::new(), next: at }
    }

    /// A record came. `false`: it came before, and is open or done.
    ///
    /// Offsets only grow, with holes where a topic was compacted. One from before the head means that the partition begins
    /// anew, as when a topic was removed and made again: then so does this.
    pub(super) fn came(&mut self, offset: i64) -> bool {
        if self.next.is_some_and(|next| offset < next) {
            if self.head().is_some_and(|head| head <= offset) {
                return false;
            }
            self.open.clear();
        }
        self.open.insert(offset, 1);
        self.next = Some(offset + 1);
        true
    }

    /// A record is done. `false`: it was before.
    pub(super) fn done(&mut self, offset: i64) -> bool {
        self.open.remove(&offset).is_some()
    }

    /// A record that was given out for the time `times` is handed back, and gets the next number. `None`: it is done, or was
    /// handed back before.
    pub(super) fn back(&mut self, offset: i64, times: u32) -> Option<u32> {
        let open = self.open.get_mut(&offset).filter(|open| **open == times)?;
        *open = times.saturating_add(1);
        Some(*open)
    }

    /// Whether a record is to be given out for the time `times`.
    pub(super) fn wants(&self, offset: i64, times: u32) -> bool {
        self.open.get(&offset) == Some(&times)
    }

    /// The offset before which everything is done.
    pub(super) fn head(&self) -> Option<i64> {
        self.open.keys().next().copied().or(self.next)
    }

    /// Where fetching goes on.
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_contiguous_head_moves() {
        let mut track = Track::starting(Some(5));
        assert_eq!((track.head(), track.next()), (Some(5), Some(5)));
        for offset in 5..10 {
            assert!(track.came(offset));
        }
        assert!(track.done(6) && track.done(8));
        assert_eq!(track.head(), Some(5), "5 is not done");
        assert!(track.done(5));
        assert_eq!(track.head(), Some(7), "6 was done already");
        assert!(!track.done(5) && !track.done(6), "not twice");
        assert!(track.done(7) && track.done(9));
        assert_eq!((track.head(), track.next()), (Some(10), Some(10)));
    }

    #[test]
    fn holes_are_stepped_over() {
        let mut track = Track::default();
        assert_eq!(track.head(), None);
        assert!(track.came(100));
        assert_eq!(track.head(), Some(100));
        assert!(track.came(107) && track.done(100));
        assert_eq!(track.head(), Some(107));
        assert!(track.done(107));
        assert_eq!(track.head(), Some(108));
    }

    #[test]
    fn what_is_handed_back_stays_open_and_is_handed_back_once() {
        let mut track = Track::starting(Some(0));
        assert!(track.came(0) && track.came(1) && track.done(1));
        assert_eq!(track.back(0, 1), Some(2));
        assert_eq!(track.back(0, 1), None, "that delivery was handed back");
        assert!(track.wants(0, 2) && !track.wants(0, 1) && !track.wants(1, 1));
        assert_eq!(track.head(), Some(0));
        assert_eq!(track.back(0, 2), Some(3));
        assert!(track.done(0));
        assert_eq!((track.back(0, 3), track.head()), (None, Some(2)));
    }

    #[test]
    fn what_comes_again_is_known_and_a_new_beginning_is_one() {
        let mut track = Track::starting(Some(3));
        assert!(track.came(3) && track.came(4) && track.done(4));
        assert!(!track.came(3), "open");
        assert!(!track.came(4), "done");
        assert!(track.done(3));
        assert!(track.came(0), "from before the head");
        assert_eq!((track.head(), track.next()), (Some(0), Some(1)));
        assert!(track.came(1) && track.done(0));
        assert_eq!(track.head(), Some(1));
    }

    proptest! {
        /// Whatever comes, is done and is handed back in whichever order: the head is the first that is not done.
        #[test]
        fn the_head_is_the_first_that_is_not_done(
            start in 0i64..50,
            steps in prop::collection::vec((0u8..3, 0usize..1000, 1i64..4), 0..200),
        ) {
            let mut track = Track::starting(Some(start));
            let (mut came, mut undone) = (Vec::new(), BTreeSet::new());
            let (mut next, mut head) = (start, start);
            for (what, which, step) in steps {
                let one = came.get(which % came.len().max(1)).copied();
                match (what, one) {
                    (0, _) | (_, None) => {
                        next += step - 1;
                        prop_assert!(track.came(next));
                        came.push(next);
                        undone.insert(next);
                        next += 1;
                    }
                    (1, Some(offset)) => prop_assert_eq!(track.done(offset), undone.remove(&offset)),
                    (_, Some(offset)) => {
                        let times = (1..300).find(|times| track.wants(offset, *times));
                        prop_assert_eq!(times.is_some(), undone.contains(&offset));
                        if let Some(times) = times {
                            prop_assert_eq!(track.back(offset, times), Some(times + 1));
                        }
                    }
                }
                prop_assert_eq!(track.head(), Some(undone.first().copied().unwrap_or(next)));
                prop_assert!(track.head() >= Some(head), "it never goes back");
                head = track.head().unwrap_or(head);
            }
        }
    }
}
