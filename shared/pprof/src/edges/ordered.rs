//! The values of calls, which are to be put in the order of the calls.

use std::sync::{Mutex, PoisonError};

use crate::cores::{Core, at_once};
use crate::profile::pick;

/// How many calls one of two threads takes at once: slices are written to, and so these are not
/// [`Shares`](crate::shares::Shares).
const PIECE: usize = 4 << 10;

/// Values by call in rows of a width, of which some are picked in an order.
pub(crate) struct Ordered {
    pub(super) width: usize,
    /// The second ones come behind the first.
    pub(super) rows: [Vec<i64>; 2],
    pub(super) order: Vec<u32>,
}

impl Ordered {
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The values in their order.
    pub(crate) fn values(self) -> Vec<i64> {
        let [mut rows, more] = self.rows;
        rows.reserve_exact(more.len());
        rows.extend_from_slice(&more);
        drop(more);
        pick(&mut rows, self.order, self.width);
        rows
    }

    /// The same with another thread, while this one does something else with their order first. They are there twice for a while,
    /// and so only if they are no more than `most`: what has many values each is else put in order where it is.
    pub(crate) fn values_and<T: Send>(
        self,
        core: Core,
        most: usize,
        first: impl FnOnce(&[u32]) -> T + Send,
    ) -> (Vec<i64>, T) {
        if self.order.len() > most {
            let order = self.order.clone();
            let (done, values) = at_once(Some(core), move || first(&order), || self.values());
            return (values, done);
        }
        let Self { width, rows: [rows, more], order } = &self;
        let mut values = vec![0; order.len() * width];
        let pieces = Mutex::new(values.chunks_mut(PIECE * width).zip(order.chunks(PIECE)));
        let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
        let take = || {
            while let Some((values, order)) = next() {
                for (values, &at) in values.chunks_exact_mut(*width).zip(order) {
                    let at = at as usize * width;
                    let row = match at.checked_sub(rows.len()) {
                        None => &rows[at..at + width],
                        Some(behind) => &more[behind..behind + width],
                    };
                    values.copy_from_slice(row);
                }
            }
        };
        let here = || {
            let done = first(order);
            take();
            done
        };
        let (done, ()) = at_once(Some(core), here, take);
        (values, done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::on_cores;
    use crate::example::Random;

    #[test]
    fn one_thread_and_two_put_them_in_the_same_order() {
        let mut random = Random(5);
        for (width, calls, second) in [(1, 9, 0), (2, 30_000, 12_000), (5, 20_000, 20_000), (16, 9_000, 1)] {
            let value = |at: usize| (at * at) as i64;
            let all: Vec<i64> = (0..calls * width).map(value).collect();
            let order: Vec<u32> = (0..calls as u32).filter(|_| random.below(3) > 0).rev().collect();
            let rows = || {
                let (first, second) = all.split_at((calls - second) * width);
                Ordered { width, rows: [first.to_vec(), second.to_vec()], order: order.clone() }
            };
            let expected: Vec<i64> = order
                .iter()
                .flat_map(|&at| (0..width).map(move |column| value(at as usize * width + column)))
                .collect();
            assert!(rows().values() == expected, "{width}");
            for most in [0, order.len() - 1, order.len()] {
                let core =
                    || on_cores(2, || Core::take().map(|core| rows().values_and(core, most, <[u32]>::len)));
                assert!(core() == Some((expected.clone(), order.len())), "{width} {most}");
            }
        }
    }
}
