//! What is flushed, line by line, against the rules of the specification written out once more.

mod rules;

use metrics::{Unit, counter, describe_counter, describe_histogram, gauge, histogram, with_local_recorder};
use serde_json::{Map, Value, json};

use super::*;
use rules::{by_the_rules, object};

/// Does `count` under a recorder and gives what is flushed then.
fn after(recorder: &Recorder, count: impl FnOnce()) -> Vec<Map<String, Value>> {
    with_local_recorder(recorder, count);
    flushed(recorder)
}

/// What is flushed, every line of it by the rules.
fn flushed(recorder: &Recorder) -> Vec<Map<String, Value>> {
    let mut out = Vec::new();
    recorder.flush(&mut out).expect("a vector takes all");
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(by_the_rules).collect()
}

#[test]
fn a_counter_is_told_by_what_is_new_and_nothing_new_is_no_line() {
    let recorder = Recorder::default();
    let upload = || counter!("autopgo_uploads_total", "outcome" => "staged").increment(1);
    assert!(after(&recorder, || drop(counter!("autopgo_merges_total", "outcome" => "merged"))).is_empty());
    let lines = after(&recorder, || (0..3).for_each(|_| upload()));
    assert_eq!(lines, [object(&json!({"outcome": "staged", "autopgo_uploads_total": 3}))]);
    assert!(flushed(&recorder).is_empty());
    let lines = after(&recorder, upload);
    assert_eq!(lines, [object(&json!({"outcome": "staged", "autopgo_uploads_total": 1}))]);
}

#[test]
fn each_outcome_is_a_line_and_other_labels_are_added_up() {
    let recorder = Recorder::default();
    let lines = after(&recorder, || {
        counter!("autopgo_uploads_total", "outcome" => "failed").increment(1);
        counter!("autopgo_merges_total", "outcome" => "failed").increment(2);
        counter!("autopgo_uploads_total", "outcome" => "staged").increment(3);
        for status in ["200", "201"] {
            counter!("autopgo_requests_total", "route" => "/x", "status" => status).increment(2);
        }
        histogram!("autopgo_request_seconds", "route" => "/x").record(0.5);
        histogram!("autopgo_request_seconds", "route" => "/y").record(1.5);
    });
    assert_eq!(
        lines,
        [
            object(&json!({"autopgo_requests_total": 4, "autopgo_request_seconds": [0.5, 1.5]})),
            object(&json!({"outcome": "failed", "autopgo_uploads_total": 1, "autopgo_merges_total": 2})),
            object(&json!({"outcome": "staged", "autopgo_uploads_total": 3})),
        ]
    );
}

#[test]
fn many_values_are_several_lines_and_lose_none() {
    let recorder = Recorder::default();
    let lines = after(&recorder, || {
        (0..250).for_each(|n| histogram!("autopgo_merge_seconds").record(f64::from(n)));
        histogram!("autopgo_upload_seconds").record(7.0);
    });
    let lengths: Vec<_> =
        lines.iter().map(|line| line["autopgo_merge_seconds"].as_array().map(Vec::len)).collect();
    assert_eq!(lengths, [Some(100), Some(100), Some(50)]);
    let uploads: Vec<_> = lines.iter().filter_map(|line| line.get("autopgo_upload_seconds")).collect();
    assert_eq!(uploads, [&json!(7.0)]);
    let all: Vec<f64> = lines
        .iter()
        .flat_map(|line| line["autopgo_merge_seconds"].as_array().expect("values").clone())
        .filter_map(|value| value.as_f64())
        .collect();
    assert_eq!(all, (0..250).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn more_metrics_than_a_directive_may_have_are_several_lines() {
    let recorder = Recorder::default();
    let lines = after(&recorder, || (0..250).for_each(|n| counter!(format!("metric_{n}")).increment(1)));
    assert_eq!(lines.iter().map(Map::len).collect::<Vec<_>>(), [100, 100, 50]);
}

#[test]
fn a_gauge_is_told_when_it_was_set() {
    let recorder = Recorder::default();
    let lines = after(&recorder, || gauge!("autopgo_staged_oldest_seconds").set(12.5));
    assert_eq!(lines, [object(&json!({"autopgo_staged_oldest_seconds": 12.5}))]);
    assert!(flushed(&recorder).is_empty(), "it is news no more");
    let lines = after(&recorder, || {
        gauge!("autopgo_staged_oldest_seconds").increment(1.0);
        gauge!("autopgo_staged_oldest_seconds").decrement(3.5);
    });
    assert_eq!(lines, [object(&json!({"autopgo_staged_oldest_seconds": 10.0}))]);
}

#[test]
fn what_is_no_number_or_of_two_kinds_is_left_out() {
    let recorder = Recorder::default();
    let lines = after(&recorder, || {
        histogram!("autopgo_merge_seconds").record(f64::NAN);
        gauge!("autopgo_staged_oldest_seconds").set(f64::INFINITY);
        counter!("autopgo_uploads_total").increment(1);
        gauge!("autopgo_uploads_total").set(5.0);
        histogram!("autopgo_uploads_total").record(5.0);
    });
    assert_eq!(lines, [object(&json!({"autopgo_uploads_total": 1}))]);
}

#[test]
fn an_endless_outcome_is_cut() {
    let recorder = Recorder::default();
    let lines = after(&recorder, || counter!("x", "outcome" => "\u{e9}\"\n".repeat(1000)).increment(1));
    assert_eq!(lines[0]["outcome"].as_str().map(|text| text.chars().count()), Some(1024));
}

#[test]
fn units_are_those_that_were_described() {
    let recorder = Recorder::default();
    with_local_recorder(&recorder, || {
        describe_counter!("autopgo_uploads_total", Unit::Count, "uploads");
        describe_histogram!("autopgo_upload_seconds", Unit::Seconds, "how long");
        counter!("autopgo_uploads_total").increment(1);
        histogram!("autopgo_upload_seconds").record(1.0);
        counter!("autopgo_other_total").increment(1);
    });
    let mut out = Vec::new();
    recorder.flush(&mut out).expect("a vector takes all");
    let line: Value = serde_json::from_slice(&out).expect("a line");
    let definitions = json!([
        {"Name": "autopgo_other_total"},
        {"Name": "autopgo_upload_seconds", "Unit": "Seconds"},
        {"Name": "autopgo_uploads_total", "Unit": "Count"},
    ]);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], definitions);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[]]));
}

#[test]
fn what_is_counted_while_it_is_flushed_is_told_once() {
    let recorder = Recorder::default();
    let mut told = 0;
    std::thread::scope(|scope| {
        let counting: Vec<_> = (0..4)
            .map(|_| {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    with_local_recorder(&recorder, || (0..10_000).for_each(|_| counter!("x").increment(1)));
                })
            })
            .collect();
        let sum = |lines: Vec<Map<String, Value>>| -> u64 {
            lines.iter().filter_map(|line| line["x"].as_u64()).sum()
        };
        while counting.iter().any(|thread| !thread.is_finished()) {
            told += sum(flushed(&recorder));
        }
        told += sum(flushed(&recorder));
    });
    assert_eq!(told, 40_000);
}

#[test]
fn a_recorder_is_installed_once_and_given_again() {
    let first = Recorder::install().expect("there is no other");
    let second = Recorder::install().expect("it is the same");
    counter!("autopgo_uploads_total", "outcome" => "staged").increment(1);
    assert_eq!(flushed(&second).len(), 1);
    assert!(flushed(&first).is_empty());
}

#[test]
fn a_log_that_takes_nothing_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let recorder = Recorder::default();
    with_local_recorder(&recorder, || counter!("x").increment(1));
    assert!(recorder.flush(&mut Full).is_err());
    assert!(flushed(&recorder).is_empty(), "it may have been told in part");
}
