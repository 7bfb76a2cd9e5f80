//! How the scrape of one target can end: the `outcome` of logs and of `autopgo_scrapes_total`.

use autopgo_core::error::Error;

/// How a scrape ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has the profile.
    Uploaded,
    /// A good profile without a single sample: the target did nothing. It is not uploaded.
    Idle,
    /// The scraper is stopping; the profile was not finished.
    Stopped,
    /// No connection, or it broke.
    Unreachable,
    /// No whole profile within the time.
    Timeout,
    /// An answer that is no profile by its status, or a redirect that is not followed.
    Refused,
    /// Larger than the body limit or a limit of the profile engine.
    TooLarge,
    /// No CPU profile that PGO can use.
    Unusable,
    /// The server did not take it, however often it was tried.
    NotUploaded,
    /// A bug of ours.
    Failed,
}

impl Outcome {
    /// Every one of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Uploaded,
        Self::Idle,
        Self::Stopped,
        Self::Unreachable,
        Self::Timeout,
        Self::Refused,
        Self::TooLarge,
        Self::Unusable,
        Self::NotUploaded,
        Self::Failed,
    ];

    /// Its name in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Unusable => "unusable",
            Self::NotUploaded => "not_uploaded",
            Self::Failed => "failed",
        }
    }

    /// Counts it.
    pub(crate) fn count(self) {
        metrics::counter!("autopgo_scrapes_total", "outcome" => self.name()).increment(1);
    }
}

/// A scrape that did not end well, and why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) error: Error,
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, error: Error) -> Self {
        Self { outcome, error }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use metrics::{
        Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;

    /// Writes down what is counted.
    #[derive(Clone, Default)]
    struct Sheet(Arc<Mutex<Vec<String>>>);

    struct Line(Sheet, String);

    impl CounterFn for Line {
        fn increment(&self, value: u64) {
            self.0.0.lock().expect("sheet").push(format!("{} {value}", self.1));
        }

        fn absolute(&self, _: u64) {
            unreachable!("nothing here is set");
        }
    }

    impl Recorder for Sheet {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(Arc::new(Line(self.clone(), key.to_string())))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn outcomes_are_counted_by_name() {
        let sheet = Sheet::default();
        metrics::with_local_recorder(&sheet, || {
            Outcome::Uploaded.count();
            Outcome::TooLarge.count();
        });
        let lines = sheet.0.lock().expect("sheet").join("\n");
        assert_eq!(
            lines,
            "Key(autopgo_scrapes_total, [outcome = uploaded]) 1\nKey(autopgo_scrapes_total, [outcome = too_large]) 1"
        );
    }
}
