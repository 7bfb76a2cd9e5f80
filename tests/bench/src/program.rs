//! A program whose jobs are measured, each in a process of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::job::Report;

/// What Go's runtime reads from its environment: a reference is measured with its defaults.
const TUNING: [&str; 4] = ["GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"];

#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    /// What stands before the words of a job.
    first: &'static [&'static str],
}

/// The words of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words(Vec<OsString>);

impl Words {
    pub(crate) fn new(word: &str) -> Self {
        Self::default().and(word)
    }

    pub(crate) fn and(mut self, word: impl AsRef<OsStr>) -> Self {
        self.0.push(word.as_ref().to_owned());
        self
    }

    /// The option with each of these values.
    pub(crate) fn each<'a>(self, option: &str, values: impl IntoIterator<Item = &'a Path>) -> Self {
        values.into_iter().fold(self, |words, value| words.and(option).and(value))
    }
}

impl Program {
    /// The Go reference.
    pub(crate) fn go(path: &Path) -> Self {
        Self { path: path.to_path_buf(), first: &[] }
    }

    /// The engine: this binary.
    pub(crate) fn ours() -> Result<Self, Error> {
        let path = std::env::current_exe().map_err(Error::file(Path::new("this program")))?;
        Ok(Self { path, first: &["job"] })
    }

    /// Runs a job, which is done for a while before it is timed if `warm`.
    pub(crate) fn run(&self, warm: bool, words: &Words) -> Result<Report, Error> {
        let mut words = words.clone();
        if warm {
            // Behind the word of ours that says it is a job, behind the job's own name in Go.
            words.0.insert(usize::from(self.first.is_empty()), "--warm".into());
        }
        let answer = self.ask(&words)?;
        serde_json::from_str(&answer)
            .map_err(|source| Error::Answer { command: self.command_line(&words), source })
    }

    /// Runs a command and gives what it says.
    pub(crate) fn ask(&self, words: &Words) -> Result<String, Error> {
        let mut command = Command::new(&self.path);
        command.args(self.first).args(&words.0);
        for name in TUNING {
            command.env_remove(name);
        }
        let output =
            command.output().map_err(|source| Error::Start { program: self.path.clone(), source })?;
        if !output.status.success() {
            return Err(Error::Failed {
                command: self.command_line(words),
                status: output.status,
                stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn command_line(&self, words: &Words) -> String {
        let mut line = self.path.display().to_string();
        for word in self.first.iter().map(OsStr::new).chain(words.0.iter().map(OsString::as_os_str)) {
            line.push(' ');
            line.push_str(&word.to_string_lossy());
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_failed_and_why() {
        let words = Words::new("-c").and("echo why >&2; exit 3");
        let error = Program::go(Path::new("/bin/sh")).ask(&words).unwrap_err();
        let expected = "`/bin/sh -c echo why >&2; exit 3` failed (exit status: 3): why";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_no_report_is_no_figure() {
        let error = Program::go(Path::new("/bin/echo")).run(false, &Words::new("fold")).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Program::go(Path::new("/no/such/program")).ask(&Words::new("version")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/program could not be started: "), "{error}");
    }
}
