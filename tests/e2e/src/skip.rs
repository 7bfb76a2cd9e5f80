//! What a machine lacks is skipped aloud: `tests/run` counts it, and fails where it is required.

use std::fs::OpenOptions;
use std::io::Write;

/// The Go toolchain that the stories use, or `None`, said aloud.
pub fn go() -> Option<String> {
    let go = std::env::var("AUTOPGO_TEST_GO").ok().filter(|go| !go.is_empty());
    if go.is_none() {
        say("go", "AUTOPGO_TEST_GO names no Go toolchain; `tests/run` provides one");
    }
    go
}

/// `http://IP:PORT` of the server of this name that `tests/services` starts, or `None`, said aloud.
pub fn server(name: &str) -> Option<String> {
    let variable = format!("AUTOPGO_TEST_{}_URL", name.to_uppercase().replace('-', "_"));
    let url = std::env::var(&variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        say(name, &format!("{variable} names no server; `tests/run services` starts one"));
    }
    url
}

/// What this variable, which `tests/services env` sets, says of the server of this name, or `None`, said aloud.
pub fn variable(name: &str, variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        say(name, &format!("{variable} is not set; `tests/run` provides what it names"));
    }
    value
}

/// Whether there is a `script` that gives a command a terminal, as util-linux has it; said aloud if not.
pub fn script() -> bool {
    let asked = std::process::Command::new("script").arg("--version").output();
    let there = asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"));
    if !there {
        say("script", "there is no script of util-linux to give a command a terminal");
    }
    there
}

/// Whether there are the tools that `infra/ci/fetch-profile.sh` needs; said aloud if not.
pub fn curl() -> bool {
    let there = |tool: &&str| std::process::Command::new(tool).arg("--version").output().is_ok();
    let missing = ["bash", "curl", "gzip"].into_iter().find(|tool| !there(tool));
    if let Some(tool) = missing {
        say(tool, "there is none, and what fetches a profile in CI needs it");
    }
    missing.is_none()
}

/// Says that something is skipped and why.
///
/// # Panics
/// When the list of skips, which `tests/run` names, cannot be written: a skip that nobody counts would pass.
fn say(name: &str, why: &str) {
    eprintln!("SKIP {name}: {why}");
    if let Some(path) = std::env::var_os("AUTOPGO_TEST_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the list of skips");
        // In one piece: others write to it at the same time.
        file.write_all(format!("{name}: {why}\n").as_bytes()).expect("the list of skips");
    }
}
