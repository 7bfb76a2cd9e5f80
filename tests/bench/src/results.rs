//! What is printed, and the same as a section of RESULTS.md between two marks; what else stands there is left alone.
//! Each benchmark has a section under its name.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;
use crate::table::{self, Line};
use crate::target::Verdict;

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

/// Puts what benchmark `name` reports into the file, in the place of what it reported last.
pub(crate) fn publish(name: &str, report: &impl fmt::Display, path: &Path) -> Result<(), Error> {
    let before = match fs::read_to_string(path) {
        Ok(before) => before,
        Err(error) if error.kind() == ErrorKind::NotFound => TITLE.to_owned(),
        Err(error) => return Err(Error::file(path)(error)),
    };
    let section = || Error::Section { path: path.to_path_buf(), open: open(name), close: close(name) };
    let after = replaced(&before, name, &report.to_string()).ok_or_else(section)?;
    fs::write(path, after).map_err(Error::file(path))
}

fn open(name: &str) -> String {
    format!("<!-- {name} -->")
}

fn close(name: &str) -> String {
    format!("<!-- /{name} -->")
}

/// The text with another section, at its end if it had none; or `None` when the marks of one are not there once and in
/// order.
fn replaced(text: &str, name: &str, section: &str) -> Option<String> {
    let (open, close) = (open(name), close(name));
    let section = format!("{open}\n## {name}\n\n{section}{close}");
    if !text.contains(&open) && !text.contains(&close) {
        let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
        return Some(format!("{text}{gap}{section}\n"));
    }
    let (head, rest) = text.split_once(&open)?;
    let (old, tail) = rest.split_once(&close)?;
    if [head, old, tail].iter().any(|part| part.contains(&open) || part.contains(&close)) {
        return None;
    }
    Some(format!("{head}{section}{tail}"))
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
        publish("versus-go", &report(), &path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert!(first.starts_with("# Results\n"), "{first}");
        assert!(first.contains("\n- 2026-01-01\n\n| row |"), "{first}");
        assert!(first.contains("\n1 of 2 targets met.\n"), "{first}");

        let more = first.replace("# Results", "# Results, and more") + "\n## load\n\nmine\n";
        fs::write(&path, &more).unwrap();
        publish("versus-go", &report(), &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), more);
    }

    #[test]
    fn a_broken_section_is_not_guessed_at() {
        for text in ["<!-- x -->", "<!-- /x -->", "<!-- /x --><!-- x -->", "<!-- x --><!-- x --><!-- /x -->"]
        {
            assert_eq!(replaced(text, "x", "new"), None, "{text}");
        }
    }

    #[test]
    fn a_new_section_stands_at_the_end() {
        let text = "# Results\n\n<!-- a -->\nold\n<!-- /a -->\n";
        let expected = format!("{text}\n<!-- b -->\n## b\n\nnew\n<!-- /b -->\n");
        assert_eq!(replaced(text, "b", "new\n"), Some(expected));
    }
}
