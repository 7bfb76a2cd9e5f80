//! The rows: what is measured, on which inputs, against which targets. A file is a kind of work.

#[allow(dead_code, reason = "what only the engine's own tests use")]
#[path = "../../../shared/pprof/tests/proto/book.rs"]
mod book;
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

/// Checks both results of adding uploads, all the same, to a base. Go's worker puts the upload first, which decides what
/// is the first mapping: Go's result is to be that merge byte for byte. Ours puts the base first, and is to have all
/// that the merge in that order has, though in its own.
fn check_sums(
    row: &str,
    uploads: usize,
    [upload, base]: &[PathBuf; 2],
    go: &Path,
    ours: &Path,
) -> Result<(), Error> {
    let [upload, base] = [parse(upload)?, parse(base)?];
    let merged = |profiles: &[&Profile]| {
        merge(profiles).map(|it| it.encode()).map_err(Error::profile("merging the inputs"))
    };
    let upload_first = merged(&[&vec![&upload; uploads][..], &[&base]].concat())?;
    let base_first = merged(&[&[&base], &vec![&upload; uploads][..]].concat())?;
    let how = if raw(go)? == upload_first {
        book::difference(&base_first, &raw(ours)?)
    } else {
        Some("Go's is not the merge of the inputs".to_owned())
    };
    how.map_or(Ok(()), |how| Err(Error::Differ { row: row.to_owned(), how }))
}

fn parse(path: &Path) -> Result<Profile, Error> {
    let what = format!("reading {}", path.display());
    Profile::parse(&read(path)?, &Limits::default()).map_err(Error::profile(what))
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

    #[test]
    fn sums_are_checked_in_the_order_of_either_side() {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/profiles/hello-app");
        let inputs = ["a-1.pprof", "b-1.pprof"].map(|name| fixtures.join(name));
        let [upload, base] = inputs.each_ref().map(|path| parse(path).unwrap());
        let file = |name: &str, profile: Result<Profile, _>| {
            let path = folder.path().join(name);
            fs::write(&path, profile.unwrap().write()).unwrap();
            path
        };
        let upload_first = file("upload first", merge(&[&upload, &upload, &base]));
        let base_first = file("base first", merge(&[&base, &upload, &upload]));
        let check = |uploads, go, ours| check_sums("row", uploads, &inputs, go, ours).map_err(|_| "differ");
        assert_eq!(check(2, &upload_first, &base_first), Ok(()));
        assert_eq!(check(1, &upload_first, &base_first), Err("differ"));
        assert_eq!(check(2, &base_first, &base_first), Err("differ"));
        assert_eq!(check(2, &upload_first, &upload_first), Err("differ"));
    }
}
