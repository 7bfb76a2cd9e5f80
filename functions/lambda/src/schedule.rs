//! A schedule: the rules of EventBridge and its Scheduler send an event of this shape
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>), unless they are given a constant
//! to send; ours is `{"sweep": true}`.

use autopgo_core::worker::Swept;
use serde_json::{Value, json};

/// Who sends schedules: rules, and (not verified) the Scheduler.
const SOURCES: [&str; 2] = ["aws.events", "aws.scheduler"];

/// Whether this event says that it is time.
pub(crate) fn is_one(event: &Value) -> bool {
    let says = |field: &str| event.get(field).and_then(Value::as_str);
    let scheduled = says("detail-type") == Some("Scheduled Event")
        && says("source").is_some_and(|source| SOURCES.contains(&source));
    scheduled || event.get("sweep") == Some(&Value::Bool(true))
}

/// What a sweep did, for whoever reads the answer.
pub(crate) fn answer(swept: &Swept) -> Value {
    json!({
        "merged": swept.merged,
        "rejected": swept.rejected,
        "agedOut": swept.aged_out,
        "failed": swept.failed,
        "unfinished": swept.unfinished,
    })
}
