//! Profiles that are read by other threads: to read one takes longer than to add it to a sum, and nothing of it waits
//! for another.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use crate::cores::Core;

/// The most threads that read ahead: beyond, adding is what takes the time.
const MOST: usize = 8;

/// Gives `take` what `read` makes of each input, in their order, read ahead by so many `threads` from the start on, so
/// that `take` may do something else first. At any time no more than two results for each thread are being made or wait
/// to be taken. With one thread everything is done by the caller's, when it is asked for. Within
/// [`on_cores`](crate::on_cores()) each of the threads takes one of the cores for as long as it has something to read.
///
/// # Panics
/// As `read` or `take` did.
///
/// ```
/// use autopgo_pprof::{Accumulator, Limits, Profile, read_ahead};
///
/// let base = Profile::empty_cpu();
/// let uploads = [Profile::empty_cpu().write(), Profile::empty_cpu().write(), b"no profile".to_vec()];
/// let read = |bytes: &Vec<u8>| Profile::parse(bytes, &Limits::default());
/// let refused = read_ahead(4, &uploads, read, |uploads| {
///     let mut sum = Accumulator::new(base);
///     uploads.filter_map(|upload| upload.and_then(|upload| sum.add(&upload)).err()).count()
/// });
/// assert_eq!(refused, 1);
/// ```
pub fn read_ahead<I: Sync, R: Send, T>(
    threads: usize,
    inputs: &[I],
    read: impl Fn(&I) -> R + Sync,
    take: impl FnOnce(&mut dyn Iterator<Item = R>) -> T,
) -> T {
    if threads < 2 {
        return take(&mut inputs.iter().map(read));
    }
    let lanes = threads.min(MOST).min(inputs.len());
    thread::scope(|scope| {
        let read = &read;
        let lane = |lane| Lane::start(scope, inputs.iter().skip(lane).step_by(lanes), read);
        let mut lanes: Vec<Option<Lane<'_, R>>> = (0..lanes).map(lane).collect();
        let turns = (0..lanes.len()).cycle();
        let mut results = inputs.iter().zip(turns).map(|(input, turn)| match lanes[turn].take() {
            Some(lane) => {
                let (result, lane) = lane.next();
                lanes[turn] = Some(lane);
                result
            }
            None => read(input),
        });
        take(&mut results)
    })
}

/// A thread that reads its part of the inputs, with one result waiting.
struct Lane<'scope, R> {
    results: Receiver<R>,
    thread: ScopedJoinHandle<'scope, ()>,
}

impl<'scope, R: Send + 'scope> Lane<'scope, R> {
    /// `None` if there can be no thread.
    fn start<'env, I: Sync + 'env>(
        scope: &'scope Scope<'scope, 'env>,
        inputs: impl Iterator<Item = &'env I> + Send + 'scope,
        read: &'scope (impl Fn(&I) -> R + Sync),
    ) -> Option<Self> {
        let (sender, results) = sync_channel(1);
        let core = Core::take();
        let reader = move || {
            let _ = inputs.map(read).try_for_each(|result| sender.send(result));
            drop(core);
        };
        let thread = Builder::new().name("autopgo-read".to_owned()).spawn_scoped(scope, reader).ok()?;
        Some(Self { results, thread })
    }

    fn next(self) -> (R, Self) {
        match self.results.recv() {
            Ok(result) => (result, self),
            // It has as many inputs as it is asked for results: it panicked.
            Err(_) => {
                resume_unwind(self.thread.join().err().unwrap_or_else(|| Box::new("a reader ended early")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cores::{is_one_free, on_cores};

    #[test]
    fn results_come_in_the_order_of_their_inputs() {
        for count in [0, 1, 2, 3, 100] {
            let inputs: Vec<usize> = (0..count).collect();
            let taken: Vec<usize> = read_ahead(3, &inputs, |input| input * 2, |results| results.collect());
            assert!(taken.iter().map(|result| result / 2).eq(inputs), "{taken:?}");
        }
    }

    #[test]
    fn little_is_read_that_is_not_taken() {
        let started = AtomicUsize::new(0);
        let read = |_: &()| started.fetch_add(1, Ordering::Relaxed);
        assert_eq!(read_ahead(3, &[(); 1000], read, |results| results.take(10).count()), 10);
        assert!(started.into_inner() <= 10 + 2 * 3);
    }

    #[test]
    #[should_panic(expected = "the second one")]
    fn a_panic_is_passed_on() {
        read_ahead(2, &[1, 2], |input| assert_eq!(*input, 1, "the second one"), |results| results.count());
    }

    #[test]
    fn a_core_is_taken_while_something_is_read() {
        on_cores(2, || {
            let free = read_ahead(
                2,
                &[()],
                |()| (),
                |results| {
                    results.for_each(drop);
                    // It is given back behind the last result.
                    while !is_one_free() {
                        thread::yield_now();
                    }
                    true
                },
            );
            assert!(free);
            let (begin, wait) = sync_channel::<()>(0);
            let taken = read_ahead(
                2,
                &[Mutex::new(wait)],
                |wait| wait.lock().is_ok_and(|wait| wait.recv().is_ok()),
                |_| {
                    let taken = !is_one_free();
                    begin.send(()).map(|()| taken)
                },
            );
            assert_eq!(taken, Ok(true));
        });
    }

    #[test]
    fn one_thread_is_the_callers() {
        let here = thread::current().id();
        let read = |_: &()| thread::current().id();
        assert!(read_ahead(1, &[(); 9], read, |results| results.filter(|&there| there != here).count() == 0));
        assert!(read_ahead(2, &[(); 9], read, |results| results.filter(|&there| there == here).count() == 0));
        assert!(read_ahead(9, &[(); 1], read, |results| results.filter(|&there| there == here).count() == 0));
    }
}
