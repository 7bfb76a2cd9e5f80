//! A bus that loses, repeats and reorders: a set of messages, any of which may be delivered at any time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::event::{Decoded, Envelope, Event};
use autopgo_core::port::bus::{Message, Topic};
use bytes::Bytes;
use tokio::sync::Notify;

use super::executor::{Process, Sim};
use super::history::History;
use super::plan::{Faults, Plan};

/// Every message that was ever published.
pub(crate) struct Bus {
    sim: Arc<Sim>,
    history: Arc<History>,
    faults: Faults,
    quiet: AtomicBool,
    messages: Mutex<Vec<Sent>>,
    arrived: Notify,
}

struct Sent {
    body: Bytes,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Delivered,
    Done,
    Dropped,
}

impl Bus {
    pub(crate) fn new(sim: Arc<Sim>, history: Arc<History>, plan: &Plan) -> Arc<Self> {
        let (quiet, messages, arrived) = (AtomicBool::new(false), Mutex::default(), Notify::new());
        Arc::new(Self { sim, history, faults: plan.faults, quiet, messages, arrived })
    }

    /// From now on publishing does not fail.
    pub(crate) fn be_quiet(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.messages.lock().expect("no code panics while it holds the lock")
    }

    /// Publishes for `who`. `false` if it says that it failed, whether or not it did.
    pub(crate) async fn send(&self, who: Process, body: Bytes) -> bool {
        self.sim.pause().await;
        let fails = !self.quiet.load(Ordering::Relaxed) && self.sim.happens(self.faults.unpublished);
        let sent = !fails || self.sim.chance(|chance| chance.happens(500));
        if sent {
            let state = if self.sim.happens(self.faults.dropped) { State::Dropped } else { State::Waiting };
            if state == State::Dropped {
                self.sim.count("a message was dropped");
            }
            self.messages().push(Sent { body: body.clone(), state });
            self.arrived.notify_waiters();
        }
        self.sim.note(who, || {
            let how = match (fails, sent) {
                (false, _) => "",
                (true, true) => " (and its answer is lost)",
                (true, false) => " (which fails)",
            };
            format!("publish {}{how}", told(&body))
        });
        self.sim.pause().await;
        !fails
    }

    /// Waits for messages and takes at most `most` of them, in any order.
    pub(crate) async fn receive(self: &Arc<Self>, who: Process, most: usize) -> Taken {
        loop {
            self.sim.pause().await;
            let arrived = self.arrived.notified();
            let mut taken = Taken { bus: Arc::clone(self), indices: Vec::new() };
            {
                let mut messages = self.messages();
                let wanted = self.sim.chance(|chance| chance.index(most) + 1);
                while taken.indices.len() < wanted {
                    let repeat = self.sim.happens(self.faults.duplicate);
                    let fits = |state: State| match state {
                        State::Waiting => true,
                        State::Delivered | State::Done => repeat,
                        State::Dropped => false,
                    };
                    let candidates: Vec<usize> = (0..messages.len())
                        .filter(|at| fits(messages[*at].state) && !taken.indices.contains(at))
                        .collect();
                    if candidates.is_empty() {
                        break;
                    }
                    let chosen = candidates[self.sim.chance(|chance| chance.index(candidates.len()))];
                    if messages[chosen].state == State::Waiting {
                        messages[chosen].state = State::Delivered;
                    } else {
                        self.sim.count("a message was delivered again");
                    }
                    taken.indices.push(chosen);
                }
            }
            if !taken.indices.is_empty() {
                self.sim.note(who, || {
                    let bodies: Vec<String> = taken.bodies().iter().map(|body| told(body)).collect();
                    format!("receive {}", bodies.join(", "))
                });
                return taken;
            }
            let seconds = self.sim.chance(|chance| chance.from(1, 300));
            tokio::select! {
                biased;
                () = arrived => {}
                () = self.sim.sleep(Duration::from_secs(seconds)) => {}
            }
        }
    }
}

/// A batch in hand. What is not settled when it is dropped is delivered again.
pub(crate) struct Taken {
    bus: Arc<Bus>,
    indices: Vec<usize>,
}

impl Taken {
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        let messages = self.bus.messages();
        self.indices.iter().map(|&at| messages[at].body.clone()).collect()
    }

    /// The message number `at` of the batch is done.
    pub(crate) fn done(&mut self, at: usize) {
        self.bus.messages()[self.indices[at]].state = State::Done;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut messages = self.bus.messages();
        for &at in &self.indices {
            if messages[at].state == State::Delivered {
                messages[at].state = State::Waiting;
                self.bus.arrived.notify_waiters();
            }
        }
    }
}

/// The bus as one process publishes to it.
pub(crate) struct SimTopic {
    pub(crate) bus: Arc<Bus>,
    pub(crate) process: Process,
}

#[async_trait]
impl Topic for SimTopic {
    async fn publish(&self, message: Message) -> Result<()> {
        self.bus.history.publishing(&message.body);
        if self.bus.send(self.process, message.body).await {
            Ok(())
        } else {
            Err(Error::new(Kind::Unavailable, "the bus did not answer"))
        }
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// What the trace says about a message.
fn told(body: &[u8]) -> String {
    match Envelope::decode(body) {
        Ok(Decoded::Known(Envelope { event, timestamp, .. })) => match event {
            Event::Uploaded { app, id } => format!("uploaded {app} {id}"),
            Event::Merged { app, id } => format!("merged {app} {id}"),
            Event::Deleted { app, cleared: true } => format!("deleted {app}, cleared"),
            Event::Deleted { app, cleared: false } => format!("deleted {app}, of {timestamp}"),
        },
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}
