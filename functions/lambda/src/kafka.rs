//! A batch of a mapping of Kafka (<https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html>): records by topic and partition, keys and values in
//! base64. Only values are read: headers are signed bytes in one place of the documentation and unsigned ones in another,
//! and nothing of ours is in them.

use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::worker::Outcome;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

/// What an event says that it comes from: a cluster of MSK, or one's own.
pub(crate) const SOURCES: [&str; 2] = ["aws:kafka", "SelfManagedKafka"];

/// The records of an event.
#[derive(Debug)]
pub struct Batch {
    bodies: Vec<Bytes>,
}

impl Batch {
    /// Reads the value of each record. A value that is not in base64 is no event of ours, which the worker says.
    pub(crate) fn read(partitions: Map<String, Value>) -> Self {
        let mut bodies = Vec::new();
        for records in partitions.into_iter().map(|(_, records)| records) {
            let Value::Array(records) = records else {
                bodies.push(Bytes::new());
                continue;
            };
            bodies.extend(records.into_iter().map(
                |mut record| match record.get_mut("value").map(Value::take) {
                    Some(Value::String(text)) => {
                        STANDARD.decode(&text).map_or_else(|_| text.into(), Bytes::from)
                    }
                    _ => Bytes::new(),
                },
            ));
        }
        Self { bodies }
    }

    /// The values, partition by partition.
    pub fn bodies(&self) -> &[Bytes] {
        &self.bodies
    }

    /// Whether all of it is done.
    ///
    /// # Errors
    /// If something is not: the mapping then sends all again. What was done already stays so.
    pub(crate) fn answer(outcomes: &[Outcome]) -> Result<()> {
        let undone = outcomes.iter().filter(|outcome| !outcome.is_done()).count();
        if undone == 0 {
            return Ok(());
        }
        let what = format!("{undone} of {} records could not be handled now", outcomes.len());
        Err(Error::new(Kind::Unavailable, format!("{what}: all of them must come again")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_whatever_else_a_record_has() {
        let partitions = json!({"pgo-0": [
            {"value": "aGk=", "headers": [{"k": [255, -1]}]}, {"value": null}, {}, 7, {"value": "no base64!"},
        ], "pgo-1": "odd"});
        let Value::Object(partitions) = partitions else { panic!("an object") };
        assert_eq!(Batch::read(partitions).bodies(), ["hi", "", "", "", "no base64!", ""]);
    }

    #[test]
    fn all_come_again_if_one_must() {
        let undone = || Outcome::HandBack(Error::new(Kind::Unavailable, "not now"));
        assert!(Batch::answer(&[Outcome::Done]).is_ok());
        let error = Batch::answer(&[Outcome::Done, undone()]).expect_err("one is not done");
        assert!(error.what().starts_with("1 of 2 records"), "{error}");
    }
}
