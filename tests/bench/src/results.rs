//! What is printed, and the same as a section of RESULTS.md between two marks; what else stands there is left alone.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;
use crate::table::{self, Line};
use crate::target::Verdict;

const OPEN: &str = "<!-- versus-go -->";
const CLOSE: &str = "<!-- /versus-go -->";
/// What a new file says first.
const TITLE: &str = "# Results\n\nWhat the rows and measures are is in [README.md](README.md).\n\n";

pub(crate) struct Report {
    /// What was measured on and with.
    pub(crate) facts: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fact in &self.facts {
            writeln!(f, "- {fact}")?;
        }
        f.write_str("\n")?;
        table::write(f, &self.lines)?;
        let judged = self.lines.iter().filter(|line| line.verdict() != Verdict::None).count();
        let missed = self.lines.iter().filter(|line| line.verdict() == Verdict::Missed).count();
        writeln!(f, "\n{} of {judged} targets met.", judged - missed)
    }
}

/// Puts the report into the file, in the place of the last one.
pub(crate) fn publish(report: &Report, path: &Path) -> Result<(), Error> {
    let before = match fs::read_to_string(path) {
        Ok(before) => before,
        Err(error) if error.kind() == ErrorKind::NotFound => format!("{TITLE}{OPEN}\n{CLOSE}\n"),
        Err(error) => return Err(Error::file(path)(error)),
    };
    let section = || Error::Section { path: path.to_path_buf(), open: OPEN, close: CLOSE };
    let after = replaced(&before, &report.to_string()).ok_or_else(section)?;
    fs::write(path, after).map_err(Error::file(path))
}

/// The text with another section, or `None` when the marks of one are not there, once and in order.
fn replaced(text: &str, section: &str) -> Option<String> {
    let (head, rest) = text.split_once(OPEN)?;
    let (old, tail) = rest.split_once(CLOSE)?;
    if [head, old, tail].iter().any(|part| part.contains(OPEN) || part.contains(CLOSE)) {
        return None;
    }
    Some(format!("{head}{OPEN}\n## versus-go\n\n{section}{CLOSE}{tail}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::target::Target;

    fn report() -> Report {
        let line = |row, ours| {
            let target = Target::AtLeast { must: 10.0, aim: None };
            Line::faster(row, Duration::from_millis(100), Duration::from_millis(ours), target).unwrap()
        };
        Report { facts: vec!["2026-01-01".to_owned()], lines: vec![line("a", 5), line("b", 50)] }
    }

    #[test]
    fn only_its_own_section_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("RESULTS.md");
        publish(&report(), &path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert!(first.starts_with("# Results\n"), "{first}");
        assert!(first.contains("\n- 2026-01-01\n\n| row |"), "{first}");
        assert!(first.contains("\n1 of 2 targets met.\n"), "{first}");

        let more = first.replace("# Results", "# Results, and more") + "\n## load\n\nmine\n";
        fs::write(&path, &more).unwrap();
        publish(&report(), &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), more);
    }

    #[test]
    fn a_broken_section_is_not_guessed_at() {
        for text in ["", OPEN, CLOSE, &format!("{CLOSE}{OPEN}"), &format!("{OPEN}{OPEN}{CLOSE}")] {
            assert_eq!(replaced(text, "x"), None, "{text}");
        }
    }
}
