//! The static binary, as the image has it: in an empty root, beside nothing but the certificates of authorities. Built
//! for musl, which takes minutes: `tests/run functions` does it.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "all of this is a test")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use autopgo_e2e::process::{Running, alone, call, free_address};
use autopgo_e2e::{once, profile};
use reqwest::Client;

/// Where distributions have the certificates of authorities, and the image does.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

fn program() -> PathBuf {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    alone("autopgo-cloudrun", &["--locked", "--target", &target])
}

#[tokio::test]
async fn the_static_binary_runs_in_an_empty_root() {
    let program = program();
    let bytes = std::fs::read(&program).expect("it was built");
    println!("{} bytes", bytes.len());
    assert!(!asks_for_an_interpreter(&bytes), "it is not static");

    let root = tempfile::tempdir().expect("a folder");
    let inside = root.path().join("autopgo-cloudrun");
    std::fs::copy(&program, &inside).expect("copied");
    let authorities = root.path().join(AUTHORITIES);
    std::fs::create_dir_all(authorities.parent().expect("a folder")).expect("made");
    std::fs::copy(Path::new("/").join(AUTHORITIES), &authorities).expect("certificates of authorities");
    let data = root.path().join("data");
    std::fs::create_dir(&data).expect("made");
    // It is nobody.
    for (folder, mode) in [(root.path(), 0o755), (&data, 0o777)] {
        std::fs::set_permissions(folder, Permissions::from_mode(mode)).expect("set");
    }

    let server = start(root.path(), "server", &[]).await;
    let (client, api) = (Client::new(), format!("{}/api", server.url));
    let health = client.get(format!("{api}/health")).send().await.expect("answered");
    assert_eq!(health.status(), 200);
    assert!(health.text().await.expect("text").contains("\"healthy\""));
    once::upload(&client, &format!("{api}/profile/static"), once::name(0)).await.expect("taken");

    // This one needs the certificates.
    let checked = [
        ("AUTOPGO_PUSH_AUDIENCE", "https://worker.example"),
        ("AUTOPGO_PUSH_EMAIL", "push@example.iam.gserviceaccount.com"),
    ];
    let worker = start(root.path(), "worker", &checked).await;
    let refused = client.post(format!("{}/sweep", worker.url)).send().await.expect("answered");
    assert_eq!(refused.status(), 401);
    ends(worker).await;

    let worker = start(root.path(), "worker", &[]).await;
    let swept = client.post(format!("{}/sweep", worker.url)).send().await.expect("answered");
    assert!(swept.text().await.expect("text").contains("\"merged\":1"));
    let base = client.get(format!("{api}/profile/static")).send().await.expect("answered");
    let base = base.bytes().await.expect("a profile");
    assert_eq!(profile::seen(&base, "upload.").len(), 1);
    println!("server: {} bytes of memory, worker: {}", server.memory(), worker.memory());
    ends(worker).await;
    ends(server).await;
}

async fn start(root: &Path, role: &str, more: &[(&str, &str)]) -> Running {
    let address = free_address();
    let mut command = rooted(root, role);
    command
        .env("AUTOPGO_BLOB_STORE_URL", "file:///data")
        .env("AUTOPGO_EVENT_WRITER_URL", "mem://events")
        .env("AUTOPGO_SWEEP_AFTER", "1ms")
        .env("PORT", address.port().to_string())
        .envs(more.iter().copied());
    Running::start(command, address).await
}

async fn ends(running: Running) {
    let asked = Instant::now();
    let (code, log) = running.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}: {log:#?}", asked.elapsed());
}

/// The program with `root` as the root of its files: as whoever may do that, or else in a user namespace of its own.
fn rooted(root: &Path, role: &str) -> Command {
    let root = root.to_str().expect("UTF-8");
    let program = "/autopgo-cloudrun";
    for (tool, arguments) in [
        ("chroot", vec!["--userspec=65532:65532", root]),
        ("unshare", vec!["--user", "--map-root-user", "--root", root]),
    ] {
        // Without a role it ends by itself.
        let tried = call(tool, &arguments).arg(program).output();
        if tried.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("say what to be")) {
            let mut command = call(tool, &arguments);
            command.args([program, role]);
            return command;
        }
    }
    panic!("neither chroot nor unshare can give a program another root here");
}

/// Whether an ELF file of 64 bits has a program header of the type `PT_INTERP`
/// (<https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html>).
fn asks_for_an_interpreter(elf: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "64 bits, the low byte first");
    let number =
        |at: usize, size: usize| elf[at..at + size].iter().rfold(0, |n, byte| n << 8 | usize::from(*byte));
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|index| number(start + index * size, 4) == INTERPRETER as usize)
}
