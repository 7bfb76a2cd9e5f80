//! The rows: what is measured, on which inputs, against which targets. A file is a kind of work.

mod chain;
mod compact;
mod fold;
mod hostile;

use std::fs;
use std::path::{Path, PathBuf};

use autopgo_pprof::{Limits, Profile, gzip, merge};

use crate::args::VersusGo;
use crate::error::Error;
use crate::program::Program;
use crate::table::Line;

/// The most that a result of a recorded profile inflates to.
const RAW_BYTES: u64 = 64 << 20;

/// What all rows need.
pub(crate) struct Bench {
    pub(crate) go: Program,
    ours: Program,
    profiles: PathBuf,
    scratch: PathBuf,
    quick: bool,
}

impl Bench {
    pub(crate) fn new(args: &VersusGo) -> Result<Self, Error> {
        Ok(Self {
            go: Program::go(&args.go),
            ours: Program::ours()?,
            profiles: args.profiles.clone(),
            scratch: args.scratch.clone(),
            quick: args.quick,
        })
    }

    /// How many rounds there are.
    fn rounds(&self, usual: usize, quick: usize) -> usize {
        if self.quick { quick } else { usual }
    }

    fn profile(&self, name: &str) -> PathBuf {
        self.profiles.join(name)
    }

    /// A file for this run only.
    fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name.replace('/', "-"))
    }
}

/// Measures the rows that have `wanted` in their names, or all.
pub(crate) fn measure(bench: &Bench, wanted: Option<&str>) -> Result<Vec<Line>, Error> {
    let wants = |row: &str| wanted.is_none_or(|wanted| row.contains(wanted));
    let mut lines = Vec::new();
    for fold in fold::ROWS.iter().filter(|fold| wants(fold.row)) {
        lines.extend(fold.measure(bench)?);
    }
    let chains: Vec<_> = chain::ROWS.iter().filter(|chain| wants(chain.row)).collect();
    lines.extend(chain::measure(bench, &chains)?);
    if wants(compact::ROW) {
        lines.extend(compact::measure(bench)?);
    }
    let shapes: Vec<_> = hostile::rows().into_iter().filter(|row| wants(&row.row)).collect();
    lines.extend(hostile::measure(bench, &shapes)?);
    match wanted {
        Some(wanted) if lines.is_empty() => {
            Err(Error::NoRow { wanted: wanted.to_owned(), names: names().join(" ") })
        }
        _ => Ok(lines),
    }
}

/// All rows there are, in their order.
fn names() -> Vec<String> {
    let fixed = fold::ROWS.iter().map(|fold| fold.row).chain(chain::ROWS.iter().map(|chain| chain.row));
    let fixed = fixed.chain([compact::ROW]).map(str::to_owned);
    fixed.chain(hostile::rows().into_iter().map(|row| row.row)).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::file(path))
}

fn size(path: &Path) -> Result<u64, Error> {
    Ok(fs::metadata(path).map_err(Error::file(path))?.len())
}

/// What is in a gzip file.
fn raw(path: &Path) -> Result<Vec<u8>, Error> {
    let what = format!("inflating {}", path.display());
    gzip::inflate(&read(path)?, RAW_BYTES).map_err(Error::profile(what))
}

/// Whether two profiles have equal samples, tables and headers, in whatever order: merged with the other, each has
/// twice of all that it has, as it has when merged with itself.
fn same_content(a: &Path, b: &Path) -> Result<bool, Error> {
    let parse = |path: &Path| {
        let what = format!("reading {}", path.display());
        Profile::parse(&read(path)?, &Limits::default()).map_err(Error::profile(what))
    };
    let both = |a: &Profile, b: &Profile| {
        merge(&[a, b]).map(|it| it.encode()).map_err(Error::profile("comparing two results"))
    };
    let (a, b) = (parse(a)?, parse(b)?);
    Ok(both(&a, &b)? == both(&a, &a)? && both(&b, &a)? == both(&b, &b)?)
}

/// Writes what is in a gzip file into another, for the floor to deflate again.
fn unpack(from: &Path, to: &Path) -> Result<(), Error> {
    fs::write(to, raw(from)?).map_err(Error::file(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let names = names();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
        assert_eq!(names.first().map(String::as_str), Some("fold/rclone"));
    }
}
