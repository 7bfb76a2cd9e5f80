//! The fakes, driven by clients that their makers wrote: whoever writes both sides of a protocol may be wrong in the same
//! way on both. `tests/services` installs the clients.

#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use autopgo_conformance::skip;

/// Ends the server with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has `script`, run by the Python that has the client, drive `fake`. Fewer checks than `least`, and something was left out.
fn drive(client: &str, python: &str, fake: &str, script: &str, least: u32) {
    let Some(path) = std::env::var_os(python).filter(|path| !path.is_empty()) else {
        let why = format!("{python} names no Python that has it; `tests/run services` installs it");
        return skip(client, &why);
    };
    let folder = tempfile::tempdir().expect("a folder");
    let fake = Command::new(fake).arg(folder.path()).stdout(Stdio::piped()).spawn();
    let mut server = Server(fake.expect("started"));
    let mut url = String::new();
    let out = server.0.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut url).expect("it says where it is");
    let driven = Command::new(path)
        .arg(script)
        .args([url.trim().as_ref(), folder.path().as_os_str()])
        .output()
        .expect("run");
    let (out, err) = (String::from_utf8_lossy(&driven.stdout), String::from_utf8_lossy(&driven.stderr));
    assert!(driven.status.success(), "{out}{err}");
    let checks: u32 = out.trim().parse().expect("the number of its checks");
    assert!(checks >= least, "only {checks} checks");
}

#[test]
fn googles_own_client_finds_nothing_strange() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.py");
    let fake = env!("CARGO_BIN_EXE_fake-gcs");
    drive("google-cloud-storage", "AUTOPGO_TEST_GOOGLE_CLOUD_STORAGE", fake, script, 50);
}

#[test]
fn microsofts_own_client_finds_nothing_strange() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servicebus.py");
    let fake = env!("CARGO_BIN_EXE_fake-servicebus");
    drive("azure-servicebus", "AUTOPGO_TEST_AZURE_SERVICEBUS", fake, script, 40);
}

#[test]
fn amazons_own_client_finds_nothing_strange() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway.py");
    drive("botocore", "AUTOPGO_TEST_BOTOCORE", env!("CARGO_BIN_EXE_fake-gateway"), script, 40);
}

#[test]
fn googles_own_client_gets_in() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/identity.py");
    let fake = env!("CARGO_BIN_EXE_fake-google");
    drive("google-cloud-storage", "AUTOPGO_TEST_GOOGLE_CLOUD_STORAGE", fake, script, 15);
}
