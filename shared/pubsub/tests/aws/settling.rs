//! Calls that succeed, with entries that do not.

use std::collections::BTreeSet;
use std::sync::Mutex;

use autopgo_core::error::{Error, Kind};
use autopgo_core::port::bus::Delivery;
use autopgo_pubsub::open::subscription;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::canned;
use crate::rig::{access, address, environment};

/// The receipts of a call.
fn receipts(body: &str) -> Vec<String> {
    let call: Value = serde_json::from_str(body).expect("JSON");
    let entries = call["Entries"].as_array().expect("entries").iter();
    entries.map(|entry| entry["ReceiptHandle"].as_str().expect("a receipt").to_owned()).collect()
}

/// Fails those that are called `once` the first time, and those that are called `always`, on its own side; those that are
/// called `wrong` on the sender's.
fn failing() -> impl Fn(&str) -> (u16, String) + Send + Sync {
    let seen = Mutex::new(BTreeSet::new());
    move |body| {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (index, receipt) in receipts(body).into_iter().enumerate() {
            let first = seen.lock().expect("nobody panics").insert(receipt.clone());
            let (code, sender_fault) = match receipt.as_str() {
                "once" if first => ("InternalError", false),
                "always" => ("ServiceUnavailable", false),
                "wrong" => ("InvalidAttributeValue", true),
                _ => {
                    successful.push(json!({"Id": index.to_string()}));
                    continue;
                }
            };
            failed.push(
                json!({"Id": index.to_string(), "Code": code, "SenderFault": sender_fault, "Message": "words"}),
            );
        }
        (200, json!({"Successful": successful, "Failed": failed}).to_string())
    }
}

#[tokio::test]
async fn an_entry_that_fails_on_the_queue_s_side_is_sent_again() {
    let Some(_) = address() else { return };
    for handing_back in [false, true] {
        let (server, seen) = canned::server(failing()).await;
        let url = format!("awssqs://sqs.eu-west-1.amazonaws.com/1/pgo.fifo?{}", access(server));
        let queue = subscription(&url, &environment()).await.expect("a subscription");
        let deliveries = ["good", "once", "always", "wrong"]
            .map(|receipt| Delivery { body: "{}".into(), receipt: receipt.to_owned() });
        let settled = join_all(deliveries.iter().map(|delivery| async {
            if handing_back { queue.nack(delivery).await } else { queue.ack(delivery).await }
        }))
        .await;
        let kinds: Vec<Option<Kind>> =
            settled.iter().map(|settled| settled.as_ref().err().map(Error::kind)).collect();
        assert_eq!(kinds, [None, None, Some(Kind::Unavailable), Some(Kind::Invalid)], "{settled:?}");
        let calls: Vec<Vec<String>> = seen.all().iter().map(|body| receipts(body)).collect();
        let expected: [&[&str]; 3] = [&["good", "once", "always", "wrong"], &["once", "always"], &["always"]];
        assert_eq!(calls, expected);
    }
}
