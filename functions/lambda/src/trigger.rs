//! What has called the worker: a queue, a stream or a clock, told by the shape of the event.

use autopgo_core::error::{Error, Kind, Result};
use serde_json::Value;

use crate::{kafka, schedule, sqs};

/// What has called, with its messages.
#[derive(Debug)]
pub enum Trigger {
    /// A queue of SQS.
    Queue(sqs::Batch),
    /// A topic of Kafka, by a mapping of MSK or of one's own cluster.
    Stream(kafka::Batch),
    /// A schedule: it is time to sweep.
    Schedule,
}

impl Trigger {
    /// Reads an event.
    ///
    /// # Errors
    /// `Invalid`, naming what does not call this worker, or nothing that is known.
    pub fn read(event: Value) -> Result<Self> {
        if schedule::is_one(&event) {
            return Ok(Self::Schedule);
        }
        let Value::Object(mut event) = event else { return Err(unknown("it is no JSON object")) };
        if let Some(Value::Array(records)) = event.get_mut("Records") {
            return match stranger(records) {
                None => Ok(Self::Queue(sqs::Batch::read(std::mem::take(records)))),
                Some("aws:s3") => {
                    Err(unknown("it is of S3: events come from the bus, and the sweep finds the rest"))
                }
                Some("aws:sns") => Err(unknown("it is of SNS: subscribe a queue of SQS to the topic")),
                Some(other) => Err(unknown(&format!("it is of {other:?}"))),
            };
        }
        let records = event.remove("records");
        match (event.get("eventSource").and_then(Value::as_str), records) {
            (Some(source), Some(Value::Object(records))) if kafka::SOURCES.contains(&source) => {
                Ok(Self::Stream(kafka::Batch::read(records)))
            }
            (Some(source), _) => Err(unknown(&format!("it is of {source:?}"))),
            _ => Err(unknown("it has no records of theirs, and is no schedule's")),
        }
    }
}

/// Who has sent one of these records and is no queue. A record that does not say is a queue's of an odd shape.
fn stranger(records: &[Value]) -> Option<&str> {
    // SNS spells it in its own way.
    let mut sources =
        records.iter().filter_map(|record| record.get("eventSource").or(record.get("EventSource"))?.as_str());
    sources.find(|source| *source != sqs::SOURCE)
}

fn unknown(why: &str) -> Error {
    let what = "the event is none of SQS, of a Kafka mapping, or of a schedule ({\"sweep\": true} is one)";
    Error::new(Kind::Invalid, format!("{what}: {why}"))
}
