//! On the bus in memory, with a platform that says what it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autopgo_core::clock::System;
use autopgo_core::error::Result;
use autopgo_core::memory::bus::MemoryBus;
use autopgo_core::port::bus::{Message as Published, Topic};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use super::*;
use crate::emulate::message::Message;
use crate::emulate::schedule::Tick;

const SECOND: Duration = Duration::from_secs(1);

/// What becomes of a call: whether each of its messages, by body and attempt, is done; or nothing that is an answer.
type Says = fn(&str, u32) -> Option<bool>;

/// Says what `says` does, after `takes`, and writes down what came.
struct Platform {
    says: Says,
    takes: Duration,
    trigger: Trigger,
    came: Mutex<Vec<Message>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Platform {
    fn new(says: Says, takes: Duration, batch: usize, at_once: usize) -> Self {
        let (came, now, most) = Default::default();
        let trigger = Trigger { batch, at_once };
        Self { says, takes, trigger, came, at_once: now, most_at_once: most }
    }

    fn came(&self) -> Vec<Message> {
        self.came.lock().expect("what came").clone()
    }

    /// How often each body came.
    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for message in self.came() {
            *times.entry(String::from_utf8_lossy(&message.body).into_owned()).or_default() += 1;
        }
        times
    }
}

#[async_trait]
impl crate::emulate::platform::Platform for Platform {
    async fn request(&self, _: Request) -> Response {
        ().into_response()
    }

    fn trigger(&self) -> Trigger {
        self.trigger
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<bool>> {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.came.lock().expect("what came").extend_from_slice(messages);
        tokio::time::sleep(self.takes).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let says = |message: &Message| (self.says)(&String::from_utf8_lossy(&message.body), message.attempt);
        let done: Option<Vec<bool>> = messages.iter().map(says).collect();
        done.ok_or_else(|| Error::new(Kind::Internal, "the function failed"))
    }

    async fn tick(&self, _: Tick) -> Result<()> {
        Ok(())
    }
}

/// A bus whose messages come back after `hold`, with these in it.
async fn bus(hold: Duration, bodies: &[&'static str]) -> Arc<MemoryBus> {
    let bus = Arc::new(MemoryBus::new(Arc::new(System), hold));
    for body in bodies {
        let message = Published { body: (*body).into(), key: String::new() };
        bus.publish(message).await.expect("published");
    }
    bus
}

/// Feeds until `enough`, and then until the end.
async fn fed(platform: &Platform, bus: &MemoryBus, drain: Duration, enough: impl Fn(&Platform) -> bool) {
    let stop = CancellationToken::new();
    let stopping = async {
        let start = tokio::time::Instant::now();
        while !enough(platform) {
            assert!(start.elapsed() < 20 * SECOND, "{:?}", platform.came());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    tokio::join!(feed(platform, bus, &System, drain, stop.clone()), stopping);
}

/// What is left on a bus.
async fn left(bus: &MemoryBus) -> usize {
    let received = tokio::time::timeout(Duration::from_millis(700), Subscription::receive(bus, 100)).await;
    received.map_or(0, |received| received.expect("a bus in memory").len())
}

#[tokio::test]
async fn what_the_answer_names_comes_again_and_the_rest_does_not() {
    let platform = Platform::new(|body, attempt| Some(body != "b" || attempt > 2), Duration::ZERO, 10, 5);
    let bus = bus(60 * SECOND, &["a", "b", "c"]).await;
    fed(&platform, &bus, SECOND, |platform| platform.came().len() >= 5).await;
    assert_eq!(platform.times(), BTreeMap::from([("a".into(), 1), ("b".into(), 3), ("c".into(), 1)]));
    let again: Vec<Message> = platform.came().into_iter().filter(|message| message.body == "b").collect();
    assert_eq!(again.iter().map(|message| message.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(again.iter().all(|message| message.id == again[0].id), "{again:?}");
    assert_eq!(left(&bus).await, 0);
}

#[tokio::test]
async fn a_call_that_fails_has_all_of_it_come_again() {
    let platform =
        Platform::new(|_, attempt| if attempt > 1 { Some(true) } else { None }, Duration::ZERO, 10, 5);
    let bus = bus(60 * SECOND, &["a", "b"]).await;
    fed(&platform, &bus, SECOND, |platform| platform.came().len() >= 4).await;
    assert_eq!(platform.times(), BTreeMap::from([("a".into(), 2), ("b".into(), 2)]));
    assert_eq!(left(&bus).await, 0);
}

#[tokio::test]
async fn what_takes_longer_than_the_bus_waits_comes_once() {
    let platform = Platform::new(|_, _| Some(true), 2 * SECOND, 1, 2);
    let bus = bus(SECOND / 2, &["a", "b"]).await;
    fed(&platform, &bus, 5 * SECOND, |platform| platform.came().len() >= 2).await;
    assert_eq!(platform.times(), BTreeMap::from([("a".into(), 1), ("b".into(), 1)]));
    assert_eq!(left(&bus).await, 0);
}

#[tokio::test]
async fn no_more_calls_at_once_than_the_trigger_has() {
    let platform = Platform::new(|_, _| Some(true), Duration::from_millis(20), 1, 3);
    let bus = bus(60 * SECOND, &["x"; 20]).await;
    fed(&platform, &bus, SECOND, |platform| platform.came().len() >= 20).await;
    assert_eq!(platform.most_at_once.load(Ordering::SeqCst), 3);
    assert_eq!(left(&bus).await, 0);
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_finished_or_handed_back() {
    let platform = Platform::new(|_, _| Some(true), SECOND / 2, 10, 1);
    let quick = bus(60 * SECOND, &["a"]).await;
    fed(&platform, &quick, 5 * SECOND, |platform| !platform.came().is_empty()).await;
    assert_eq!(left(&quick).await, 0, "it was finished");
    let platform = Platform::new(|_, _| Some(true), 60 * SECOND, 10, 1);
    let slow = bus(60 * SECOND, &["a", "b"]).await;
    fed(&platform, &slow, SECOND / 10, |platform| !platform.came().is_empty()).await;
    assert_eq!(left(&slow).await, 2, "it was handed back");
}
