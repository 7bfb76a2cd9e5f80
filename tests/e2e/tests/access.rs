//! Tokens from the command line to the log: whom `local` and `server` let in, and what they say of it.

use std::path::Path;
use std::process::Output;

use autopgo_e2e::matrix::{self, ALL, DOWNLOADER, UPLOADER};
use autopgo_e2e::paths::fixture;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::wait;

/// `local` or `server` with `arguments` and `variables`, over memory.
async fn serving(command: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let store = ["--blob-store-url", "mem://store", "--event-writer-url", "mem://bus"];
    let reader = if command == "local" { &["--event-reader-url", "mem://bus"][..] } else { &[] };
    let arguments = [&[command, "--port", &port][..], &store, reader, arguments].concat();
    let mut command = autopgo(&arguments);
    command.envs(variables.iter().copied());
    Running::start(command, address).await
}

fn call(url: &str, token: &str, arguments: &[&str]) -> Output {
    let mut command = autopgo(&[arguments, &["--api-url", url]].concat());
    command.env("AUTOPGO_API_TOKEN", token).output().expect("autopgo starts")
}

fn list_in(folder: &Path) -> String {
    let path = folder.join("tokens.json");
    std::fs::write(&path, matrix::LIST).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

fn hides_secrets(log: &[String]) {
    let log = log.join("\n");
    for secret in matrix::secrets() {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_holds_at_local_and_the_log_has_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = list_in(folder.path());
    for format in ["json", "text"] {
        let arguments = ["--tokens-file", &list, "--log-level", "debug", "--log-format", format];
        let local = serving("local", &arguments, &[]).await;
        matrix::holds(&local.url).await;
        let (code, log) = local.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
        hides_secrets(&log);
        let has = |words: &[&str]| log.iter().any(|line| words.iter().all(|word| line.contains(word)));
        if format == "json" {
            assert!(has(&["\"token\":\"uploader\"", "\"status\":201"]), "{log:#?}");
            assert!(has(&["\"token\":\"elsewhere\"", "\"status\":403", "\"app\":\"team-a\""]), "{log:#?}");
            assert!(has(&["all, uploader, downloader, deleter, elsewhere, watcher"]), "{log:#?}");
        } else {
            assert!(has(&["token=\"deleter\"", "status=200"]), "{log:#?}");
        }
        assert!(!has(&["anybody who reaches this server"]), "{log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_holds_at_a_server_and_an_open_one_says_so_loudly() {
    let server = serving("server", &[], &[("AUTOPGO_TOKENS", matrix::LIST)]).await;
    matrix::holds(&server.url).await;
    let (code, log) = server.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    hides_secrets(&log);
    let loud =
        |log: &[String]| log.iter().filter(|line| line.contains("anybody who reaches this server")).count();
    assert_eq!(loud(&log), 0, "{log:#?}");

    // An empty variable is none.
    let open = serving("server", &[], &[("AUTOPGO_TOKENS", ""), ("AUTOPGO_TOKENS_FILE", "")]).await;
    matrix::admits(&open.url).await;
    let (_, log) = open.stop().await;
    assert_eq!(loud(&log), 1, "{log:#?}");
    assert!(
        log.iter().any(|line| line.contains("\"WARN\"") && line.contains("AUTOPGO_TOKENS_FILE")),
        "{log:#?}"
    );

    // Nobody but this machine reaches `local`.
    let local = serving("local", &[], &[]).await;
    let (_, log) = local.stop().await;
    assert_eq!(loud(&log), 0, "{log:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_is_let_in_and_told_why_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let local = serving("local", &["--tokens-file", &list_in(folder.path())], &[]).await;
    let (url, profile) = (local.url.as_str(), fixture("hello-app/a-1.pprof").display().to_string());
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let succeeds = |token: &str, arguments: &[&str]| {
        let output = call(url, token, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for app in ["team-a", "other"] {
        succeeds(ALL.text, &["upload", &profile, "--app", app]);
    }
    wait::until("both are merged", async || {
        let listed = succeeds(ALL.text, &["list", "--json"]);
        (listed.contains("\"team-a\"") && listed.contains("\"other\"")).then_some(())
    })
    .await;
    assert!(!succeeds(DOWNLOADER.text, &["list", "--json"]).contains("\"other\""));
    succeeds(DOWNLOADER.text, &["download", "team-a", "--output", &path("down.pgo")]);
    for (token, arguments, says) in [
        ("", &["list"][..], "this server wants a token"),
        ("matrix-unknown", &["list"], "none that this server knows"),
        (UPLOADER.text, &["download", "team-a", "--output", &path("none.pgo")], "lacks the scope download"),
        (UPLOADER.text, &["upload", &profile, "--app", "other"], "is not for the application other"),
        (DOWNLOADER.text, &["delete", "team-a"], "the token downloader lacks the scope delete"),
    ] {
        let output = call(url, token, arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
        assert!(!said(&output).contains("matrix-"), "{}", said(&output));
    }
    assert!(!folder.path().join("none.pgo").exists());
    let (code, log) = local.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    hides_secrets(&log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_lets_itself_in() {
    let address = free_address();
    let port = address.port().to_string();
    let mut command = autopgo(&["local", "--demo", "--blob-store-url", "mem://demo", "--port", &port]);
    command.env("AUTOPGO_TOKENS", matrix::LIST);
    let demo = Running::start(command, address).await;
    let url = demo.url.clone();
    wait::until("the demo's application is listed", async || {
        let output = call(&url, ALL.text, &["list", "--json"]);
        String::from_utf8_lossy(&output.stdout).contains("\"hello-app\"").then_some(())
    })
    .await;
    assert_eq!(call(&url, "", &["list"]).status.code(), Some(4));
    let (code, log) = demo.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    hides_secrets(&log);
    assert!(
        log.iter().any(|line| line.contains("\"token\":\"(demo)\"") && line.contains("\"status\":201")),
        "{log:#?}"
    );
}

#[test]
fn a_list_that_is_wrong_stops_the_start_and_is_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = list_in(folder.path());
    let server =
        ["server", "--blob-store-url", "mem://store", "--event-writer-url", "mem://bus", "--port", "0"];
    let local = ["local", "--blob-store-url", "mem://store", "--port", "0"];
    for start in [&server[..], &local] {
        let hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        for (file, inline, says) in [
            (list.as_str(), matrix::LIST, "there are two lists of tokens"),
            ("/nowhere/tokens.json", "", "reading the tokens /nowhere/tokens.json (AUTOPGO_TOKENS_FILE)"),
            ("", "[]", "AUTOPGO_TOKENS:1:1: the list has no token in it"),
            ("", ALL.text, "AUTOPGO_TOKENS:1:1: "),
            (
                "",
                &format!("[\n  \"{}\"\n]", ALL.text),
                "AUTOPGO_TOKENS:2:3: invalid type: string, expected an object",
            ),
            (
                "",
                &format!("[{{\"name\": \"a\", \"sha256\": \"{hash}\", \"scopes\": [\"read\"]}}]"),
                "AUTOPGO_TOKENS:1:105: unknown variant `read`",
            ),
        ] {
            let mut command = autopgo(start);
            command.env("AUTOPGO_TOKENS_FILE", file).env("AUTOPGO_TOKENS", inline);
            let output = command.output().expect("autopgo starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(says), "it does not say {says:?}: {said}");
            hides_secrets(&[said.clone()]);
            assert!(!said.contains(hash), "{said}");
        }
    }
}
