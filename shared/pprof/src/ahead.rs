//! Profiles that are read ahead, by other threads: to read one takes longer than to add it to a sum, and nothing of it waits
//! for another.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rayon::Scope;

use crate::cores::{Core, are_lent, lend, pool};

/// The most threads that read: beyond, adding is what takes the time.
const MOST: usize = 8;

/// Gives `take` what `read` makes of each input, in their order, read by so many `threads` from the start on, so that `take`
/// may do something else first. The caller's is one of them: it reads what no other has begun when it is asked for. At any
/// time no more than two results for each thread are being made or wait to be taken. With one thread everything is done by
/// the caller's. Within [`on_cores`](crate::on_cores()) each of the others takes one of the cores for as long as it has
/// something to read.
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
    match (threads > 1).then(pool).flatten() {
        Some(pool) => {
            let queue = Queue::new(inputs, read, threads.min(MOST));
            pool.in_place_scope(|scope| {
                let _over = Over(&queue);
                (0..queue.helpers).for_each(|_| queue.help(scope));
                take(&mut std::iter::from_fn(|| queue.next(scope)))
            })
        }
        None => take(&mut inputs.iter().map(read)),
    }
}

/// The inputs and what was made of them.
struct Queue<'a, I, R, F> {
    inputs: &'a [I],
    read: F,
    /// How many read beside the caller.
    helpers: usize,
    /// How many results may be here.
    most: usize,
    state: Mutex<State<R>>,
    /// Another result is here.
    made: Condvar,
}

struct State<R> {
    /// How many results were taken.
    taken: usize,
    /// The next ones; `None` is being made.
    results: VecDeque<Option<thread::Result<R>>>,
    /// How many helpers have something to do or are about to look for it.
    helping: usize,
    /// Nobody takes any more.
    over: bool,
}

impl<'a, I: Sync, R: Send, F: Fn(&I) -> R + Sync> Queue<'a, I, R, F> {
    fn new(inputs: &'a [I], read: F, threads: usize) -> Self {
        let state = State { taken: 0, results: VecDeque::new(), helping: 0, over: false };
        let helpers = (threads - 1).min(inputs.len());
        Self { inputs, read, helpers, most: 2 * threads, state: Mutex::new(state), made: Condvar::new() }
    }

    /// The next result. What nobody has begun is read here; so is what comes behind a result that is still being made.
    fn next<'scope>(&'scope self, scope: &Scope<'scope>) -> Option<R> {
        loop {
            let mut state = self.state();
            if let Some(result) = state.take() {
                drop(state);
                self.help(scope);
                return Some(result.unwrap_or_else(|panic| resume_unwind(panic)));
            }
            if let Some(at) = self.begin(&mut state) {
                drop(state);
                self.read(at);
            } else if state.results.is_empty() {
                return None;
            } else {
                // Whoever makes it is at work on it.
                drop(self.made.wait(state));
            }
        }
    }

    /// Has another thread read, if there are too few yet, there is something to read, and a core to do it on.
    fn help<'scope>(&'scope self, scope: &Scope<'scope>) {
        let mut state = self.state();
        if state.helping == self.helpers || !self.is_open(&state) {
            return;
        }
        let core = Core::take();
        if are_lent() && core.is_none() {
            return;
        }
        state.helping += 1;
        drop(state);
        scope.spawn(move |_| lend(core.as_ref(), || self.work()));
    }

    /// A helper's work, as long as there is any.
    fn work(&self) {
        loop {
            let mut state = self.state();
            let Some(at) = self.begin(&mut state) else {
                state.helping -= 1;
                return;
            };
            drop(state);
            self.read(at);
        }
    }

    /// The input to read next, which then is whoever's asked.
    fn begin(&self, state: &mut State<R>) -> Option<usize> {
        let next = self.is_open(state).then(|| state.begun());
        next.inspect(|_| state.results.push_back(None))
    }

    fn is_open(&self, state: &State<R>) -> bool {
        !state.over && state.begun() < self.inputs.len() && state.results.len() < self.most
    }

    fn read(&self, at: usize) {
        let result = catch_unwind(AssertUnwindSafe(|| (self.read)(&self.inputs[at])));
        let mut state = self.state();
        // It is not taken before it is made.
        let place = at - state.taken;
        state.results[place] = Some(result);
        drop(state);
        self.made.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> State<R> {
    /// The next result, if it is made.
    fn take(&mut self) -> Option<thread::Result<R>> {
        let result = self.results.front_mut()?.take()?;
        self.results.pop_front();
        self.taken += 1;
        Some(result)
    }

    fn begun(&self) -> usize {
        self.taken + self.results.len()
    }
}

/// Ends the reading, also when whoever takes panics.
struct Over<'q, 'a, I: Sync, R: Send, F: Fn(&I) -> R + Sync>(&'q Queue<'a, I, R, F>);

impl<I: Sync, R: Send, F: Fn(&I) -> R + Sync> Drop for Over<'_, '_, I, R, F> {
    fn drop(&mut self) {
        self.0.state().over = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::sync_channel;

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
    }

    #[test]
    fn others_read_before_anything_is_taken() {
        let here = thread::current().id();
        let (begin, begun) = sync_channel(9);
        let read = |_: &()| begin.send(()).map(|()| thread::current().id());
        let theirs = read_ahead(3, &[(); 9], read, |results| {
            // As many as may wait, and one that is taken.
            let before = begun.iter().take(6).count();
            (before, results.map(|there| there.is_ok_and(|there| there != here)).collect::<Vec<_>>())
        });
        assert_eq!((theirs.0, &theirs.1[..6], theirs.1.len()), (6, &[true; 6][..], 9));
    }

    #[test]
    fn the_caller_reads_what_no_other_has_begun() {
        let here = thread::current().id();
        let (first, wait) = (AtomicUsize::new(0), Mutex::new(None));
        // Whoever is first waits until the caller has read one.
        let (sender, receiver) = sync_channel(1);
        *wait.lock().unwrap() = Some(receiver);
        let read = |_: &()| {
            if thread::current().id() == here {
                let _ = sender.try_send(());
            } else if first.fetch_add(1, Ordering::Relaxed) == 0 {
                let receiver = wait.lock().unwrap().take().unwrap();
                receiver.recv().unwrap();
            }
        };
        assert_eq!(read_ahead(2, &[(); 9], read, |results| results.count()), 9);
    }
}
