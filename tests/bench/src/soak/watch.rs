//! What is seen from outside, minute by minute.

use std::sync::atomic::Ordering;
use std::time::Duration;

use autopgo_e2e::process::Running;
use autopgo_e2e::s3::Bucket;
use tokio::time::{Instant, MissedTickBehavior};

use super::{all, load};

/// How often one looks at what is staged.
const LOOK: Duration = Duration::from_secs(3);
const NAMES: [&str; 3] = ["server", "first worker", "second worker"];

pub(super) struct Watch<'a> {
    /// A server and two workers.
    pub(super) running: &'a [Running; 3],
    pub(super) bucket: &'a Bucket,
    pub(super) apps: &'a [String],
}

/// A minute of it.
#[derive(Clone)]
pub(super) struct Minute {
    /// Uploads answered with 201 in it.
    pub(super) answered: usize,
    /// The most that were staged at a look.
    pub(super) staged: usize,
    /// The oldest of them at a look.
    pub(super) oldest: Duration,
    pub(super) processes: Vec<Process>,
}

/// A process at the end of a minute: its memory as the middle of what the looks of that minute saw.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) name: &'static str,
    /// In bytes.
    pub(super) memory: u64,
    pub(super) files: usize,
}

impl Watch<'_> {
    pub(super) async fn minutes(&self, count: u64) -> Vec<Minute> {
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut minutes = Vec::new();
        let mut before = 0;
        for number in 1..=count {
            let end = begin + Duration::from_secs(60 * number);
            let (mut staged, mut oldest) = (0, Duration::ZERO);
            let mut looks: [Vec<(u64, usize)>; 3] = Default::default();
            while Instant::now() < end {
                ticks.tick().await;
                let (count, age) = self.staged().await;
                (staged, oldest) = (staged.max(count), oldest.max(age));
                for (look, process) in looks.iter_mut().zip(self.running) {
                    look.push((process.memory(), process.open_files()));
                }
            }
            let processes = NAMES.into_iter().zip(looks).map(|(name, looks)| {
                let (mut memory, mut files): (Vec<u64>, Vec<usize>) = looks.into_iter().unzip();
                Process { name, memory: middle(&mut memory), files: middle(&mut files) }
            });
            let answered = load::ANSWERED.load(Ordering::Relaxed);
            let minute =
                Minute { answered: answered - before, staged, oldest, processes: processes.collect() };
            eprintln!("minute {number}: {} uploads, at most {staged} staged", minute.answered);
            before = answered;
            minutes.push(minute);
        }
        minutes
    }

    /// How many uploads are staged, and how long the oldest has been.
    pub(super) async fn staged(&self) -> (usize, Duration) {
        let ages = all(self
            .apps
            .iter()
            .map(|app| async move { self.bucket.ages(&format!("{app}/staging/")).await }))
        .await;
        let ages: Vec<Duration> = ages.into_iter().flatten().collect();
        (ages.len(), ages.into_iter().max().unwrap_or_default())
    }
}

/// The median, as most looks see neither a peak nor a pause.
fn middle<T: Copy + Ord + Default>(values: &mut [T]) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
