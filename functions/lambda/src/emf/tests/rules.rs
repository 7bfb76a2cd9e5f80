//! The rules of the Embedded Metric Format, written out once more, for what is flushed to be held to
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use autopgo_core::clock::{Clock as _, System};
use serde_json::{Map, Value};
fn only<'a>(object: &'a Value, members: &[&str]) -> &'a Map<String, Value> {
    let object = object.as_object().expect("an object");
    let named: Vec<&str> = object.keys().map(String::as_str).collect();
    assert!(named.iter().all(|name| members.contains(name)), "{named:?} beside {members:?}");
    object
}

/// The members of the root that are no metadata, of a line that keeps every MUST of the specification.
pub(super) fn by_the_rules(line: &str) -> Map<String, Value> {
    assert!(line.len() <= 256 << 10, "{} bytes", line.len());
    let mut root: Map<String, Value> = serde_json::from_str(line).expect("a JSON object a line");
    let metadata = root.remove("_aws").expect("the metadata");
    let metadata = only(&metadata, &["Timestamp", "CloudWatchMetrics"]);
    let time = metadata["Timestamp"].as_i64().expect("whole milliseconds");
    let off = (System.now().as_millisecond() - time).abs();
    assert!(off < 60_000, "{off} ms off");
    let directives = metadata["CloudWatchMetrics"].as_array().expect("an array");
    let mut targets = Vec::new();
    for directive in directives {
        let directive = only(directive, &["Namespace", "Dimensions", "Metrics"]);
        assert_eq!(directive["Namespace"], "autopgo");
        for set in directive["Dimensions"].as_array().expect("an array of sets") {
            let set = set.as_array().expect("an array of names");
            assert!(set.len() <= 30, "{set:?}");
            for name in set {
                let name = name.as_str().expect("a name");
                let value = root[name].as_str().expect("a dimension's target is text");
                assert!((1..=1024).contains(&value.chars().count()), "{value}");
                targets.push(name.to_owned());
            }
        }
        let metrics = directive["Metrics"].as_array().expect("an array");
        assert!((1..=100).contains(&metrics.len()), "{} metrics", metrics.len());
        for metric in metrics {
            let metric = only(metric, &["Name", "Unit", "StorageResolution"]);
            let name = metric["Name"].as_str().expect("a name");
            if let Some(unit) = metric.get("Unit") {
                let known =
                    ["Seconds", "Milliseconds", "Microseconds", "Bytes", "Percent", "Count", "Count/Second"];
                assert!(known.contains(&unit.as_str().expect("a name")), "{unit}");
            }
            match &root[name] {
                Value::Number(_) => {}
                Value::Array(values) => {
                    assert!((1..=100).contains(&values.len()), "{} values", values.len());
                    assert!(values.iter().all(Value::is_number), "{values:?}");
                }
                other => panic!("{name} is {other}"),
            }
            assert!(!targets.contains(&name.to_owned()), "{name} twice");
            targets.push(name.to_owned());
        }
    }
    let mut members: Vec<String> = root.keys().cloned().collect();
    members.sort();
    targets.sort();
    assert_eq!(members, targets, "nothing is there that is no target");
    root
}

pub(super) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}
