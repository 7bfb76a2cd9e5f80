//! Profiles at the limits: what a raw byte of them costs, against what one of a large but honest profile does, and how
//! much memory they take for their size; merged, and compacted.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use autopgo_pprof::{Limits, gzip};

use crate::contest::{Contest, Place};
use crate::error::Error;
use crate::hostile::Shape;
use crate::program::Words;
use crate::row::{Bench, raw};
use crate::table::Line;
use crate::target::Target;

/// The honest profile.
const USUAL: &str = "rclone-full.pprof";
const PACE: Target = Target::AtMost { must: 3.0, aim: None };
const HELD: Target = Target::AtMost { must: 6.0, aim: None };

pub(super) struct Hostile {
    pub(super) row: String,
    shape: Shape,
}

/// One at every limit, and those at single ones, which show what a miss of the first is made of.
pub(super) fn rows() -> Vec<Hostile> {
    let limits = Limits::default();
    let mut shapes = vec![("all", Shape::all(&limits))];
    shapes.extend(Shape::single(&limits));
    shapes.into_iter().map(|(name, shape)| Hostile { row: format!("hostile/{name}"), shape }).collect()
}

pub(super) fn measure(bench: &Bench, rows: &[Hostile]) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(row.measure(bench)?);
    }
    Ok(lines)
}

impl Hostile {
    fn measure(&self, bench: &Bench) -> Result<Vec<Line>, Error> {
        let row = &self.row;
        let usual = bench.profile(USUAL);
        let usual_raw = raw(&usual)?.len() as u64;
        let (input, input_raw) = self.make(bench)?;
        let job = |input: &PathBuf, compact: bool| {
            let words = Words::new("alone").and("--out").and(bench.file("hostile.ours"));
            if compact { words.and("--compact").and(input) } else { words.and(input) }
        };

        let mut contest = Contest::new(row, bench.rounds(5, 1));
        let usual_merged = contest.enter("rclone-full merged", &bench.ours, job(&usual, false));
        let merged = contest.enter("merged", &bench.ours, job(&input, false));
        let usual_compacted = contest.enter("rclone-full compacted", &bench.ours, job(&usual, true));
        let compacted = contest.enter("compacted", &bench.ours, job(&input, true));
        let idle = contest.enter_cold("idle", &bench.ours, Words::new("idle").and(&input));
        let scores = contest.run()?;
        fs::remove_file(&input).map_err(Error::file(&input))?;

        let usual = |place: Place| (scores.of(place).time, usual_raw);
        let ours = |place: Place| -> (Duration, u64) { (scores.of(place).time, input_raw) };
        let held = |place| scores.above(place, idle);
        Ok(vec![
            Line::pace(row, "merging / rclone-full's", usual(usual_merged), ours(merged), PACE)?,
            Line::pace(row, "compacting / rclone-full's", usual(usual_compacted), ours(compacted), PACE)?,
            Line::held(row, "memory merging / raw", input_raw, held(merged), HELD)?,
            Line::held(row, "memory compacting / raw", input_raw, held(compacted), HELD)?,
        ])
    }

    /// Makes the file, and tells its raw size.
    fn make(&self, bench: &Bench) -> Result<(PathBuf, u64), Error> {
        let path = bench.file(&format!("{}.pprof", self.row));
        let raw = self.shape.encode()?;
        fs::write(&path, gzip::deflate(&raw)).map_err(Error::file(&path))?;
        Ok((path, raw.len() as u64))
    }
}
