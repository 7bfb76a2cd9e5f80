//! A line of the log in CloudWatch's Embedded Metric Format, within its limits.
//!
//! The [specification] allows a directive 100 metrics, a metric 100 values, a set of dimensions 30 of them of 1,024
//! characters each, and a line 1 MB (256 KB for a long time). Ours has one dimension and some twenty metrics; full of
//! values, a line has some 50 KB.
//!
//! [specification]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use metrics::Unit;
use serde_json::{Map, Number, Value, json};

use super::OUTCOME;

const NAMESPACE: &str = "autopgo";
/// How many metrics a directive may have, and how many values a metric.
const METRICS: usize = 100;
const VALUES: usize = 100;
/// How many characters a dimension's value may have.
const DIMENSION: usize = 1024;

/// A metric that has something new.
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) unit: Option<Unit>,
    pub(super) values: Vec<Number>,
}

/// A line: metrics of one outcome, or of none.
pub(super) struct Line {
    outcome: Option<String>,
    metrics: Vec<Metric>,
}

impl Line {
    /// As many lines as `metrics` need.
    pub(super) fn of(outcome: Option<&str>, mut metrics: Vec<Metric>) -> Vec<Self> {
        let outcome: Option<String> = outcome.map(|outcome| outcome.chars().take(DIMENSION).collect());
        let mut lines = Vec::new();
        while !metrics.is_empty() {
            // The first values of each; a name may be only once in a line.
            let mut rest = Vec::new();
            for metric in &mut metrics {
                let values = metric.values.split_off(metric.values.len().min(VALUES));
                if !values.is_empty() {
                    rest.push(Metric { name: metric.name.clone(), unit: metric.unit, values });
                }
            }
            while !metrics.is_empty() {
                let more = metrics.split_off(metrics.len().min(METRICS));
                lines.push(Self { outcome: outcome.clone(), metrics });
                metrics = more;
            }
            metrics = rest;
        }
        lines
    }

    /// The line at `time`, in milliseconds since 1970, without its end.
    pub(super) fn render(self, time: i64) -> String {
        let dimensions: Vec<&str> = self.outcome.iter().map(|_| OUTCOME).collect();
        let definitions: Vec<Value> = self.metrics.iter().map(definition).collect();
        let mut root = Map::new();
        root.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": time,
                "CloudWatchMetrics": [
                    {"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": definitions}
                ],
            }),
        );
        if let Some(outcome) = self.outcome {
            root.insert(OUTCOME.to_owned(), outcome.into());
        }
        for Metric { name, mut values, .. } in self.metrics {
            let only = if values.len() == 1 { values.pop() } else { None };
            root.insert(name, only.map_or_else(|| values.into(), Value::Number));
        }
        Value::Object(root).to_string()
    }
}

fn definition(metric: &Metric) -> Value {
    match metric.unit.and_then(unit) {
        Some(unit) => json!({"Name": metric.name, "Unit": unit}),
        None => json!({"Name": metric.name}),
    }
}

/// The name of a unit in CloudWatch's [`MetricDatum`], if it has it: its kilobytes are of 1,000 bytes.
///
/// [`MetricDatum`]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
fn unit(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Count => Some("Count"),
        Unit::Percent => Some("Percent"),
        Unit::Seconds => Some("Seconds"),
        Unit::Milliseconds => Some("Milliseconds"),
        Unit::Microseconds => Some("Microseconds"),
        Unit::Bytes => Some("Bytes"),
        Unit::CountPerSecond => Some("Count/Second"),
        _ => None,
    }
}
