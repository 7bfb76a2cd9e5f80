//! What the scraper counts beside its outcomes, and what all of it means, for whoever keeps it in this process.

use metrics::Unit;

use crate::outcome::Outcome;

/// Says what is counted. Every outcome is there from the start, as nought, so that an alert sees its first time rise.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "autopgo_scrapes_total",
        Unit::Count,
        "Scrapes of targets by how they ended: uploaded and idle are well, the others are not"
    );
    for outcome in Outcome::ALL {
        metrics::counter!("autopgo_scrapes_total", "outcome" => outcome.name()).increment(0);
    }
    metrics::describe_counter!(
        "autopgo_rounds_total",
        Unit::Count,
        "Rounds of scraping: begun, or skipped, for as many targets as the sample size were still in hand"
    );
    for outcome in ["begun", "skipped"] {
        metrics::counter!("autopgo_rounds_total", "outcome" => outcome).increment(0);
    }
    metrics::describe_gauge!("autopgo_targets", Unit::Count, "Targets that are known now");
    metrics::gauge!("autopgo_targets").set(0.0);
}

/// A round came: whether any target could be begun.
pub(crate) fn round(begun: bool) {
    let outcome = if begun { "begun" } else { "skipped" };
    metrics::counter!("autopgo_rounds_total", "outcome" => outcome).increment(1);
}

/// So many targets are known.
pub(crate) fn targets(known: usize) {
    metrics::gauge!("autopgo_targets").set(known as f64);
}
