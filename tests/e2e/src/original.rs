//! What the Go original does with buses and buckets, by the program in `tests/oracle/original`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::paths::root;
use crate::process::{binary, call};
use crate::skip;
use crate::wait::PATIENCE;

/// The program, with the variables that its buses need.
#[derive(Clone)]
pub struct Original {
    program: &'static Path,
    variables: Vec<(&'static str, OsString)>,
}

/// Go builds it anew only when a source has changed.
fn program(go: &str) -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = binary().with_file_name("original");
        let build = std::process::Command::new(go)
            .args(["build", "-trimpath", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(root().join("tests/oracle/original"))
            .output()
            .expect("go runs");
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
        program
    })
}

impl Original {
    /// Builds it; `None`, said aloud, where there is no Go.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn new() -> Option<Self> {
        let go = skip::go()?;
        Some(Self { program: program(&go), variables: Vec::new() })
    }

    /// The same with a variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = call(self.program, arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut command = Command::from(command);
        command.kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command
    }

    /// Runs one of its commands to the end, with `input`, and gives its output.
    ///
    /// # Panics
    /// When it fails, or takes too long.
    pub async fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        // Beside the reading: either side may wait for the other. Who has enough before the end closes the pipe.
        let writing = tokio::spawn(async move {
            let _ = stdin.write_all(&input).await;
        });
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).expect("its output");
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
        writing.await.expect("written");
        output.stdout
    }

    /// The same, of a command that prints lines of text.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub async fn lines(&self, arguments: &[&str], input: &str) -> Vec<String> {
        let output = self.run(arguments, input.as_bytes()).await;
        String::from_utf8(output).expect("text").lines().map(str::to_owned).collect()
    }

    /// Starts a command that runs until it is told to stop, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become so.
    pub async fn start(&self, arguments: &[&str]) -> Started {
        let mut child = self.command(arguments).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut started = Started { child, lines };
        assert_eq!(started.line().await, "ready");
        started
    }
}

/// A command that runs. Killed when it is dropped.
pub struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Started {
    /// The next line that it prints.
    ///
    /// # Panics
    /// When none comes.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("it says something");
        line.expect("text").expect("it has not ended")
    }

    /// The next event of this type, of those that it prints.
    ///
    /// # Panics
    /// When none comes.
    pub async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event: Value = serde_json::from_str(&self.line().await).expect("JSON");
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Tells it to stop.
    ///
    /// # Panics
    /// When it does not, or fails.
    pub async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
        assert!(told.success());
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops");
        let status = status.expect("it can be waited for");
        assert!(status.success(), "{status}");
    }
}
