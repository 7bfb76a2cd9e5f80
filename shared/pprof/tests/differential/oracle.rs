//! google/pprof and `go tool preprofile`: a process of tests/oracle answers for them. Its README has the framing.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// A running `oracle diff`.
pub(crate) struct Oracle(Child);

impl Oracle {
    pub(crate) fn start() -> Self {
        static PROGRAM: LazyLock<PathBuf> = LazyLock::new(build);
        let oracle = Command::new(&*PROGRAM).arg("diff").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(oracle.unwrap())
    }

    pub(crate) fn ask(&mut self, request: &Value, profiles: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        let length = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes();
        let mut message = (profiles.len() as u32 + 1).to_le_bytes().to_vec();
        for frame in [request.to_string().into_bytes()].iter().chain(profiles) {
            message.extend(length(frame));
            message.extend(frame);
        }
        self.0.stdin.as_mut().unwrap().write_all(&message).unwrap();
        let answers = self.0.stdout.as_mut().unwrap();
        let mut length = [0; 4];
        answers.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_le_bytes(length) as usize];
        answers.read_exact(&mut answer).unwrap();
        let content = answer.split_off(1);
        if answer == b"+" { Ok(content) } else { Err(String::from_utf8_lossy(&content).into_owned()) }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    let go = std::env::var("AUTOPGO_TEST_GO").unwrap_or_else(|_| "go".to_owned());
    let built = Command::new(go).args(["build", "-o"]).arg(&program).arg(".").current_dir(folder).status();
    assert!(built.expect("a Go toolchain").success(), "go build failed");
    program
}
