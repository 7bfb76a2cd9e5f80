//! What comes from a queue: calls for messages, and those that were fetched and not given out yet.
//!
//! A call is a task of its own. Whoever waits for it may be dropped at any time, and the next takes it over; if there is
//! no next by the time it is answered, what it got is handed back at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use autopgo_aws::body;
use autopgo_core::error::{Kind, Result};
use autopgo_core::port::bus::Delivery;
use aws_sdk_sqs::types::Message;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::queue::Queue;
use super::settings::Settings;
use super::settle::{Change, Settler};
use crate::together::Waits;

/// How many messages a call gives at the most (SQS API reference, `ReceiveMessage`).
pub(super) const A_CALL: usize = 10;
/// What a call that brings nothing takes at the least, as with the original where calls do not wait. Where they do, somebody
/// may answer at once all the same.
const PAUSE: Duration = Duration::from_millis(250);
/// For how long more is called for, once there is something.
const GATHERING: Duration = Duration::from_secs(1);
/// How long closing waits for a call that is on its way, and for what it brings to be handed back: longer than a call waits,
/// and shorter than the core does. If that is not enough, it goes on for as long as the process lasts.
const CLOSING: Duration = Duration::from_millis(2_500);

/// What comes from a queue.
pub(super) struct Inbox {
    queue: Arc<Queue>,
    settler: Settler,
    raw: bool,
    wait: Option<Duration>,
    /// How many wait for messages.
    waiting: Arc<AtomicUsize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Fetched>,
    call: Option<JoinHandle<Result<Vec<Fetched>>>>,
}

struct Fetched {
    delivery: Delivery,
    /// When too little is left of the time that the queue holds it.
    old: Instant,
}

impl Inbox {
    pub(super) fn new(queue: Arc<Queue>, settler: Settler, settings: &Settings) -> Self {
        Self {
            queue,
            settler,
            raw: settings.raw,
            wait: settings.wait,
            waiting: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// Waits for messages and gives at least one and at most `max`.
    pub(super) async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let max = max.max(1);
        let _waits = Waits::with(&self.waiting);
        let mut state = self.state.lock().await;
        loop {
            hand_back(&self.settler, state.take_old()).await;
            if !state.ready.is_empty() {
                break;
            }
            let begun = Instant::now();
            if self.call(&mut state, max, self.wait).await? == 0 {
                sleep_until(begun + PAUSE).await;
            }
        }
        // What is here ages meanwhile. A call that takes longer is the next one's to take over.
        let most = GATHERING.min(self.queue.hold() / 4);
        let _ = tokio::time::timeout(most, self.gather(&mut state, max)).await;
        let count = max.min(state.ready.len());
        Ok(state.ready.drain(..count).map(|fetched| fetched.delivery).collect())
    }

    /// Calls for more without waiting, for as long as calls come back full.
    async fn gather(&self, state: &mut State, max: usize) {
        let mut full = state.ready.len() >= A_CALL;
        while full && state.ready.len() < max {
            let wanted = max - state.ready.len();
            full = match self.call(state, wanted, Some(Duration::ZERO)).await {
                Ok(came) => came >= A_CALL,
                Err(error) => {
                    tracing::debug!(error = error.chain(), "no more messages could be received");
                    false
                }
            };
        }
    }

    /// Hands back what was fetched and not given out.
    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        if let Some(call) = state.call.take() {
            match tokio::time::timeout(CLOSING, call).await {
                Ok(Ok(Ok(fetched))) => state.ready.extend(fetched),
                Ok(Ok(Err(error))) => tracing::debug!(error = error.chain(), "the last receive failed"),
                Ok(Err(error)) => tracing::warn!(error = error.to_string(), "the last receive ended badly"),
                Err(_) => tracing::debug!("a receive is still on its way; it hands back what it gets"),
            }
        }
        hand_back(&self.settler, state.ready.drain(..).collect()).await;
    }

    /// Waits for the call that is on its way, or for a new one, and says how many messages came.
    async fn call(&self, state: &mut State, max: usize, wait: Option<Duration>) -> Result<usize> {
        let call = state.call.get_or_insert_with(|| tokio::spawn(self.fetch(max, wait)));
        // Dropped here, the call stays where it is.
        let ended = call.await;
        state.call = None;
        let ended_badly =
            |error| self.queue.name.error(Kind::Internal, "a receive ended badly").because(error);
        let fetched = ended.map_err(ended_badly)??;
        let count = fetched.len();
        state.ready.extend(fetched);
        Ok(count)
    }

    fn fetch(
        &self,
        max: usize,
        wait: Option<Duration>,
    ) -> impl Future<Output = Result<Vec<Fetched>>> + use<> {
        let (queue, settler) = (Arc::clone(&self.queue), self.settler.clone());
        let (waiting, raw) = (Arc::clone(&self.waiting), self.raw);
        async move {
            let (messages, hold) = queue.fetch(max, wait).await?;
            let old = Instant::now() + hold / 2;
            let fetched: Vec<Fetched> = messages
                .into_iter()
                .filter_map(|message| Some(Fetched { delivery: delivery(message, raw)?, old }))
                .collect();
            if waiting.load(Ordering::SeqCst) > 0 {
                return Ok(fetched);
            }
            hand_back(&settler, fetched).await;
            Ok(Vec::new())
        }
    }
}

impl State {
    /// Takes out what has been here for too long.
    fn take_old(&mut self) -> Vec<Fetched> {
        let now = Instant::now();
        let (old, ready) = self.ready.drain(..).partition(|fetched| fetched.old < now);
        self.ready = ready;
        old.into()
    }
}

/// At once, unlike what somebody could not handle: nobody has tried.
async fn hand_back(settler: &Settler, fetched: Vec<Fetched>) {
    let all = fetched
        .iter()
        .map(|fetched| settler.settle(&fetched.delivery.receipt, Change::Hidden(Duration::ZERO)));
    for error in join_all(all).await.into_iter().filter_map(Result::err) {
        tracing::warn!(error = error.chain(), "a message could not be handed back; it comes again later");
    }
}

/// A message that can be settled, or nothing.
fn delivery(message: Message, raw: bool) -> Option<Delivery> {
    let attributes: Vec<&str> =
        message.message_attributes.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let body = body::decode(message.body.unwrap_or_default(), &attributes, raw);
    Some(Delivery { body, receipt: message.receipt_handle? })
}
