//! What one of two threads counts.

/// A part of what there is, by number: two threads that count one of them each look at all, and have nothing both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    First,
    Second,
}

impl Part {
    pub(super) fn has(self, number: usize) -> bool {
        self == Self::All || half(number) == self.holder()
    }

    /// Which of two it is, or the only one.
    pub(super) fn holder(self) -> usize {
        usize::from(self == Self::Second)
    }

    /// Which of two has this one.
    pub(super) fn holder_of(self, number: usize) -> usize {
        if self == Self::All { 0 } else { half(number) }
    }
}

/// Mixed (Knuth's multiplicative hash): a writer may have numbered in turn what is called and what calls.
fn half(number: usize) -> usize {
    ((number as u32).wrapping_mul(0x9e37_79b1) >> 31) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_in_one_half_and_about_as_many_in_both() {
        for step in [1, 2, 3, 4, 7, 64, 1000] {
            let mut counts = [0, 0];
            for number in (0..1000).map(|at| at * step) {
                assert!(Part::All.has(number) && Part::All.holder_of(number) == Part::All.holder());
                let holders: Vec<Part> =
                    [Part::First, Part::Second].into_iter().filter(|part| part.has(number)).collect();
                let [holder] = holders[..] else { panic!("{number} is in {holders:?}") };
                assert_eq!(holder.holder_of(number), holder.holder());
                counts[holder.holder()] += 1;
            }
            assert!(counts.iter().all(|count| (400..=600).contains(count)), "{step}: {counts:?}");
        }
    }
}
