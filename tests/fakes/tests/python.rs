//! The fake of Google Cloud Storage, driven by the client that Google itself maintains: whoever writes both sides of a
//! protocol may be wrong in the same way on both. `tests/services` installs the client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use autopgo_conformance::skip;

const PYTHON: &str = "AUTOPGO_TEST_GOOGLE_CLOUD_STORAGE";
/// Fewer checks than this, and something was left out.
const CHECKS: u32 = 50;

/// Ends the server with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn googles_own_client_finds_nothing_strange() {
    let Some(python) = std::env::var_os(PYTHON).filter(|python| !python.is_empty()) else {
        let why = format!("{PYTHON} names no Python that has it; `tests/run services` installs it");
        return skip("google-cloud-storage", &why);
    };
    let folder = tempfile::tempdir().expect("a folder");
    let fake = Command::new(env!("CARGO_BIN_EXE_fake-gcs")).arg(folder.path()).stdout(Stdio::piped()).spawn();
    let mut server = Server(fake.expect("started"));
    let mut url = String::new();
    let out = server.0.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut url).expect("it says where it is");
    let driven = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.py"))
        .args([url.trim().as_ref(), folder.path().as_os_str()])
        .output()
        .expect("run");
    let (out, err) = (String::from_utf8_lossy(&driven.stdout), String::from_utf8_lossy(&driven.stderr));
    assert!(driven.status.success(), "{out}{err}");
    let checks: u32 = out.trim().parse().expect("the number of its checks");
    assert!(checks >= CHECKS, "only {checks} checks");
}
