//! A hundred uploads into one base. All ways to do it are measured against Go's only one: one upload at a time, all of
//! the base read and written each time.

use std::iter::repeat_n;
use std::path::{Path, PathBuf};

use autopgo_pprof::Edges;

use crate::contest::Contest;
use crate::error::Error;
use crate::job::Way;
use crate::program::Words;
use crate::row::fold::SIZE;
use crate::row::{Bench, check_sums, parse, size, unpack};
use crate::table::Line;
use crate::target::Target;

const UPLOADS: usize = 100;
const UPLOAD: &str = "rclone.pgo";
const BASE: &str = "rclone-full.pprof";

pub(super) struct Chain {
    pub(super) row: &'static str,
    batch: usize,
    compact: bool,
    faster: Target,
}

pub(super) const ROWS: [Chain; 4] = [
    Chain { row: "chain/one-by-one", batch: 1, compact: false, faster: at_least(10.0, 15.0) },
    Chain { row: "chain/tens", batch: 10, compact: false, faster: at_least(60.0, 100.0) },
    Chain { row: "chain/at-once", batch: UPLOADS, compact: false, faster: at_least(150.0, 400.0) },
    Chain { row: "chain/compact", batch: 1, compact: true, faster: at_least(60.0, 150.0) },
];

const fn at_least(must: f64, aim: f64) -> Target {
    Target::AtLeast { must, aim: Some(aim) }
}

pub(super) fn measure(bench: &Bench, chains: &[&Chain]) -> Result<Vec<Line>, Error> {
    if chains.is_empty() {
        return Ok(Vec::new());
    }
    let go_out = bench.file("chain.go");
    let inputs = [bench.profile(UPLOAD), bench.profile(BASE)];
    let idle = inputs.iter().fold(Words::new("idle"), Words::and);
    let job = Words::new("fold").and("--uploads").and(UPLOADS.to_string()).and("--out").and(&go_out);

    let ready = chains.iter().map(|chain| chain.prepare(bench)).collect::<Result<Vec<_>, _>>()?;
    let mut contest = Contest::new("chain", bench.rounds(3, 1));
    let go = contest.enter_cold("Go", &bench.go, inputs.iter().fold(job, Words::and));
    let go_idle = contest.enter_cold("Go idle", &bench.go, idle);
    let places: Vec<_> = chains
        .iter()
        .zip(&ready)
        .map(|(chain, ready)| {
            let ours = contest.enter_cold(chain.row, &bench.ours, ready.job.clone());
            let idle = contest.enter_cold("idle", &bench.ours, ready.idle.clone());
            (ours, idle, contest.enter_cold("floor", &bench.ours, ready.floor.clone()))
        })
        .collect();
    let scores = contest.run()?;

    let mut lines = Vec::new();
    for ((chain, ready), (ours, our_idle, floor)) in chains.iter().zip(&ready).zip(places) {
        chain.compare(&inputs, &go_out, &ready.out)?;
        let (row, time) = (chain.row, scores.of(ours).time);
        // Of a compacted base Go's size is no measure: its target is the time.
        let size_target = if chain.compact { Target::None } else { SIZE };
        lines.extend([
            Line::faster(row, scores.of(go).time, time, chain.faster)?,
            Line::floor(row, scores.of(floor).time, time, Target::None)?,
            Line::memory(row, scores.above(go, go_idle), scores.above(ours, our_idle), Target::None)?,
            Line::size(row, size(&go_out)?, size(&ready.out)?, size_target)?,
        ]);
    }
    Ok(lines)
}

/// A chain with its inputs made.
struct Ready {
    job: Words,
    /// Reads what the job reads.
    idle: Words,
    floor: Words,
    out: PathBuf,
}

impl Chain {
    /// Runs it once: its last base stands for all of them in the floor. From the first write on they differ in their
    /// values only, as the uploads are the same.
    fn prepare(&self, bench: &Bench) -> Result<Ready, Error> {
        let upload = bench.profile(UPLOAD);
        let [base, out, last, unpacked] =
            ["base", "ours", "last", "raw"].map(|it| bench.file(&format!("{}.{it}", self.row)));
        let base = if self.compact {
            let job = Words::new("alone").and("--compact").and("--out").and(&base);
            bench.ours.run(false, &job.and(bench.profile(BASE)))?;
            base
        } else {
            bench.profile(BASE)
        };
        bench.ours.run(false, &self.job(&last, &upload, &base))?;
        unpack(&last, &unpacked)?;
        let times = UPLOADS.div_ceil(self.batch).to_string();
        let inputs = repeat_n(upload.as_path(), self.batch).chain([last.as_path()]);
        let floor = Words::new("floor").and("--times").and(times).each("--inflate", inputs);
        Ok(Ready {
            job: self.job(&out, &upload, &base),
            idle: Words::new("idle").and(&upload).and(&base),
            floor: floor.and("--deflate").and(&unpacked),
            out,
        })
    }

    fn job(&self, out: &Path, upload: &Path, base: &Path) -> Words {
        let way = Way { uploads: UPLOADS, batch: self.batch, compact: self.compact };
        way.words(Words::new("fold")).and("--out").and(out).and(upload).and(base)
    }

    /// Whether ours ended where Go did: with the same content, or when compacted the same to the compiler.
    fn compare(&self, inputs: &[PathBuf; 2], go: &Path, ours: &Path) -> Result<(), Error> {
        if !self.compact {
            return check_sums(self.row, UPLOADS, inputs, go, ours);
        }
        let same = edges(go)?.identity() == edges(ours)?.identity();
        let differ = || Error::Differ { row: self.row.to_owned(), how: "the compiler's edges".to_owned() };
        if same { Ok(()) } else { Err(differ()) }
    }
}

impl Way {
    fn words(self, words: Words) -> Words {
        let words = words.and("--uploads").and(self.uploads.to_string());
        let words = words.and("--batch").and(self.batch.to_string());
        if self.compact { words.and("--compact") } else { words }
    }
}

/// What the compiler sees in a profile.
pub(super) fn edges(path: &Path) -> Result<Edges, Error> {
    Edges::of(&parse(path)?).map_err(Error::profile(format!("counting the edges of {}", path.display())))
}
