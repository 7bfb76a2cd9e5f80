//! `cargo lambda watch` and `cargo lambda invoke`, as functions/lambda/README.md has them, with each event of the fixtures.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use autopgo_e2e::paths::root;
use autopgo_e2e::process::{call, free_address};
use autopgo_e2e::{skip, wait};
use serde_json::Value;
use tokio::process::Command;

/// Long enough to build the functions.
const BUILDING: Duration = Duration::from_secs(15 * 60);

/// The command, and where it listens.
struct Watch {
    lambda: String,
    port: String,
}

impl Watch {
    /// Calls the function with the event in this file. What it answered, or the error that it was refused with.
    async fn invoke(&self, function: &str, event: &Path) -> Result<Value, String> {
        let file = event.to_str().expect("UTF-8");
        let at = ["--invoke-address", "127.0.0.1", "--invoke-port", &self.port];
        let command =
            call(&self.lambda, &[&["lambda", "invoke", function], &at[..], &["--data-file", file]].concat());
        let output = Command::from(command).current_dir(root()).output().await.expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            return Err(text(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{file}: {error}: {}", text(&output.stdout))))
    }
}

fn events() -> Vec<(String, PathBuf)> {
    let files = std::fs::read_dir(root().join("tests/fixtures/events/aws")).expect("fixtures");
    let mut events: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .collect();
    events.sort();
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_invoked_as_the_readme_shows() {
    let Some(lambda) = skip::variable("cargo-lambda", "AUTOPGO_TEST_CARGO_LAMBDA") else { return };
    let store = tempfile::tempdir().expect("a folder");
    let port = free_address().port().to_string();
    // Of the build that `cargo lambda build` has made.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command =
        call(&lambda, &["lambda", "watch", "--package", "autopgo-lambda", "--ignore-changes", "--locked"]);
    command.args(["--target", &target, "--invoke-address", "127.0.0.1", "--invoke-port", &port]);
    command.env("AUTOPGO_BLOB_STORE_URL", format!("file://{}", store.path().display()));
    command.env("AUTOPGO_EVENT_WRITER_URL", "mem://events").current_dir(root());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut watching = Command::from(command).kill_on_drop(true).spawn().expect("it starts");
    let watch = Watch { lambda, port };
    wait::until("it listens", async || {
        tokio::net::TcpStream::connect(format!("127.0.0.1:{}", watch.port)).await.ok()
    })
    .await;

    let (mut answered, mut worked, mut refused) = (0, 0, 0);
    for (name, path) in events() {
        let function = if name.starts_with("http-") || name.starts_with("url-") {
            "autopgo-lambda-server"
        } else {
            "autopgo-lambda-worker"
        };
        let answer =
            tokio::time::timeout(BUILDING, watch.invoke(function, &path)).await.expect("answered in time");
        match answer {
            Ok(answer) if function == "autopgo-lambda-server" => {
                let status = answer["statusCode"].as_u64().unwrap_or_else(|| panic!("{name}: {answer}"));
                // A folder signs nothing.
                assert!(
                    status < 500 || (status == 501 && name.starts_with("http-ticket")),
                    "{name}: {answer}"
                );
                assert!(status == 201 || !name.ends_with("upload"), "{name}: {answer}");
                answered += 1;
            }
            Ok(answer) => {
                // What is of an odd shape comes again; nothing else does, and no sweep is cut short.
                let again = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
                assert_eq!(again, if name == "sqs-odd" { 2 } else { 0 }, "{name}: {answer}");
                assert_ne!(answer["unfinished"], true, "{name}: {answer}");
                worked += 1;
            }
            Err(error) => {
                assert!(name == "sqs-nameless" || name.starts_with("refused-"), "{name}: {error}");
                assert!(
                    error.contains("must come again") || error.contains("the event is none of"),
                    "{name}: {error}"
                );
                refused += 1;
            }
        }
    }
    assert_eq!((answered, worked, refused), (11, 13, 4));

    // It ends the functions that it has started.
    let id = watching.id().expect("it runs").to_string();
    let kill = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
    assert!(kill.success());
    tokio::time::timeout(wait::PATIENCE, watching.wait()).await.expect("it stops").expect("it ends");
}
