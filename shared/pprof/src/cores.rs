//! Cores that a caller lends. Large parts of the work that do not wait for one another are then done at once; what comes
//! of them is the same.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    /// How many cores this thread and those that help it may use beside their own.
    static LENT: RefCell<Option<Arc<AtomicUsize>>> = const { RefCell::new(None) };
}

/// Does `work` on so many `cores`: on one and, what is large and can be parted, on others, by threads that all callers share
/// and that stay. All that this crate does within `work` may use them; without it, and with one core, everything is done by
/// the calling thread. The results are the same bytes.
///
/// A thread that waits for a part may begin other work of the same kind meanwhile.
///
/// ```
/// use autopgo_pprof::{Accumulator, Limits, Profile, on_cores};
///
/// let base = Profile::empty_cpu().write();
/// let fold = || Ok::<_, autopgo_pprof::Error>(Accumulator::new(Profile::parse(&base, &Limits::default())?).finish());
/// assert_eq!(on_cores(2, fold)?.write(), fold()?.write());
/// # Ok::<(), autopgo_pprof::Error>(())
/// ```
pub fn on_cores<T: Send>(cores: usize, work: impl FnOnce() -> T + Send) -> T {
    let others = cores.saturating_sub(1);
    let lent = (others > 0).then(|| Arc::new(AtomicUsize::new(others)));
    match (others > 0).then(pool).flatten() {
        Some(pool) => pool.install(|| with(lent, work)),
        None => with(None, work),
    }
}

/// The threads of all jobs: as many as there are cores, and two at least, as a caller is promised. `None` if there can be none.
pub(crate) fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let build = || {
        let threads = available_parallelism().map_or(2, usize::from).max(2);
        let named =
            ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("autopgo-part-{at}"));
        named.build().ok()
    };
    POOL.get_or_init(build).as_ref()
}

/// Does both, at once if that is `worth` it, there is a core for it, and a thread comes before the first is done.
pub(crate) fn both<A: Send, B: Send>(
    worth: bool,
    here: impl FnOnce() -> A + Send,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    at_once(worth.then(Core::take).flatten(), here, there)
}

/// The same with a core that was taken before, for what is done in another way without one.
pub(crate) fn at_once<A: Send, B: Send>(
    core: Option<Core>,
    here: impl FnOnce() -> A + Send,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    match core {
        // The core is free again when that part is done, whatever goes on here.
        Some(core) => rayon::join(here, move || lend(Some(&core), there)),
        None => (here(), there()),
    }
}

/// Sorts, one half by another thread if there are many. Equal ones come in any order.
pub(crate) fn sort<T: Send>(all: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
    const MANY: usize = 1 << 16;
    match (all.len() >= MANY).then(Core::take).flatten() {
        Some(core) => {
            // What belongs into either half is there first, so that nothing is left to be put together, which would take memory.
            let (first, _, second) = all.select_nth_unstable_by(all.len() / 2, &compare);
            at_once(Some(core), || first.sort_unstable_by(&compare), || second.sort_unstable_by(&compare));
        }
        None => all.sort_unstable_by(compare),
    }
}

/// Whether there are others at all, perhaps at work now.
pub(crate) fn are_lent() -> bool {
    LENT.with_borrow(Option::is_some)
}

/// Whether there is a core for a part.
#[cfg(test)]
pub(crate) fn is_one_free() -> bool {
    LENT.with_borrow(|lent| lent.as_ref().is_some_and(|free| free.load(Relaxed) > 0))
}

/// A core that was lent, until this is dropped.
pub(crate) struct Core(Arc<AtomicUsize>);

impl Core {
    /// One that nobody uses now.
    pub(crate) fn take() -> Option<Self> {
        let lent = LENT.with_borrow(Clone::clone)?;
        let less = |free: usize| free.checked_sub(1);
        lent.fetch_update(Relaxed, Relaxed, less).ok().map(|_| Self(lent))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Does `work` on this thread, which is this core if it was lent, and lends it the others that may be free.
pub(crate) fn lend<T>(core: Option<&Core>, work: impl FnOnce() -> T) -> T {
    with(core.map(|core| Arc::clone(&core.0)), work)
}

/// Does `work` while this thread has these cores beside its own.
fn with<T>(cores: Option<Arc<AtomicUsize>>, work: impl FnOnce() -> T) -> T {
    /// Also after a panic the thread has again what it had.
    struct Before(Option<Arc<AtomicUsize>>);
    impl Drop for Before {
        fn drop(&mut self) {
            LENT.set(self.0.take());
        }
    }
    let _before = Before(LENT.replace(cores));
    work()
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::channel;
    use std::thread::{ThreadId, current};
    use std::time::Duration;

    use super::*;
    use crate::example::Random;

    fn threads(worth: bool) -> (ThreadId, ThreadId) {
        both(worth, || current().id(), || current().id())
    }

    /// Whether one part can wait for the other to begin. A thread may take long to come.
    fn are_at_once() -> bool {
        let (begun, heard) = channel();
        both(true, move || heard.recv_timeout(Duration::from_secs(60)).is_ok(), move || begun.send(())).0
    }

    fn free() -> usize {
        let taken: Vec<Core> = iter::from_fn(Core::take).collect();
        taken.len()
    }

    fn fail() {
        panic!("a part");
    }

    #[test]
    fn without_a_core_all_is_done_here() {
        let here = current().id();
        assert_eq!(threads(true), (here, here));
        assert_eq!(on_cores(1, || threads(true)), (here, here));
        let (first, second) = on_cores(2, || threads(false));
        assert_eq!(first, second);
    }

    #[test]
    fn with_one_both_are_done_at_once() {
        // That of all may be busy with other tests.
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let lent = Arc::new(AtomicUsize::new(1));
        assert!(pool.install(|| with(Some(Arc::clone(&lent)), are_at_once)));
        assert_eq!(lent.load(Relaxed), 1, "it was given back");
    }

    #[test]
    fn no_more_cores_are_used_than_are_lent() {
        assert_eq!(free(), 0);
        for cores in 1..5 {
            assert_eq!(on_cores(cores, free), cores - 1);
            // One works on a part, and lends that the others.
            let within = on_cores(cores, || both(true, || (), free).1);
            assert_eq!(within, cores.saturating_sub(2));
            assert_eq!(on_cores(cores, || (both(true, || (), || ()), free()).1), cores - 1, "it came back");
        }
    }

    #[test]
    fn many_are_sorted_as_few_are() {
        let mut random = Random(1);
        for count in [0, 1, 2, (1 << 16) - 1, 1 << 16, 100_001] {
            let random = (0..count).map(|_| random.below(count + 1)).collect();
            let sorted: Vec<u64> = (0..count).collect();
            let reversed = sorted.iter().rev().copied().collect();
            for all in [random, sorted, reversed, vec![7; count as usize]] {
                let [mut alone, mut both] = [all.clone(), all];
                alone.sort_unstable();
                on_cores(2, || sort(&mut both, Ord::cmp));
                assert!(alone == both, "{count}");
                alone.reverse();
                on_cores(2, || sort(&mut both, |a, b| b.cmp(a)));
                assert!(alone == both, "{count}");
            }
        }
    }

    #[test]
    fn a_panic_is_passed_on_and_the_core_comes_back() {
        on_cores(2, || {
            for _ in 0..3 {
                let there = || both(true, || (), fail);
                let panic = catch_unwind(AssertUnwindSafe(there)).unwrap_err();
                assert_eq!(panic.downcast_ref(), Some(&"a part"));
            }
            assert_eq!(free(), 1);
        });
        let here = || on_cores(2, || both(true, fail, || ()));
        assert!(catch_unwind(AssertUnwindSafe(here)).is_err());
        assert_eq!(on_cores(2, free), 1);
    }
}
