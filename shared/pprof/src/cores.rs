//! Cores that a caller lends. Large parts of the work that do not wait for one another are then done at once; what comes
//! of them is the same.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};

thread_local! {
    /// How many cores this thread and those that help it may use beside their own.
    static LENT: RefCell<Option<Arc<AtomicUsize>>> = const { RefCell::new(None) };
}

/// Does `work` on so many `cores`: the calling thread's own and, for what is large and can be parted, others', by threads
/// that end with their part. All that this crate does within `work`, on this thread, may use them; without it everything
/// is done by the caller's. The results are the same bytes.
///
/// ```
/// use autopgo_pprof::{Accumulator, Limits, Profile, on_cores};
///
/// let base = Profile::empty_cpu().write();
/// let fold = || Ok::<_, autopgo_pprof::Error>(Accumulator::new(Profile::parse(&base, &Limits::default())?).finish());
/// assert_eq!(on_cores(2, fold)?.write(), fold()?.write());
/// # Ok::<(), autopgo_pprof::Error>(())
/// ```
pub fn on_cores<T>(cores: usize, work: impl FnOnce() -> T) -> T {
    let others = cores.saturating_sub(1);
    with((others > 0).then(|| Arc::new(AtomicUsize::new(others))), work)
}

/// Does both, at once if that is `worth` a thread and there is a core for it.
///
/// What `there` allocates is new memory, which costs more than what was used before: give it the room it needs.
#[expect(clippy::expect_used, reason = "what no thread took is still there")]
pub(crate) fn both<A, B: Send>(
    worth: bool,
    here: impl FnOnce() -> A,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    let Some(core) = worth.then(Core::take).flatten() else {
        return (here(), there());
    };
    let part = Mutex::new(Some(there));
    let take = || part.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (here, there) = thread::scope(|scope| {
        // The core is free again when that part is done, whatever goes on here.
        let other = move || take().map(|part| core.lend(part));
        let thread = Builder::new().name("autopgo-part".to_owned()).spawn_scoped(scope, other);
        let here = here();
        let there = thread.ok().and_then(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        (here, there)
    });
    let there = there.unwrap_or_else(|| take().expect("a part that is not done")());
    (here, there)
}

/// Whether there are others at all, perhaps at work now.
pub(crate) fn are_lent() -> bool {
    LENT.with_borrow(Option::is_some)
}

/// Whether there is a core for a part: for what is done in another way when it is parted.
pub(crate) fn is_one_free() -> bool {
    LENT.with_borrow(|lent| lent.as_ref().is_some_and(|free| free.load(Ordering::Relaxed) > 0))
}

/// A core that was lent, until this is dropped.
pub(crate) struct Core(Arc<AtomicUsize>);

impl Core {
    /// One that nobody uses now.
    pub(crate) fn take() -> Option<Self> {
        let lent = LENT.with_borrow(Clone::clone)?;
        let less = |free: usize| free.checked_sub(1);
        lent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok().map(|_| Self(lent))
    }

    /// Does `work` on this thread, and lends it the others that may be free.
    pub(crate) fn lend<T>(&self, work: impl FnOnce() -> T) -> T {
        with(Some(Arc::clone(&self.0)), work)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
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
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread::{ThreadId, current};

    use super::*;

    fn threads(worth: bool) -> (ThreadId, ThreadId) {
        both(worth, || current().id(), || current().id())
    }

    fn fail() {
        panic!("a part");
    }

    #[test]
    fn without_a_core_all_is_done_here() {
        let here = current().id();
        assert_eq!(threads(true), (here, here));
        assert_eq!(on_cores(1, || threads(true)), (here, here));
        assert_eq!(on_cores(2, || threads(false)), (here, here));
        assert_ne!(on_cores(2, || threads(true)).1, here);
        assert_eq!(threads(true), (here, here), "it was given back");
    }

    #[test]
    fn no_more_cores_are_used_than_there_are() {
        for (cores, others) in [(1, 0), (2, 1), (3, 2), (4, 3), (9, 3)] {
            let halves = || both(true, || threads(true), || threads(true));
            let ((a, b), (c, d)) = on_cores(cores, halves);
            let here = current().id();
            let elsewhere = [a, b, c, d].iter().filter(|&&thread| thread != here).count();
            assert!(a == here && elsewhere <= 3, "{cores}");
            assert_eq!(c != here, others > 0);
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
            assert_ne!(threads(true).1, current().id());
        });
        let here = || on_cores(2, || both(true, fail, || ()));
        assert!(catch_unwind(AssertUnwindSafe(here)).is_err());
        assert_eq!(threads(true).1, current().id());
    }
}
