//! The table: one line for each thing that was measured of a row, as Markdown that also reads well in a terminal.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::error::Error;
use crate::target::{Target, Verdict};

/// One figure of a row, with what it is compared to.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) row: String,
    measure: &'static str,
    reference: String,
    ours: String,
    ratio: f64,
    target: Target,
}

impl Line {
    /// How many times faster than Go.
    pub(crate) fn faster(row: &str, go: Duration, ours: Duration, target: Target) -> Result<Self, Error> {
        let ratio = ratio(row, go.as_secs_f64(), ours.as_secs_f64())?;
        Ok(Self::new(row, "Go's time / ours", time(go), time(ours), ratio, target))
    }

    /// How many times the floor.
    pub(crate) fn floor(row: &str, floor: Duration, ours: Duration, target: Target) -> Result<Self, Error> {
        let ratio = ratio(row, ours.as_secs_f64(), floor.as_secs_f64())?;
        Ok(Self::new(row, "our time / floor", time(floor), time(ours), ratio, target))
    }

    /// Which share of Go's memory above idle.
    pub(crate) fn memory(row: &str, go: u64, ours: u64, target: Target) -> Result<Self, Error> {
        let ratio = ratio(row, ours as f64, go as f64)?;
        Ok(Self::new(row, "our memory / Go's", bytes(go), bytes(ours), ratio, target))
    }

    /// Which part of the size of Go's result.
    pub(crate) fn size(row: &str, go: u64, ours: u64, target: Target) -> Result<Self, Error> {
        let ratio = ratio(row, ours as f64, go as f64)?;
        Ok(Self::new(row, "our size / Go's", bytes(go), bytes(ours), ratio, target))
    }

    /// Which part of the most bytes that there may be.
    pub(crate) fn at_most(row: &str, most: u64, ours: u64) -> Result<Self, Error> {
        let ratio = ratio(row, ours as f64, most as f64)?;
        let target = Target::AtMost { must: 1.0, aim: None };
        Ok(Self::new(row, "our size / limit", bytes(most), bytes(ours), ratio, target))
    }

    /// How many times the time for a raw byte that another profile takes.
    pub(crate) fn pace(
        row: &str,
        measure: &'static str,
        usual: (Duration, u64),
        ours: (Duration, u64),
        target: Target,
    ) -> Result<Self, Error> {
        let pace = |(time, raw): (Duration, u64)| ratio(row, time.as_secs_f64() * 1e9, raw as f64);
        let (usual, ours) = (pace(usual)?, pace(ours)?);
        let show = |nanos: f64| format!("{nanos:.1} ns/B");
        Ok(Self::new(row, measure, show(usual), show(ours), ratio(row, ours, usual)?, target))
    }

    /// How many times the raw size its memory is.
    pub(crate) fn held(
        row: &str,
        measure: &'static str,
        raw: u64,
        ours: u64,
        target: Target,
    ) -> Result<Self, Error> {
        let ratio = ratio(row, ours as f64, raw as f64)?;
        Ok(Self::new(row, measure, bytes(raw), bytes(ours), ratio, target))
    }

    fn new(
        row: &str,
        measure: &'static str,
        reference: String,
        ours: String,
        ratio: f64,
        target: Target,
    ) -> Self {
        Self { row: row.to_owned(), measure, reference, ours, ratio, target }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.target.judge(self.ratio)
    }
}

fn ratio(row: &str, over: f64, under: f64) -> Result<f64, Error> {
    let ratio = over / under;
    if ratio.is_finite() { Ok(ratio) } else { Err(Error::Nothing { what: row.to_owned() }) }
}

const HEAD: [&str; 7] = ["row", "measure", "reference", "ours", "ratio", "target", "verdict"];
/// Which columns are texts; the others are figures and stand to the right.
const TEXT: [bool; 7] = [true, true, false, false, false, true, true];

/// Writes all lines; a row's name stands at its first.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    let mut last = "";
    let cells = lines.iter().map(|line| {
        let row = if line.row == last { "" } else { &line.row };
        last = &line.row;
        [
            row.to_owned(),
            line.measure.to_owned(),
            line.reference.clone(),
            line.ours.clone(),
            figure(line.ratio),
            line.target.to_string(),
            line.verdict().to_string(),
        ]
    });
    let cells: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned)).chain(cells).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    for (at, row) in cells.iter().enumerate() {
        for ((cell, &width), text) in row.iter().zip(&widths).zip(TEXT) {
            if text { write!(f, "| {cell:<width$} ")? } else { write!(f, "| {cell:>width$} ")? }
        }
        f.write_str("|\n")?;
        if at == 0 {
            for (&width, text) in widths.iter().zip(TEXT) {
                write!(f, "|{:-<width$}{}", "", if text { "--" } else { "-:" })?;
            }
            f.write_str("|\n")?;
        }
    }
    Ok(())
}

/// Three significant digits, as far as they say something.
fn figure(ratio: f64) -> String {
    match ratio {
        100.0.. => format!("{ratio:.0}"),
        10.0.. => format!("{ratio:.1}"),
        _ => format!("{ratio:.2}"),
    }
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{} ms", figure(seconds * 1e3)) } else { format!("{seconds:.1} s") }
}

/// Bytes below a megabyte to the byte, more in megabytes of 10^6.
fn bytes(bytes: u64) -> String {
    if bytes >= 10_000_000 {
        return format!("{} MB", figure(bytes as f64 / 1e6));
    }
    let digits = bytes.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let _ = shown.write_str(" B");
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table(Vec<Line>);

    impl fmt::Display for Table {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, &self.0)
        }
    }

    #[test]
    fn a_row_is_named_once() {
        let (go, ours) = (Duration::from_millis(570), Duration::from_millis(50));
        let target = Target::AtLeast { must: 10.0, aim: Some(15.0) };
        let quarter = Target::AtMost { must: 0.25, aim: None };
        let table = Table(vec![
            Line::faster("fold/rclone", go, ours, target).unwrap(),
            Line::memory("fold/rclone", 120_000_000, 40_000_000, quarter).unwrap(),
        ]);
        let expected = "\
| row         | measure           | reference |    ours | ratio | target        | verdict |
|-------------|-------------------|----------:|--------:|------:|---------------|---------|
| fold/rclone | Go's time / ours  |    570 ms | 50.0 ms |  11.4 | ≥ 10 (aim 15) | met     |
|             | our memory / Go's |    120 MB | 40.0 MB |  0.33 | ≤ 0.25        | missed  |
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn a_reference_of_nothing_is_no_figure() {
        assert!(Line::floor("x", Duration::ZERO, Duration::from_millis(1), Target::None).is_err());
        assert!(Line::memory("x", 0, 0, Target::None).is_err());
    }

    #[test]
    fn sizes_and_times() {
        for (size, expected) in [(0, "0 B"), (999, "999 B"), (62_500, "62,500 B"), (1_110_030, "1,110,030 B")]
        {
            assert_eq!(bytes(size), expected);
        }
        assert_eq!(bytes(12_345_678), "12.3 MB");
        for (nanos, expected) in [(1_234_567, "1.23 ms"), (571_200_000, "571 ms"), (56_800_000_000, "56.8 s")]
        {
            assert_eq!(time(Duration::from_nanos(nanos)), expected);
        }
    }
}
