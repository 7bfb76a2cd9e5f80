//! What a consumer has of the partitions that are its: records that wait to be given out, records that rest, and how far each
//! partition is done. The thread that speaks to Kafka fills it, and those who receive empty it.

mod parts;
mod receipt;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use autopgo_core::error::Error;
use autopgo_core::port::bus::Delivery;
use bytes::Bytes;
use tokio::sync::Notify;

use parts::Parts;
pub(super) use parts::{Head, Place, Standing};
use receipt::Receipt;

/// Beyond so many records, or so many bytes of them, nothing more is fetched until few are left.
const MANY: Amount = Amount { records: 512, bytes: 4 << 20 };
const FEW: Amount = Amount { records: 128, bytes: 1 << 20 };
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a consumer has.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Something came, changed hands, or ended.
    news: Notify,
}

#[derive(Default)]
struct State {
    parts: Parts,
    /// To be given out, in this order.
    waiting: VecDeque<Record>,
    /// Handed back and not due yet.
    resting: BTreeMap<(Instant, u64), Record>,
    /// How many ever rested, so that those of one instant differ.
    rested: u64,
    /// What waited or rested when its partition was given up: nobody else has it, if the partition comes back.
    parked: Vec<Record>,
    bytes: usize,
    trouble: Option<Error>,
    closed: bool,
}

struct Record {
    receipt: Receipt,
    body: Bytes,
}

#[derive(Clone, Copy)]
struct Amount {
    records: usize,
    bytes: usize,
}

/// What somebody gets who wants records.
pub(super) enum Taken {
    Some(Vec<Delivery>),
    /// None yet. If something rests: until then.
    None(Option<Instant>),
    Trouble(Error),
    /// And never again.
    Closed,
}

impl Inbox {
    /// A record came.
    pub(super) fn put(&self, place: Place, offset: i64, body: Bytes) {
        let mut state = self.state();
        let Some(receipt) = state.parts.came(place, offset) else { return };
        state.bytes += body.len();
        state.waiting.push_back(Record { receipt, body });
        drop(state);
        self.news.notify_waiters();
    }

    /// Whoever receives next should hear of this.
    pub(super) fn tell(&self, trouble: Error) {
        self.state().trouble = Some(trouble);
        self.news.notify_waiters();
    }

    /// Takes at most `max` records.
    pub(super) fn take(&self, max: usize, now: Instant) -> Taken {
        let mut state = self.state();
        if state.closed {
            return Taken::Closed;
        }
        // Behind what waits already: a record that cannot be handled must not be in the way of others.
        while let Some(entry) = state.resting.first_entry()
            && entry.key().0 <= now
        {
            let record = entry.remove();
            state.waiting.push_back(record);
        }
        let mut batch = Vec::new();
        while batch.len() < max
            && let Some(record) = state.waiting.pop_front()
        {
            state.bytes -= record.body.len();
            if state.parts.wants(&record.receipt) {
                batch.push(Delivery { body: record.body, receipt: record.receipt.to_string() });
            }
        }
        if !batch.is_empty() || max == 0 {
            return Taken::Some(batch);
        }
        match state.trouble.take() {
            Some(trouble) => Taken::Trouble(trouble),
            None => Taken::None(state.resting.keys().next().map(|(due, _)| *due)),
        }
    }

    /// A delivery is done. From here on its partition's head may move.
    pub(super) fn done(&self, delivery: &Delivery) {
        if let Some(receipt) = Receipt::read(&delivery.receipt) {
            self.state().parts.done(&receipt);
        }
    }

    /// A delivery is handed back: it comes again when it has rested.
    pub(super) fn back(&self, delivery: &Delivery, now: Instant) {
        let mut state = self.state();
        let Some(receipt) = Receipt::read(&delivery.receipt) else { return };
        let Some((receipt, owned)) = state.parts.back(receipt) else { return };
        let due = now + pause(receipt.times);
        let record = Record { receipt, body: delivery.body.clone() };
        state.bytes += record.body.len();
        if owned {
            state.rested += 1;
            let number = state.rested;
            state.resting.insert((due, number), record);
        } else {
            state.parked.push(record);
        }
        drop(state);
        self.news.notify_waiters();
    }

    /// How things stand with a delivery that is done.
    pub(super) fn standing(&self, delivery: &Delivery) -> Standing {
        match Receipt::read(&delivery.receipt) {
            Some(receipt) => self.state().parts.standing(&receipt),
            None => Standing::Gone,
        }
    }

    /// The heads that Kafka does not have yet.
    pub(super) fn heads(&self) -> Vec<Head> {
        self.state().parts.heads()
    }

    /// Kafka has them.
    pub(super) fn committed(&self, heads: &[Head]) {
        self.state().parts.committed(heads);
        self.news.notify_waiters();
    }

    /// Whether to stop fetching, or, if that was done, whether to go on not doing so.
    pub(super) fn is_full(&self, is_paused: bool) -> bool {
        let state = self.state();
        let limit = if is_paused { FEW } else { MANY };
        state.waiting.len() + state.resting.len() >= limit.records || state.bytes >= limit.bytes
    }

    /// The partitions are to be given up. What is known of them is kept, for mostly they come back at once.
    pub(super) fn park(&self) {
        let mut state = self.state();
        state.parts.park();
        let mut parked: Vec<Record> = state.waiting.drain(..).collect();
        parked.extend(std::mem::take(&mut state.resting).into_values());
        state.parked.append(&mut parked);
        drop(state);
        self.news.notify_waiters();
    }

    /// A partition is ours, and this is its group's offset. Where to begin, if somebody knows.
    ///
    /// If it was ours before and the offset is where it was left, everything goes on as if nothing had been: what is in hand
    /// stays there. If not, somebody else has had it.
    pub(super) fn own(&self, place: Place, offset: Option<i64>) -> Option<i64> {
        self.state().parts.own(place, offset)
    }

    /// All partitions that are ours are known. Those that did not come back are somebody else's.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        state.parts.settle();
        for record in std::mem::take(&mut state.parked) {
            if state.parts.wants(&record.receipt) {
                state.waiting.push_back(record);
            } else {
                state.bytes -= record.body.len();
            }
        }
        drop(state);
        self.news.notify_waiters();
    }

    /// Nothing is known of any partition any more.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.parts = Parts::following(&state.parts);
        state.waiting.clear();
        state.resting.clear();
        state.parked.clear();
        state.bytes = 0;
        drop(state);
        self.news.notify_waiters();
    }

    /// Nothing is given out any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.news.notify_waiters();
    }

    /// What tells that something changed. To be made before one looks.
    pub(super) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.news.notified()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code above panics while it holds the lock, so what it guards is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a record rests before it is given out for this time.
fn pause(times: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << times.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
