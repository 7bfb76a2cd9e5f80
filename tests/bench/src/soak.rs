//! A server and two workers under a steady load for minutes, seen from outside: what they hold, how far the workers are
//! behind, and whether every upload is in its base in the end. `tests/bench/soak` calls this.

mod load;
mod watch;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use autopgo_e2e::bus::Bus;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::s3::Bucket;
use autopgo_e2e::{profile, wait};
use futures_util::future::join_all;

use crate::args::Soak;
use crate::error::Error;
use load::Load;
use watch::{Minute, Watch};

/// How old the oldest staged upload may be at any look: the workers keep up.
const LAG: Duration = Duration::from_secs(10);
/// How much more memory a process may hold in the end than at the first mark.
const GROWTH: f64 = 1.10;
/// The minute from which memory is compared: by then all that is kept warm is.
const MARK: usize = 3;
/// How many more files it may have open then: connections come and go.
const FILES: usize = 4;
/// How long the workers may take for what is left in the end.
const REST: Duration = Duration::from_secs(120);

/// What came of it.
pub(crate) struct Report {
    args: Soak,
    minutes: Vec<Minute>,
    /// Uploads answered with 201, and refused or unanswered.
    answered: usize,
    failed: usize,
    /// How long the workers took for what was left.
    rest: Duration,
    /// What does not hold.
    pub(crate) missed: Vec<String>,
}

/// Puts the load on, and judges.
pub(crate) async fn run(args: Soak) -> Result<Report, Error> {
    let lacking =
        |what: &str| Error::Unexpected { what: format!("there is no {what}; call tests/bench/soak") };
    let bucket = Bucket::new().await.ok_or_else(|| lacking("MinIO"))?;
    let bus = Bus::nats().ok_or_else(|| lacking("nats-server"))?;
    let running = [
        start("server", &bucket, &bus).await,
        start("worker", &bucket, &bus).await,
        start("worker", &bucket, &bus).await,
    ];
    let load = Load::new(&running[0].url, args.apps, args.rate);
    let stop = Instant::now() + Duration::from_secs(60 * args.minutes);
    let watch = Watch { running: &running, bucket: &bucket, apps: load.apps() };
    let (sent, minutes) = tokio::join!(load.send(stop), watch.minutes(args.minutes));
    let begin = Instant::now();
    wait::within(REST, "the workers are through", async || (watch.staged().await.0 == 0).then_some(())).await;
    let mut report = Report {
        answered: sent.answered(),
        failed: sent.failed,
        rest: begin.elapsed(),
        missed: Vec::new(),
        args,
        minutes,
    };
    report.judge();
    for (app, names) in &sent.by_app {
        report.compare(app, names, &running[0].url).await;
    }
    for process in running {
        let (code, _) = process.stop().await;
        report.hold(code == Some(0), || format!("a process ended with {code:?}"));
    }
    Ok(report)
}

impl Report {
    fn hold(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.missed.push(what());
        }
    }

    fn judge(&mut self) {
        let asked = self.args.rate * 60 * self.args.minutes as usize;
        let (answered, failed) = (self.answered, self.failed);
        self.hold(failed == 0, || format!("{failed} uploads were not answered with 201"));
        self.hold(answered * 100 >= asked * 99, || format!("{answered} uploads in time, of {asked}"));
        let lag = self.minutes.iter().map(|minute| minute.oldest).max().unwrap_or_default();
        self.hold(lag <= LAG, || format!("an upload was staged for {lag:.1?}"));
        let (Some(mark), Some(last)) = (self.minutes.get(MARK - 1).cloned(), self.minutes.last().cloned())
        else {
            return;
        };
        for (name, before, after) in mark.processes.iter().zip(&last.processes).map(|(a, b)| (a.name, a, b)) {
            let growth = after.memory as f64 / before.memory as f64;
            self.hold(growth <= GROWTH, || format!("the {name} holds {growth:.2} of what it held"));
            self.hold(after.files <= before.files + FILES, || {
                format!("the {name} has {} files open", after.files)
            });
        }
    }

    /// Each name is in the base as often as it was sent.
    async fn compare(&mut self, app: &str, names: &BTreeMap<String, i64>, server: &str) {
        let url = format!("{server}/api/profile/{app}?form=compact");
        let base = async { reqwest::get(url).await?.error_for_status()?.bytes().await };
        match base.await {
            Ok(bytes) => {
                let there = profile::seen(&bytes, load::PREFIX);
                self.hold(there == *names, || format!("{app} has {there:?}, not {names:?}"));
            }
            Err(error) => self.missed.push(format!("{app}: {error}")),
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { args, minutes, answered, failed, rest, missed } = self;
        writeln!(
            f,
            "{answered} uploads over {} applications in {} minutes, {failed} not answered with 201; {:.1} s after the last, \
             nothing was staged.\n",
            args.apps,
            args.minutes,
            rest.as_secs_f64(),
        )?;
        f.write_str("| minute | uploads | staged, at most | oldest, at most |")?;
        let processes = minutes.first().map(|minute| minute.processes.as_slice()).unwrap_or_default();
        for process in processes {
            write!(f, " {}: memory | files |", process.name)?;
        }
        writeln!(f, "\n|--:|--:|--:|--:|{}", "--:|--:|".repeat(processes.len()))?;
        for (number, minute) in (1..).zip(minutes) {
            let oldest = minute.oldest.as_secs_f64();
            write!(f, "| {number} | {} | {} | {oldest:.1} s |", minute.answered, minute.staged)?;
            for process in &minute.processes {
                write!(f, " {:.1} MB | {} |", process.memory as f64 / 1e6, process.files)?;
            }
            writeln!(f)?;
        }
        match missed.as_slice() {
            [] => writeln!(
                f,
                "\nEvery name is in its base as often as it was sent. Memory in the last minute is within {:.0} % of minute {MARK}, about as many \
                 files are open, and no upload was staged for more than {} s: met.",
                (GROWTH - 1.0) * 100.0,
                LAG.as_secs()
            ),
            missed => writeln!(f, "\nMissed: {}.", missed.join("; ")),
        }
    }
}

/// `server` or `worker`, as one would run it.
async fn start(command: &str, bucket: &Bucket, bus: &Bus) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let mut arguments =
        vec![command, "--blob-store-url", &bucket.url, "--event-writer-url", &bus.writer, "--port", &port];
    if command == "worker" {
        arguments.extend(["--event-reader-url", &bus.reader]);
    }
    let mut command = autopgo(&arguments);
    command.envs(bus.variables.iter().cloned());
    Running::start(command, address).await
}

/// All of them at once: a look takes as long as its slowest part.
async fn all<T>(asked: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    join_all(asked).await
}
