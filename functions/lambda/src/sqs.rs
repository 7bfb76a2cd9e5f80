//! A batch of a queue of SQS, and the answer that names what of it did not work
//! (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use std::collections::HashSet;

use autopgo_boot::aws::body;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::worker::Outcome;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use bytes::Bytes;
use serde_json::Value;

/// What a record of a queue says that it comes from.
pub(crate) const SOURCE: &str = "aws:sqs";

/// The messages of an event.
#[derive(Debug)]
pub struct Batch {
    records: Vec<Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// What the answer calls it.
    id: Option<String>,
    /// Of which group it is, if the order within groups is kept.
    group: Option<String>,
    /// Its body, if there is one in it.
    body: Option<Bytes>,
}

impl Batch {
    /// Reads each record by itself: one of an odd shape takes no other with it.
    pub(crate) fn read(records: Vec<Value>) -> Self {
        Self { records: records.into_iter().map(Record::read).collect() }
    }

    /// The bodies that could be read, in order.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.records.iter().filter_map(|record| record.body.clone()).collect()
    }

    /// Names what must come again, by what became of each of [`Batch::bodies`]. On a FIFO queue that is a message that
    /// was handed back and all behind it in its group; the other groups go on.
    ///
    /// # Errors
    /// If one of these cannot be named: then all must come again.
    pub(crate) fn answer(self, outcomes: &[Outcome]) -> Result<SqsBatchResponse> {
        let mut outcomes = outcomes.iter();
        let mut held = HashSet::new();
        let mut response = SqsBatchResponse::default();
        let (all, mut nameless) = (self.records.len(), 0);
        for Record { id, group, body } in self.records {
            let done = body.is_some() && outcomes.next().is_some_and(Outcome::is_done);
            if done && !group.as_ref().is_some_and(|group| held.contains(group)) {
                continue;
            }
            held.extend(group);
            match id {
                Some(id) => response.add_failure(id),
                None => nameless += 1,
            }
        }
        if nameless == 0 {
            return Ok(response);
        }
        let what = format!("{nameless} of {all} messages could not be handled now and have no messageId");
        Err(Error::new(Kind::Internal, format!("{what}: all of them must come again")))
    }
}

impl Record {
    fn read(record: Value) -> Self {
        let id = record.get("messageId").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.map(str::to_owned);
        match serde_json::from_value::<SqsMessage>(record) {
            Ok(message) => Self::of(message),
            Err(error) => {
                tracing::error!(message.id = id, error = %error, "a message of a shape that is not known is handed back");
                Self { id, ..Self::default() }
            }
        }
    }

    fn of(message: SqsMessage) -> Self {
        let SqsMessage { message_id, body, mut attributes, message_attributes, event_source_arn, .. } =
            message;
        let id = message_id.filter(|id| !id.is_empty());
        let fifo = event_source_arn.is_some_and(|arn| arn.ends_with(".fifo"));
        // Without a group, which no FIFO queue has, nothing goes ahead of anything.
        let group = fifo.then(|| attributes.remove("MessageGroupId").unwrap_or_default());
        if body.is_none() {
            tracing::error!(message.id = id, "a message without a body is handed back");
        }
        let names: Vec<&str> = message_attributes.keys().map(String::as_str).collect();
        let body = body.map(|body| body::decode(body, &names, false));
        Self { id, group, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(id: &str, group: Option<&str>) -> Value {
        let arn = if group.is_some() { "arn:aws:sqs:r:1:q.fifo" } else { "arn:aws:sqs:r:1:q" };
        json!({"messageId": id, "body": id, "attributes": {"MessageGroupId": group.unwrap_or("a")},
            "messageAttributes": {}, "eventSource": SOURCE, "eventSourceARN": arn})
    }

    fn outcome(done: bool) -> Outcome {
        if done { Outcome::Done } else { Outcome::HandBack(Error::new(Kind::Unavailable, "not now")) }
    }

    fn answered(records: Vec<Value>, done: &[bool]) -> Result<Vec<String>> {
        let outcomes: Vec<Outcome> = done.iter().map(|done| outcome(*done)).collect();
        let response = Batch::read(records).answer(&outcomes)?;
        Ok(response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect())
    }

    #[test]
    fn only_what_was_handed_back_comes_again() {
        let records = ["1", "2", "3"].map(|id| record(id, None)).to_vec();
        assert_eq!(answered(records.clone(), &[true, true, true]).expect("named"), [""; 0]);
        assert_eq!(answered(records.clone(), &[true, false, true]).expect("named"), ["2"]);
        assert_eq!(answered(records, &[false, false, false]).expect("named"), ["1", "2", "3"]);
        assert_eq!(answered(Vec::new(), &[]).expect("nothing"), [""; 0]);
    }

    #[test]
    fn nothing_of_a_group_goes_ahead_of_what_was_handed_back() {
        let groups = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b"), ("5", "a")];
        let records: Vec<Value> = groups.iter().map(|(id, group)| record(id, Some(group))).collect();
        assert_eq!(answered(records.clone(), &[true; 5]).expect("named"), [""; 0]);
        assert_eq!(answered(records.clone(), &[true, true, false, true, true]).expect("named"), ["3", "5"]);
        assert_eq!(answered(records, &[true, false, true, true, false]).expect("named"), ["2", "4", "5"]);
        let mut records = ["1", "2", "3"].map(|id| record(id, Some("a"))).to_vec();
        for record in &mut records {
            record["attributes"] = Value::Null;
        }
        assert_eq!(answered(records, &[true, false, true]).expect("named"), ["2", "3"]);
    }

    #[test]
    fn a_record_of_an_odd_shape_comes_again_alone_or_takes_all_along() {
        let odd = |record: &mut Value| record["messageAttributes"] = json!([1]);
        let mut records = ["1", "2", "3"].map(|id| record(id, None)).to_vec();
        odd(&mut records[1]);
        assert_eq!(Batch::read(records.clone()).bodies(), ["1", "3"]);
        assert_eq!(answered(records.clone(), &[true, true]).expect("named"), ["2"]);
        records[2]["body"] = Value::Null;
        assert_eq!(answered(records.clone(), &[true]).expect("named"), ["2", "3"]);
        for nameless in [json!(7), json!({}), json!({"messageId": 7}), json!({"messageId": "", "body": 1})] {
            records[1] = nameless;
            let error = answered(records.clone(), &[true]).expect_err("nobody knows which");
            assert!(error.what().starts_with("1 of 3 messages"), "{error}");
        }
        // What is done need not be named.
        records = vec![json!({"body": "1"}), record("2", None)];
        assert_eq!(answered(records.clone(), &[true, false]).expect("named"), ["2"]);
        assert!(answered(records, &[false, true]).is_err());
    }
}
