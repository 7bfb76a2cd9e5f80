//! What a server and a worker count, with its unit and its meaning, for whoever keeps it in this process.
//!
//! Every outcome is there from the start, as nought: so the first failure of its kind is a rise that an alert sees, and
//! not a series that was never there before.

use metrics::Unit;

const OUTCOME: &str = "outcome";
const EVENT: &str = "event";

/// What [`crate::server`] counts.
pub(crate) fn of_server() {
    counter(
        "autopgo_uploads_total",
        "Uploads: staged, which is durable; refused, for what they are; or failed, for what the store is",
        OUTCOME,
        &["staged", "refused", "failed"],
    );
    histogram("autopgo_upload_seconds", "How long uploads took from their last byte until they were staged");
    unpublished(&["profile.uploaded", "profile.deleted"]);
}

/// What [`crate::worker`] counts.
pub(crate) fn of_worker() {
    counter(
        "autopgo_messages_total",
        "Messages: done; handed back to be delivered again; of an unknown type; dropped, for they are no envelopes; or lost, for they were held too long and went to another worker",
        OUTCOME,
        &["done", "handed_back", "unknown", "dropped", "lost"],
    );
    counter(
        "autopgo_merges_total",
        "Uploads merged, and merges that failed, or gave up after they lost too many races",
        OUTCOME,
        &["merged", "failed", "gave_up"],
    );
    histogram(
        "autopgo_merge_seconds",
        "How long merges took, from reading the base profile to telling of it",
    );
    counter(
        "autopgo_conflicts_total",
        "Writes of a base profile that somebody else was ahead of (lost), or that were not answered (unknown), and were begun again",
        OUTCOME,
        &["lost", "unknown"],
    );
    counter("autopgo_rejected_total", "Uploads that were set aside", OUTCOME, &["rejected"]);
    counter(
        "autopgo_swept_total",
        "What sweeps did: uploads merged that no message had told of in time, or rejected; old objects that were aged out; and what failed",
        OUTCOME,
        &["merged", "rejected", "aged_out", "failed"],
    );
    metrics::describe_gauge!(
        "autopgo_staged_oldest_seconds",
        Unit::Seconds,
        "The age of the oldest upload that was staged and not merged when the store was last swept; 0 if there was none"
    );
    unpublished(&["profile.merged"]);
}

fn unpublished(events: &[&'static str]) {
    let help = "Events that the bus did not take; the sweep finds what they stand for";
    counter("autopgo_unpublished_total", help, EVENT, events);
}

fn counter(name: &'static str, help: &'static str, label: &'static str, values: &[&'static str]) {
    metrics::describe_counter!(name, Unit::Count, help);
    for value in values {
        metrics::counter!(name, label => *value).increment(0);
    }
}

fn histogram(name: &'static str, help: &'static str) {
    metrics::describe_histogram!(name, Unit::Seconds, help);
    drop(metrics::histogram!(name));
}
