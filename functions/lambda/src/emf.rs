//! What the core counts, as lines of the log: nobody scrapes a function, and CloudWatch makes metrics of every line in
//! its [Embedded Metric Format] by itself, without a call that an invocation would wait for.
//!
//! [`Recorder::flush`] writes what came since the last flush: counters by how much they grew, gauges that were set,
//! histograms value by value. A metric is told apart by its `outcome` and by nothing else, for each combination of
//! dimensions is a metric that CloudWatch charges for by itself; what other labels tell apart is added up. That, and more
//! than 100 values of a histogram, is why this is no crate of others.
//!
//! [Embedded Metric Format]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

mod cell;
mod document;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

use cell::Cell;
use document::{Line, Metric};

/// The label that is a dimension.
const OUTCOME: &str = "outcome";

/// Keeps what this process counts until it is flushed. Clones are the same recorder.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Kept>);

#[derive(Default)]
struct Kept {
    series: Mutex<BTreeMap<Series, Cell>>,
    units: Mutex<BTreeMap<String, Unit>>,
}

/// Sorted by outcome: what is written in one line has the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    outcome: Option<String>,
    name: String,
}

impl Recorder {
    /// Makes one the recorder of this process, or gives the one that is it already. To be called before a server or a
    /// worker is made, for those say in which units they count.
    ///
    /// # Errors
    /// `Internal` if the process has a recorder of another kind.
    pub fn install() -> Result<Self> {
        static INSTALLED: Mutex<Option<Recorder>> = Mutex::new(None);
        let mut installed = locked(&INSTALLED);
        if let Some(recorder) = &*installed {
            return Ok(recorder.clone());
        }
        let recorder = Self::default();
        metrics::set_global_recorder(recorder.clone()).map_err(|_| {
            Error::new(Kind::Internal, "keeping metrics for CloudWatch: this process keeps others already")
        })?;
        *installed = Some(recorder.clone());
        Ok(recorder)
    }

    /// Writes what came since the last flush, a JSON object a line, in one piece; nothing if nothing came. To be called
    /// at the end of an invocation, with standard output: afterwards the function may be frozen, or gone.
    ///
    /// # Errors
    /// What `out` says. The values are given up then, so that they are not counted twice.
    pub fn flush(&self, out: &mut impl Write) -> io::Result<()> {
        let lines = self.take();
        if lines.is_empty() {
            return Ok(());
        }
        let time = System.now().as_millisecond();
        let text: String = lines.into_iter().map(|line| line.render(time) + "\n").collect();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn take(&self) -> Vec<Line> {
        let units = locked(&self.0.units);
        let mut by_outcome: Vec<(Option<String>, Vec<Metric>)> = Vec::new();
        for (Series { outcome, name }, cell) in locked(&self.0.series).iter_mut() {
            let values = cell.take();
            if values.is_empty() {
                continue;
            }
            let metric = Metric { name: name.clone(), unit: units.get(name).copied(), values };
            match by_outcome.last_mut() {
                Some((same, metrics)) if same == outcome => metrics.push(metric),
                _ => by_outcome.push((outcome.clone(), vec![metric])),
            }
        }
        by_outcome.into_iter().flat_map(|(outcome, metrics)| Line::of(outcome.as_deref(), metrics)).collect()
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        if let Some(unit) = unit {
            locked(&self.0.units).insert(name.as_str().to_owned(), unit);
        }
    }

    /// What is kept of `key`, made by `fresh` where there is nothing yet, seen by `as_kind`: `None` if the name is one of
    /// another kind of metric.
    fn cell<T>(
        &self,
        key: &Key,
        fresh: impl FnOnce() -> Cell,
        as_kind: impl FnOnce(&Cell) -> Option<T>,
    ) -> Option<T> {
        let outcome = key.labels().find(|label| label.key() == OUTCOME);
        let series =
            Series { outcome: outcome.map(|label| label.value().to_owned()), name: key.name().to_owned() };
        as_kind(locked(&self.0.series).entry(series).or_insert_with(fresh))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.cell(key, Cell::counter, Cell::as_counter).unwrap_or_else(Counter::noop)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.cell(key, Cell::gauge, Cell::as_gauge).unwrap_or_else(Gauge::noop)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.cell(key, Cell::histogram, Cell::as_histogram).unwrap_or_else(Histogram::noop)
    }
}

/// No code panics while it holds one of these, so what they guard is always whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
