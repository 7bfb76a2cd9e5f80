//! What is kept of one metric between two flushes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, GaugeFn, Histogram, HistogramFn};
use serde_json::Number;

use super::locked;

/// How many values of a histogram are kept. An invocation makes a few; what comes after so many, in a process that never
/// flushes, is left out.
const VALUES: usize = 10_000;

/// What is kept of one metric.
pub(super) enum Cell {
    /// How far it has counted, and how much of that was told.
    Counter { count: Arc<AtomicU64>, told: u64 },
    /// Its value.
    Gauge(Arc<Level>),
    /// Its values since the last flush.
    Histogram(Arc<Values>),
}

impl Cell {
    pub(super) fn counter() -> Self {
        Self::Counter { count: Arc::default(), told: 0 }
    }

    pub(super) fn gauge() -> Self {
        Self::Gauge(Arc::default())
    }

    pub(super) fn histogram() -> Self {
        Self::Histogram(Arc::default())
    }

    pub(super) fn as_counter(&self) -> Option<Counter> {
        match self {
            Self::Counter { count, .. } => Some(Counter::from_arc(Arc::clone(count))),
            Self::Gauge(_) | Self::Histogram(_) => None,
        }
    }

    pub(super) fn as_gauge(&self) -> Option<Gauge> {
        match self {
            Self::Gauge(level) => Some(Gauge::from_arc(Arc::clone(level))),
            Self::Counter { .. } | Self::Histogram(_) => None,
        }
    }

    pub(super) fn as_histogram(&self) -> Option<Histogram> {
        match self {
            Self::Histogram(values) => Some(Histogram::from_arc(Arc::clone(values))),
            Self::Counter { .. } | Self::Gauge(_) => None,
        }
    }

    /// What is new, which from now on is not. JSON has no number for what is none.
    pub(super) fn take(&mut self) -> Vec<Number> {
        match self {
            Self::Counter { count, told } => {
                let now = count.load(Ordering::Acquire);
                let new = now.wrapping_sub(*told);
                *told = now;
                (new > 0).then(|| new.into()).into_iter().collect()
            }
            Self::Gauge(level) => {
                let mut level = locked(&level.0);
                let set = std::mem::take(&mut level.set);
                Number::from_f64(level.value).filter(|_| set).into_iter().collect()
            }
            Self::Histogram(values) => {
                let values = std::mem::take(&mut *locked(&values.0));
                values.into_iter().filter_map(Number::from_f64).collect()
            }
        }
    }
}

/// The value of a gauge.
#[derive(Default)]
pub(super) struct Level(Mutex<State>);

#[derive(Default)]
struct State {
    value: f64,
    /// Whether it was set since it was last told: what an invocation did not look at, it does not tell.
    set: bool,
}

impl Level {
    fn change(&self, to: impl FnOnce(f64) -> f64) {
        let mut state = locked(&self.0);
        *state = State { value: to(state.value), set: true };
    }
}

impl GaugeFn for Level {
    fn increment(&self, value: f64) {
        self.change(|now| now + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|now| now - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

/// The values of a histogram.
#[derive(Default)]
pub(super) struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        let mut values = locked(&self.0);
        if values.len() < VALUES {
            values.push(value);
        }
    }
}
