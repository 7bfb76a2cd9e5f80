//! One upload folded into one base: read both, merge, write.

use crate::contest::Contest;
use crate::error::Error;
use crate::program::Words;
use crate::row::{Bench, check_sums, size, unpack};
use crate::table::Line;
use crate::target::Target;

pub(super) struct Fold {
    pub(super) row: &'static str,
    upload: &'static str,
    base: &'static str,
    faster: Target,
    memory: Target,
    floor: Target,
}

pub(super) const ROWS: [Fold; 4] = [
    Fold {
        row: "fold/rclone",
        upload: "rclone.pgo",
        base: "rclone-full.pprof",
        faster: Target::AtLeast { must: 10.0, aim: Some(15.0) },
        memory: Target::AtMost { must: 0.25, aim: None },
        floor: Target::AtMost { must: 2.0, aim: Some(1.5) },
    },
    into_itself("fold/autopgo-testdata", "autopgo-testdata.pgo"),
    into_itself("fold/avalanchego", "avalanchego.pgo"),
    into_itself("fold/go-compile", "go-compile.pgo"),
];

/// Sizes after gzip, of all rows that have Go's to compare with.
pub(super) const SIZE: Target = Target::AtMost { must: 1.03, aim: Some(1.0) };

const fn into_itself(row: &'static str, profile: &'static str) -> Fold {
    Fold {
        row,
        upload: profile,
        base: profile,
        faster: Target::AtLeast { must: 8.0, aim: Some(12.0) },
        memory: Target::None,
        floor: Target::None,
    }
}

impl Fold {
    pub(super) fn measure(&self, bench: &Bench) -> Result<Vec<Line>, Error> {
        let row = self.row;
        let inputs = [bench.profile(self.upload), bench.profile(self.base)];
        let [go_out, our_out, unpacked] = ["go", "ours", "raw"].map(|it| bench.file(&format!("{row}.{it}")));
        let job = |out| {
            let words = Words::new("fold").and("--out").and(out);
            inputs.iter().fold(words, Words::and)
        };
        let idle = || inputs.iter().fold(Words::new("idle"), Words::and);

        bench.ours.run(false, &job(&our_out))?;
        unpack(&our_out, &unpacked)?;
        let floor = Words::new("floor").each("--inflate", inputs.iter().map(AsRef::as_ref));
        let floor = floor.and("--deflate").and(&unpacked);

        let mut contest = Contest::new(row, bench.rounds(7, 3));
        let go = contest.enter("Go", &bench.go, job(&go_out));
        let ours = contest.enter("ours", &bench.ours, job(&our_out));
        let floor = contest.enter("floor", &bench.ours, floor);
        let go_idle = contest.enter_cold("Go idle", &bench.go, idle());
        let our_idle = contest.enter_cold("idle", &bench.ours, idle());
        let scores = contest.run()?;

        check_sums(row, 1, &inputs, &go_out, &our_out)?;
        let time = |place| scores.of(place).time;
        Ok(vec![
            Line::faster(row, time(go), time(ours), self.faster)?,
            Line::floor(row, time(floor), time(ours), self.floor)?,
            Line::memory(row, scores.above(go, go_idle), scores.above(ours, our_idle), self.memory)?,
            Line::size(row, size(&go_out)?, size(&our_out)?, SIZE)?,
        ])
    }
}
