//! The functions of AWS as processes of the Runtime API that is in this repository, over a store on loopback: how soon they
//! answer when they are started, how long they take when they are warm, and what they weigh. `tests/bench/functions` calls
//! this.

mod events;
mod process;
mod topic;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use autopgo_e2e::profile;
use autopgo_e2e::s3::Bucket;
use bytes::Bytes;

use crate::args::Functions;
use crate::error::Error;
use process::{Process, Setting};
use topic::Topic;

/// How often a program is started.
const STARTS: usize = 20;
/// How many requests are timed, of each kind.
const REQUESTS: usize = 500;
/// How many batches, and how many uploads one tells of.
const BATCHES: usize = 50;
const BATCH: usize = 10;
/// What the server has taken when its memory is looked at, and how large each is.
const UPLOADS: usize = 1_000;
const UPLOAD: usize = 100_000;
/// A call of [`profile::large`] takes so many bytes, packed.
const CALL: usize = 120;

/// What a figure may be at most.
const COLD: Duration = Duration::from_millis(40);
const ZIP: u64 = 6_000_000;
const MEMORY: u64 = 40_000_000;

/// What came of it.
pub(crate) struct Report(Vec<Row>);

struct Row {
    program: &'static str,
    what: String,
    found: String,
    /// The bound in words, and whether it holds.
    must: Option<(String, bool)>,
}

impl Report {
    /// Those that are over their bounds.
    pub(crate) fn missed(&self) -> impl Iterator<Item = String> {
        let missed = self.0.iter().filter(|row| matches!(row.must, Some((_, false))));
        missed.map(|row| format!("{}: {} is {}", row.program, row.what, row.found))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| program | what | found | must | verdict |")?;
        writeln!(f, "|---|---|--:|---|---|")?;
        for Row { program, what, found, must } in &self.0 {
            let (must, verdict) = match must {
                Some((must, true)) => (must.as_str(), "met"),
                Some((must, false)) => (must.as_str(), "missed"),
                None => ("-", "-"),
            };
            writeln!(f, "| {program} | {what} | {found} | {must} | {verdict} |")?;
        }
        Ok(())
    }
}

/// Measures both.
pub(crate) async fn run(args: &Functions) -> Result<Report, Error> {
    let lacking =
        |what: &str| Error::Unexpected { what: format!("there is no {what}; call tests/bench/functions") };
    let bucket = Bucket::new().await.ok_or_else(|| lacking("MinIO"))?;
    let topic = Topic::start().await?;
    let setting = Setting::new(&bucket.url, topic.address()).ok_or_else(|| lacking("key of MinIO's"))?;
    let path = args.profiles.join("rclone.pgo");
    let profile = std::fs::read(&path).map_err(Error::file(&path))?;
    let upload = events::upload("checkout", &profile);
    let mut house = House { bootstraps: &args.bootstraps, setting, topic, profile, upload, rows: Vec::new() };
    house.server().await?;
    house.worker().await?;
    Ok(Report(house.rows))
}

/// What both are measured with.
struct House<'a> {
    /// As `cargo lambda build` leaves them: a folder for each program.
    bootstraps: &'a Path,
    setting: Setting,
    topic: Topic,
    /// rclone.pgo.
    profile: Vec<u8>,
    /// The event of an upload of it.
    upload: Bytes,
    rows: Vec<Row>,
}

const SERVER: &str = "autopgo-lambda-server";
const WORKER: &str = "autopgo-lambda-worker";

impl House<'_> {
    fn start(&self, program: &str) -> Result<Process, Error> {
        Process::start(&self.bootstraps.join(program).join("bootstrap"), &self.setting)
    }

    async fn server(&mut self) -> Result<(), Error> {
        self.weigh(SERVER)?;
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let begin = Instant::now();
            let process = self.start(SERVER)?;
            events::created(&process.ask(&self.upload).await?)?;
            starts.push(begin.elapsed());
        }
        self.cold(SERVER, "an upload of 155 KB is answered", starts);

        let process = self.start(SERVER)?;
        let mut times = Vec::new();
        for _ in 0..REQUESTS {
            let answered = process.ask(&self.upload).await?;
            events::created(&answered)?;
            times.push(answered.took);
        }
        self.warm(SERVER, "an upload of 155 KB", times);
        // What was uploaded is no base yet: a worker makes one of it.
        let merging = self.start(WORKER)?;
        events::done(&merging.ask(&events::batch(&self.topic.take())).await?)?;
        let mut times = Vec::new();
        for _ in 0..REQUESTS {
            let answered = process.ask(&events::download("checkout")).await?;
            events::downloaded(&answered)?;
            times.push(answered.took);
        }
        self.warm(SERVER, "a download of the base of these", times);

        let process = self.start(SERVER)?;
        let profile = autopgo_pprof::gzip::deflate(&profile::large(UPLOAD / CALL).0);
        let upload = events::upload("memory", &profile);
        events::created(&process.ask(&upload).await?)?;
        let first = process.memory()?;
        self.row(SERVER, "resident memory after an upload".to_owned(), mb(first), None);
        for _ in 1..UPLOADS {
            events::created(&process.ask(&upload).await?)?;
        }
        let (what, memory) =
            (format!("after {UPLOADS} uploads of {} KB", profile.len() / 1000), process.memory()?);
        let must = Some((format!("< {}", mb(MEMORY)), memory < MEMORY));
        self.row(SERVER, format!("resident memory {what}"), mb(memory), must);
        self.topic.take();
        Ok(())
    }

    async fn worker(&mut self) -> Result<(), Error> {
        self.weigh(WORKER)?;
        let server = self.start(SERVER)?;
        // What one start costs is told by the first upload of an application; what merging into a base costs, below.
        let (mut starts, mut swept) = (Vec::new(), Vec::new());
        for number in 0..STARTS {
            let begin = Instant::now();
            let process = self.start(WORKER)?;
            events::swept(&process.ask(&events::sweep()).await?)?;
            swept.push(begin.elapsed());
            drop(process);
            events::created(&server.ask(&events::upload(&format!("cold-{number}"), &self.profile)).await?)?;
            let batch = events::batch(&self.topic.take());
            let begin = Instant::now();
            let process = self.start(WORKER)?;
            events::done(&process.ask(&batch).await?)?;
            starts.push(begin.elapsed());
        }
        self.cold(WORKER, "the first upload of an application, of 155 KB, is merged", starts);
        self.warm(WORKER, "from its start until a sweep that finds nothing old enough is answered", swept);

        let process = self.start(WORKER)?;
        events::done(&process.ask(&events::batch(&self.topic.take())).await?)?;
        let (mut merges, mut settles) = (Vec::new(), Vec::new());
        for _ in 0..BATCHES {
            for _ in 0..BATCH {
                events::created(&server.ask(&self.upload).await?)?;
            }
            // First what the server told of; then what that led to, which deletes the uploads.
            for times in [&mut merges, &mut settles] {
                let answered = process.ask(&events::batch(&self.topic.take())).await?;
                events::done(&answered)?;
                times.push(answered.took);
            }
        }
        self.warm(WORKER, &format!("a batch of {BATCH} uploads of 155 KB of one application"), merges);
        self.warm(WORKER, &format!("a batch of {BATCH} uploads that are merged"), settles);
        let what = format!("resident memory after {} batches", 2 * BATCHES);
        self.row(WORKER, what, mb(process.memory()?), None);
        Ok(())
    }

    fn row(&mut self, program: &'static str, what: String, found: String, must: Option<(String, bool)>) {
        self.rows.push(Row { program, what, found, must });
    }

    fn weigh(&mut self, program: &'static str) -> Result<(), Error> {
        let folder = self.bootstraps.join(program);
        let size = |name: &str| {
            let path = folder.join(name);
            std::fs::metadata(&path).map(|about| about.len()).map_err(Error::file(&path))
        };
        let (stripped, zip) = (size("bootstrap")?, size("bootstrap.zip")?);
        self.row(program, "the program, stripped".to_owned(), mb(stripped), None);
        self.row(program, "its zip".to_owned(), mb(zip), Some((format!("< {}", mb(ZIP)), zip < ZIP)));
        Ok(())
    }

    fn cold(&mut self, program: &'static str, what: &str, mut starts: Vec<Duration>) {
        starts.sort_unstable();
        let (median, most) = (rank(&starts, 50), rank(&starts, 100));
        let found = format!("{}, at most {}", ms(median), ms(most));
        let must = Some((format!("< {}", ms(COLD)), median < COLD));
        self.row(program, format!("from its start until {what}, median of {STARTS}"), found, must);
    }

    fn warm(&mut self, program: &'static str, what: &str, mut times: Vec<Duration>) {
        times.sort_unstable();
        let found = format!("{}, {}", ms(rank(&times, 50)), ms(rank(&times, 99)));
        self.row(program, format!("{what}, p50 and p99 of {}", times.len()), found, None);
    }
}

/// The value that so many in a hundred are not above, of values in order.
fn rank(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_one_of_the_values() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let at = |percent| rank(&times, percent).as_millis();
        assert_eq!([at(50), at(99), at(100)], [100, 198, 200]);
        assert_eq!(rank(&times[..1], 50), times[0]);
        assert_eq!(rank(&[], 50), Duration::ZERO);
    }
}
