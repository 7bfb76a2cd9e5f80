//! Profiles that are read by other threads: to read one takes longer than to add it to a sum, and nothing of it waits
//! for another.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Builder, Scope};

/// The most threads that read ahead: beyond, adding is what takes the time.
const MOST: usize = 8;

/// Gives `take` what `read` makes of each input, in their order. With several cores and inputs other threads read ahead, from
/// the start, so that `take` may do something else first: at any time no more than two results for each core are being made
/// or wait to be taken.
///
/// ```
/// use autopgo_pprof::{Accumulator, Limits, Profile, read_ahead};
///
/// let base = Profile::empty_cpu();
/// let uploads = [Profile::empty_cpu().write(), Profile::empty_cpu().write(), b"no profile".to_vec()];
/// let read = |bytes: &Vec<u8>| Profile::parse(bytes, &Limits::default());
/// let refused = read_ahead(&uploads, read, |uploads| {
///     let mut sum = Accumulator::new(base);
///     uploads.filter_map(|upload| upload.and_then(|upload| sum.add(&upload)).err()).count()
/// });
/// assert_eq!(refused, 1);
/// ```
pub fn read_ahead<I: Sync, R: Send, T>(
    inputs: &[I],
    read: impl Fn(&I) -> R + Sync,
    take: impl FnOnce(&mut dyn Iterator<Item = R>) -> T,
) -> T {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // For one alone a thread, whose memory is all new, takes as long as it saves.
    if cores < 2 || inputs.len() < 2 {
        return take(&mut inputs.iter().map(read));
    }
    thread::scope(|scope| {
        let read = &read;
        let count = cores.min(MOST).min(inputs.len());
        let lane = |lane| ahead(scope, inputs.iter().skip(lane).step_by(count), read);
        let lanes: Vec<Option<Receiver<R>>> = (0..count).map(lane).collect();
        // Nothing comes of a thread that could not be started, or panicked: then it is this one that reads.
        let result = |(input, lane): (&I, &Option<Receiver<R>>)| {
            lane.as_ref().and_then(|lane| lane.recv().ok()).unwrap_or_else(|| read(input))
        };
        take(&mut inputs.iter().zip(lanes.iter().cycle()).map(result))
    })
}

/// Reads these one after another in a thread, and lets one wait. `None` if there can be no thread.
fn ahead<'scope, 'env, I: Sync + 'env, R: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    inputs: impl Iterator<Item = &'env I> + Send + 'scope,
    read: &'scope (impl Fn(&I) -> R + Sync),
) -> Option<Receiver<R>> {
    let (sender, receiver) = sync_channel(1);
    let reader = move || {
        let _ = inputs.map(read).try_for_each(|result| sender.send(result));
    };
    Builder::new().name("autopgo-read".to_owned()).spawn_scoped(scope, reader).ok().map(|_| receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_inputs() {
        for count in [0, 1, 2, 3, 100] {
            let inputs: Vec<usize> = (0..count).collect();
            let taken: Vec<usize> = read_ahead(&inputs, |input| input * 2, |results| results.collect());
            assert!(taken.iter().map(|result| result / 2).eq(inputs), "{taken:?}");
        }
    }

    #[test]
    fn little_is_read_that_is_not_taken() {
        let started = AtomicUsize::new(0);
        let read = |_: &()| started.fetch_add(1, Ordering::Relaxed);
        assert_eq!(read_ahead(&[(); 1000], read, |results| results.take(10).count()), 10);
        assert!(started.into_inner() <= 10 + 2 * MOST);
    }

    #[test]
    #[should_panic]
    fn a_panic_is_passed_on() {
        read_ahead(&[0, 1], |input| assert_eq!(*input, 0), |results| results.count());
    }
}
