//! Many seeds, on all cores, and what to say when one of them fails.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::run::{Setting, run};

/// What became of a hunt.
#[derive(Default)]
pub(crate) struct Hunt {
    /// The lowest seed that broke a promise.
    pub(crate) found: Option<u64>,
    pub(crate) seeds: u64,
    pub(crate) steps: u64,
    pub(crate) took: Duration,
    /// What was reached, and how often.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// Simulates the seeds below `end`, on `threads` threads, until one breaks a promise.
pub(crate) fn hunt(setting: Setting, end: u64, threads: usize) -> Hunt {
    let start = Instant::now();
    let (next, lowest) = (AtomicU64::new(0), AtomicU64::new(end));
    let total = Mutex::new(Hunt::default());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Hunt::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= lowest.load(Ordering::Relaxed) {
                        break;
                    }
                    let report = run(seed, setting, false);
                    if report.violation.is_some() {
                        lowest.fetch_min(seed, Ordering::Relaxed);
                    }
                    own.add(report.steps, report.counts);
                }
                let mut total = total.lock().expect("nobody panics with it");
                total.steps += own.steps;
                total.seeds += own.seeds;
                own.counts
                    .into_iter()
                    .for_each(|(what, times)| *total.counts.entry(what).or_default() += times);
            });
        }
    });
    let found = Some(lowest.into_inner()).filter(|&seed| seed < end);
    Hunt { found, took: start.elapsed(), ..total.into_inner().expect("nobody panics with it") }
}

impl Hunt {
    fn add(&mut self, steps: u64, counts: BTreeMap<&'static str, u64>) {
        self.seeds += 1;
        self.steps += steps;
        counts.into_iter().for_each(|(what, times)| *self.counts.entry(what).or_default() += times);
    }
}

/// Everything about one seed: its plan, what happened, what is wrong, and how to see it again.
pub(crate) fn told(seed: u64, setting: Setting) -> String {
    let report = run(seed, setting, true);
    let mut text = format!("{:#?}\n", report.plan);
    for line in report.trace {
        let _ = writeln!(text, "{line}");
    }
    let verdict = report.violation.map_or_else(|| "no promise was broken".to_owned(), |it| it.to_string());
    let _ = writeln!(text, "seed {seed}: {verdict}");
    text
}

/// A number in the environment.
pub(crate) fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}: expected a whole number")))
}
