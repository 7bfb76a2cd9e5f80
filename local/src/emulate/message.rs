//! A message as a trigger tells of it: with an id that it keeps when it comes again, and how often it has come.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use autopgo_core::event::{Decoded, Envelope};
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

/// Of how many that were handed back it is known what they were: the oldest knowledge is given up first, and such a
/// message then passes for a new one.
const REMEMBERED: usize = 10_000;

/// A message as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The same each time it comes.
    pub(crate) id: Uuid,
    /// What was published.
    pub(crate) body: Bytes,
    /// 1 the first time.
    pub(crate) attempt: u32,
    /// When it first came.
    pub(crate) first: Timestamp,
}

impl Message {
    /// The ordering key that it was published with, as far as its body tells: ports do not hand it on.
    #[cfg_attr(
        not(any(feature = "azure", feature = "gcp")),
        allow(dead_code, reason = "a queue of SQS that is not FIFO has none")
    )]
    pub(crate) fn key(&self) -> Option<String> {
        match Envelope::decode(&self.body) {
            Ok(Decoded::Known(envelope)) => Some(envelope.event.app().to_string()),
            Ok(Decoded::Unknown { .. }) | Err(_) => None,
        }
    }
}

/// What was handed back: ports say neither that a message has come before nor how often.
#[derive(Default)]
pub(super) struct Memory(Mutex<BTreeMap<Bytes, (Uuid, u32, Timestamp)>>);

impl Memory {
    /// What comes with this body, now. Of two with the same body, one is taken for what was handed back.
    pub(super) fn take(&self, body: Bytes, now: Timestamp) -> Message {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&body);
        // Version 7 sorts by time, which makes a log easier to read.
        let (id, attempts, first) = known.unwrap_or_else(|| (Uuid::now_v7(), 0, now));
        Message { id, body, attempt: attempts.saturating_add(1), first }
    }

    /// This one was handed back.
    pub(super) fn handed_back(&self, message: Message) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(message.body, (message.id, message.attempt, message.first));
        if known.len() > REMEMBERED {
            let oldest = known.iter().min_by_key(|(_, (_, _, first))| *first);
            if let Some(body) = oldest.map(|(body, _)| body.clone()) {
                known.remove(&body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_again_is_the_same_and_counts() {
        let (memory, body) = (Memory::default(), Bytes::from("hello"));
        let start = Timestamp::UNIX_EPOCH;
        let first = memory.take(body.clone(), start);
        assert_eq!((first.attempt, first.first), (1, start));
        memory.handed_back(first.clone());
        let again = memory.take(body.clone(), start + jiff::Span::new().seconds(5));
        assert_eq!(again, Message { attempt: 2, ..first.clone() });
        let other = memory.take(body, start);
        assert_eq!(other.attempt, 1);
        assert_ne!(other.id, first.id, "it was taken already");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let memory = Memory::default();
        for number in 0..=REMEMBERED {
            let first = Timestamp::from_second(number as i64).expect("a time");
            memory.handed_back(memory.take(Bytes::from(number.to_string()), first));
        }
        assert_eq!(memory.take("0".into(), Timestamp::MAX).attempt, 1, "forgotten");
        assert_eq!(memory.take("1".into(), Timestamp::MAX).attempt, 2);
    }

    #[test]
    fn its_key_is_its_application() {
        let memory = Memory::default();
        let body = r#"{"id":"1","timestamp":"2025-01-02T03:04:05Z","type":"profile.deleted","payload":{"app":"hello"}}"#;
        assert_eq!(memory.take(body.into(), Timestamp::MAX).key().as_deref(), Some("hello"));
        assert_eq!(memory.take("hello".into(), Timestamp::MAX).key(), None);
    }
}
