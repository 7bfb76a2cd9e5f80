//! A profile read, compacted and written, against the least it takes to read one: inflating it.

use crate::contest::Contest;
use crate::error::Error;
use crate::program::Words;
use crate::row::chain::edges;
use crate::row::{Bench, size};
use crate::table::Line;
use crate::target::Target;

pub(super) const ROW: &str = "compact/rclone-full";
const INPUT: &str = "rclone-full.pprof";
/// The most bytes it may take after gzip.
const MOST: u64 = 62_500;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Line>, Error> {
    let (input, out) = (bench.profile(INPUT), bench.file("compact.ours"));
    let job = Words::new("alone").and("--compact").and("--out").and(&out).and(&input);
    let mut contest = Contest::new(ROW, bench.rounds(7, 3));
    let ours = contest.enter("ours", &bench.ours, job);
    let floor = contest.enter("floor", &bench.ours, Words::new("floor").and("--inflate").and(&input));
    let scores = contest.run()?;

    if edges(&input)?.identity() != edges(&out)?.identity() {
        return Err(Error::Differ { row: ROW.to_owned(), how: "the compiler's edges".to_owned() });
    }
    let time = |place| scores.of(place).time;
    Ok(vec![
        Line::at_most(ROW, MOST, size(&out)?)?,
        Line::floor(ROW, time(floor), time(ours), Target::AtMost { must: 3.0, aim: None })?,
    ])
}
