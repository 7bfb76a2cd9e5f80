//! Where a connection is between two requests, and how long its client may take for what comes next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How long one request and its answer may take all in all, however steadily bytes trickle.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// The state that a connection's stream and its requests share.
#[derive(Debug)]
pub(super) struct Pulse {
    header_timeout: Duration,
    idle_timeout: Duration,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing of the next request was seen. `unread`: nor all of the body of the last one.
    Waiting { until: Instant, unread: bool },
    /// A head is arriving.
    Head { until: Instant },
    /// A request is being answered.
    Busy { until: Instant, unread: bool },
}

impl Pulse {
    /// A connection that was just made: its first head is due like any head.
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Self {
        let state = State::Waiting { until: Instant::now() + header_timeout, unread: false };
        Self { header_timeout, idle_timeout, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        self.change(|state| match *state {
            State::Waiting { .. } => Some(State::Head { until: Instant::now() + self.header_timeout }),
            _ => None,
        });
    }

    /// A whole head came; `body` says whether a body follows.
    pub(super) fn begun(&self, body: bool) {
        self.change(|_| Some(State::Busy { until: Instant::now() + LONGEST, unread: body }));
    }

    /// The body was read to its end.
    pub(super) fn body_read(&self) {
        if let State::Busy { unread, .. } | State::Waiting { unread, .. } = &mut *self.state() {
            *unread = false;
        }
    }

    /// The answer is out of our hands.
    pub(super) fn answered(&self) {
        self.change(|state| match *state {
            State::Busy { unread, .. } => {
                Some(State::Waiting { until: Instant::now() + self.idle_timeout, unread })
            }
            _ => None,
        });
    }

    /// Waits until the client has taken too long for what it is to send next. While a request is answered, that is
    /// for its handler to decide.
    pub(super) async fn expired(&self) {
        loop {
            // Asked for before the state is read, so that no change is missed.
            let changed = self.changed.notified();
            let state = *self.state();
            match state {
                State::Busy { .. } => changed.await,
                State::Waiting { until, .. } | State::Head { until } => tokio::select! {
                    () = sleep_until(until) => return,
                    () = changed => {}
                },
            }
        }
    }

    /// When to give up on a client that has taken nothing since `stalled`.
    pub(super) fn write_deadline(&self, stalled: Instant) -> Instant {
        let deadline = stalled + self.idle_timeout;
        match *self.state() {
            State::Busy { until, .. } => deadline.min(until),
            _ => deadline,
        }
    }

    /// Whether the client may still be sending what nobody will read.
    pub(super) fn is_unread(&self) -> bool {
        match *self.state() {
            State::Waiting { unread, .. } | State::Busy { unread, .. } => unread,
            State::Head { .. } => true,
        }
    }

    fn change(&self, to: impl FnOnce(&State) -> Option<State>) {
        let mut state = self.state();
        let Some(next) = to(&state) else { return };
        *state = next;
        drop(state);
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
