//! What one measured process of ours does: reads its inputs, does the work, reports time and peak memory. It is the
//! worker's way of using the engine, and nothing around it: no store, no ledger, no check of what an upload is.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::hint::black_box;
use std::iter;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use autopgo_pprof::{Accumulator, Limits, Profile, compact, compact_all, gzip, on_cores, read_ahead};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::error::Error;

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Reads the inputs and does nothing: what the process costs without the work.
    Idle { inputs: Vec<PathBuf> },
    /// Folds an upload into a base, and again into what came of it, as often as asked.
    Fold {
        #[command(flatten)]
        way: Way,
        /// Where the last base goes.
        #[arg(long)]
        out: PathBuf,
        upload: PathBuf,
        base: PathBuf,
    },
    /// Reads one profile and writes it merged with nothing, or compacted.
    Alone {
        #[arg(long)]
        compact: bool,
        #[arg(long)]
        out: PathBuf,
        input: PathBuf,
    },
    /// The gzip around it and nothing else: inflates files, deflates one, as often as asked.
    Floor {
        #[arg(long, default_value_t = 1)]
        times: usize,
        #[arg(long)]
        inflate: Vec<PathBuf>,
        #[arg(long)]
        deflate: Option<PathBuf>,
    },
}

/// How uploads come to a base.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Way {
    /// How many uploads there are.
    #[arg(long, default_value_t = 1)]
    pub(crate) uploads: usize,
    /// How many of them go into one write of the base.
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Whether uploads and base are compacted.
    #[arg(long)]
    pub(crate) compact: bool,
}

/// What a job says on stdout. tests/bench/go says the same.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    /// How long the timed pass took.
    pub(crate) nanos: u64,
    /// The most memory that the process ever had, after the first pass.
    pub(crate) peak_bytes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Does the job on all cores, as in a worker that has nothing else to do; `warm` does it for a while before it is timed.
pub(crate) fn run(job: &Job, warm: bool) -> Result<Report, Error> {
    on_cores(cores(), || run_here(job, warm))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn run_here(job: &Job, warm: bool) -> Result<Report, Error> {
    match job {
        Job::Idle { inputs } => {
            let inputs = read_all(inputs)?;
            let report = Report { nanos: 0, peak_bytes: peak()? };
            black_box(inputs);
            Ok(report)
        }
        Job::Fold { way, out, upload, base } => {
            let (upload, base) = (read(upload)?, read(base)?);
            time(warm, Some(out), || fold(*way, &upload, &base))
        }
        Job::Alone { compact, out, input } => {
            let input = read(input)?;
            time(warm, Some(out), || alone(&input, *compact))
        }
        Job::Floor { times, inflate, deflate } => {
            let (packed, raw) = (read_all(inflate)?, deflate.as_deref().map(read).transpose()?);
            time(warm, None, || floor(*times, &packed, raw.as_deref()))
        }
    }
}

/// How long a job is done before it is timed, and how long it is timed, at least: a processor takes tenths of a second
/// to get up to its speed, and a worker runs for days.
const WHILE: Duration = Duration::from_secs(1);

/// Takes the peak of the first pass and, when warm, the median time of later ones, as the Go side does.
fn time(
    warm: bool,
    out: Option<&Path>,
    mut pass: impl FnMut() -> Result<Vec<u8>, Error>,
) -> Result<Report, Error> {
    let (mut result, took) = timed(&mut pass)?;
    let peak_bytes = peak()?;
    let mut times = vec![took];
    if warm {
        let mut spent = took;
        while spent < WHILE {
            drop(result);
            let (again, took) = timed(&mut pass)?;
            (result, spent) = (again, spent + took);
        }
        times.clear();
        while times.iter().sum::<Duration>() < WHILE {
            drop(result);
            let (again, took) = timed(&mut pass)?;
            result = again;
            times.push(took);
        }
    }
    if let Some(out) = out {
        fs::write(out, &result).map_err(Error::file(out))?;
    }
    times.sort_unstable();
    let nanos = times.get(times.len() / 2).map_or(0, Duration::as_nanos);
    Ok(Report { nanos: u64::try_from(nanos).unwrap_or(u64::MAX), peak_bytes })
}

fn timed(pass: &mut impl FnMut() -> Result<Vec<u8>, Error>) -> Result<(Vec<u8>, Duration), Error> {
    let start = Instant::now();
    let result = pass()?;
    Ok((result, start.elapsed()))
}

fn fold(way: Way, upload: &[u8], base: &[u8]) -> Result<Vec<u8>, Error> {
    let mut base = Cow::Borrowed(base);
    let mut left = way.uploads;
    while left > 0 {
        let batch = way.batch.clamp(1, left);
        base = Cow::Owned(fold_batch(way.compact, upload, batch, &base)?.write());
        left -= batch;
    }
    Ok(base.into_owned())
}

/// The new base. Uploads are read while the base is; the worker holds all of a batch until it has judged them, which is
/// not done here.
fn fold_batch(small: bool, upload: &[u8], batch: usize, base: &[u8]) -> Result<Profile, Error> {
    let read = |upload: &&[u8]| {
        if small { compacted(&parse_top(upload)?) } else { parse(upload) }
    };
    read_ahead(cores(), &vec![upload; batch], read, |uploads| {
        let base = parse(base)?;
        // Once it is compact only the edges are added up.
        if small && base.mapping_count() == 0 {
            let all = iter::once(Ok(base)).chain(uploads).collect::<Result<Vec<_>, _>>()?;
            let merged = compact_all(&all.iter().collect::<Vec<_>>());
            return merged.map_err(Error::profile("adding uploads to a compact base"));
        }
        let mut sum = Accumulator::new(base);
        for upload in uploads {
            sum.add(&upload?).map_err(Error::profile("adding an upload to a base"))?;
        }
        let merged = sum.finish();
        if small { compacted(&merged) } else { Ok(merged) }
    })
}

fn alone(input: &[u8], small: bool) -> Result<Vec<u8>, Error> {
    let made = if small { compacted(&parse_top(input)?)? } else { Accumulator::new(parse(input)?).finish() };
    Ok(made.write())
}

fn floor(times: usize, packed: &[Vec<u8>], raw: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    for _ in 0..times {
        for input in packed {
            let inflated = gzip::inflate(input, Limits::default().raw_bytes);
            black_box(inflated.map_err(Error::profile("inflating an input"))?);
        }
        if let Some(raw) = raw {
            black_box(gzip::deflate(raw));
        }
    }
    Ok(Vec::new())
}

fn parse(bytes: &[u8]) -> Result<Profile, Error> {
    Profile::parse(bytes, &Limits::default()).map_err(Error::profile("reading a profile"))
}

/// What compacting it needs.
fn parse_top(bytes: &[u8]) -> Result<Profile, Error> {
    Profile::parse_top(bytes, &Limits::default()).map_err(Error::profile("reading a profile"))
}

fn compacted(profile: &Profile) -> Result<Profile, Error> {
    compact(profile).map_err(Error::profile("compacting a profile"))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::file(path))
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Error> {
    paths.iter().map(|path| read(path)).collect()
}

/// The most memory that this process ever had, in bytes: VmHWM, which Linux keeps for each process (proc(5)).
fn peak() -> Result<u64, Error> {
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).map_err(Error::file(path))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or(Error::NoPeak)
}

#[cfg(test)]
mod tests {
    use autopgo_pprof::Edges;

    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/profiles").join(name)).unwrap()
    }

    #[test]
    fn every_way_to_fold_ends_with_the_same_edges() {
        let (upload, base) = (fixture("hello-app/a-1.pprof"), fixture("hello-app/b-1.pprof"));
        let fold = |uploads, batch, compact| {
            let made = fold(Way { uploads, batch, compact }, &upload, &base).unwrap();
            let edges = Edges::of(&parse(&made).unwrap()).unwrap();
            (edges.identity(), edges.total_weight())
        };
        let one_by_one = fold(5, 1, false);
        assert_eq!(fold(5, 2, false), one_by_one);
        assert_eq!(fold(5, 9, false), one_by_one);
        assert_eq!(fold(5, 1, true), one_by_one);
        assert_ne!(fold(4, 1, false), one_by_one);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_peak_is_at_least_what_is_held() {
        let held = black_box(vec![1_u8; 64 << 20]);
        assert!(peak().unwrap() >= held.len() as u64);
    }

    #[test]
    fn the_report_is_what_the_other_side_writes() {
        let report: Report = serde_json::from_str(r#"{"nanos":12,"peak_bytes":4096}"#).unwrap();
        assert_eq!(report.to_string(), r#"{"nanos":12,"peak_bytes":4096}"#);
    }
}
