//! A clock that is turned by hand, and turns by itself only while everybody waits for it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::{Clock, since};
use jiff::Timestamp;

/// When every test starts: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

/// The hands of a clock.
pub(crate) struct Hands(Mutex<State>);

struct State {
    now: Timestamp,
    chance: u64,
    sleepers: Vec<(Timestamp, Waker)>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Hands {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_second(START).expect("within this century");
        Self(Mutex::new(State { now, chance: 0, sleepers: Vec::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no code panics while it holds the lock")
    }

    /// Turns the hands on.
    pub(crate) fn turn(&self, by: Duration) {
        let to = self.now() + by;
        self.turn_to(to);
    }

    fn turn_to(&self, to: Timestamp) {
        let mut state = self.state();
        state.now = to;
        let due: Vec<_> = state.sleepers.extract_if(.., |(until, _)| *until <= to).collect();
        drop(state);
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Runs `future` to its end, and gives how long that took by this clock. Whenever nothing else moves, the hands jump
    /// to the next time that is slept for.
    pub(crate) fn run<F: Future>(&self, future: F) -> (F::Output, Duration) {
        let start = self.now();
        // The budget of a surrounding task would never be given back in here.
        let mut future = pin!(tokio::task::unconstrained(future));
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            woken.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return (output, since(start, self.now()));
            }
            if !woken.0.load(Ordering::Relaxed) {
                let next = self.state().sleepers.iter().map(|(until, _)| *until).min();
                self.turn_to(next.expect("it waits for something that never comes"));
            }
        }
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now() + duration;
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.now >= until {
                return Poll::Ready(());
            }
            state.sleepers.push((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// `SplitMix64` (Steele, Lea and Flood 2014): the same numbers in every run.
    fn random(&self) -> u64 {
        let mut state = self.state();
        state.chance = state.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
