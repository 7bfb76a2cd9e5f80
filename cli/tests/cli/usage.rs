//! The command line itself: exit codes, variables, completions, and pipes that close.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::rig::{Desk, answer, fake};

const NONE: &[u8] = br#"{"profiles":[]}"#;

fn listing() -> String {
    fake(vec![answer("200 OK", "application/json", NONE)])
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_right() {
    let desk = Desk::new();
    for (args, says) in [
        (vec!["lost"], "unrecognized subcommand 'lost'"),
        (vec!["upload", "x"], "--app <APP>"),
        (vec!["upload", "x", "--app", "Checkout"], "the application name has 'C' in it; use a-z, 0-9 and -"),
        (vec!["download", "../etc"], "the application name has '.' in it"),
        (vec!["delete", ""], "the application name is empty"),
        (vec!["clean"], "--older-than <DURATION>"),
        (vec!["clean", "--older-than", "1d"], "unknown unit"),
        (vec!["clean", "--older-than=-5m"], "is below zero"),
        (vec!["clean", "--larger-than", "1MB"], "invalid digit"),
        (vec!["list", "--timeout", "0s"], "it must be above zero"),
        (vec!["list", "--api-url", "localhost:8080"], "does not start with http:// or https://"),
        (vec!["list", "-l", "loud"], "possible values: debug, info, warn, error"),
        (vec!["list", "--json=maybe"], "maybe"),
        (vec!["merge", "a"], "--output <FILE>"),
        (vec!["scrape", "x.json"], "--sample-size <COUNT>"),
        (vec!["scrape", "x.json", "-s", "0"], "--sample-size"),
        (vec!["server"], "--blob-store-url <URL>"),
        (vec!["token", "--name", "ci"], "--scope <SCOPE>"),
        (vec!["token", "--scope", "upload"], "--name <NAME>"),
        (vec!["token", "--name", "c_i", "--scope", "upload"], "the token's name has '_' in it; use letters"),
        (vec!["token", "--name", "ci", "--scope", "read"], "possible values: upload, download, delete"),
        (
            vec!["token", "--name", "ci", "--scope", "upload", "--app", "A*"],
            "has 'A' in it, which no name has",
        ),
        (vec!["worker"], "--event-reader-url <URL>"),
        (vec!["local", "--emulate", "ibm"], "possible values: none, aws, gcp, azure"),
        (vec!["completions", "cmd"], "possible values: bash, elvish, fish, powershell, zsh"),
    ] {
        desk.run(&args).fails(2, says);
    }
}

#[test]
fn a_variable_works_like_its_flag_and_the_flag_wins() {
    let desk = Desk::facing("http://127.0.0.1:9").with("AUTOPGO_JSON", "1");
    let json = desk.run(&["list", "--api-url", &listing()]).ok();
    assert_eq!(json.json(), serde_json::json!({"profiles": []}));
    assert_eq!(desk.run(&["list", "-u", &listing(), "--json=false"]).ok().out(), "");
    let desk =
        Desk::facing("http://127.0.0.1:9").with("AUTOPGO_OLDER_THAN", "1h").with("AUTOPGO_LARGER_THAN", "x");
    desk.run(&["clean", "-u", &listing()]).fails(2, "invalid value 'x'");
    Desk::new().with("AUTOPGO_LARGER_THAN", "5").run(&["clean", "-u", &listing()]).ok();
}

#[test]
fn an_empty_variable_is_none() {
    let names = [
        "AUTOPGO_API_TOKEN",
        "AUTOPGO_APP",
        "AUTOPGO_AUTH",
        "AUTOPGO_HEADER",
        "AUTOPGO_JSON",
        "AUTOPGO_LARGER_THAN",
        "AUTOPGO_LOG_FORMAT",
        "AUTOPGO_LOG_LEVEL",
        "AUTOPGO_OLDER_THAN",
        "AUTOPGO_TIMEOUT",
        "AUTOPGO_TOKEN_FILE",
    ];
    let desk = names.iter().fold(Desk::facing(&listing()), |desk, name| desk.with(name, ""));
    desk.run(&["list"]).ok();
    desk.run(&["clean"]).fails(2, "--older-than <DURATION>");
    desk.run(&["upload", "x"]).fails(2, "--app <APP>");
    let desk = Desk::new().with("AUTOPGO_API_URL", "");
    assert!(desk.run(&["list"]).err().contains("http://localhost:8080") || desk.run(&["list"]).code() == 0);
}

#[test]
fn a_server_that_is_not_there_is_exit_code_5() {
    let ran = Desk::facing("http://127.0.0.1:9/prod").run(&["list"]);
    ran.fails(
        5,
        "nothing answers at http://127.0.0.1:9 (connection refused); is the server running? set --api-url",
    );
}

#[test]
fn logs_are_json_where_no_terminal_is_and_text_on_demand() {
    let broken =
        || fake(vec![answer("500 Oops", "text/plain", b""), answer("200 OK", "application/json", NONE)]);
    let json = Desk::facing(&broken()).run(&["list"]).ok().err();
    let line = json.lines().next().expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&line["level"], &line["attempt"]), (&"WARN".into(), &1.into()));
    let text = Desk::facing(&broken()).run(&["list", "--log-format", "text"]).ok().err();
    assert!(text.contains("WARN listing profiles failed; trying again"), "{text}");
    let none = Desk::facing(&broken()).run(&["list", "-l", "error"]).ok().err();
    assert!(!none.contains("trying again"), "{none}");
}

#[test]
fn every_shell_gets_a_script() {
    let desk = Desk::new();
    for (shell, says) in [
        ("bash", "complete -F _autopgo"),
        ("zsh", "#compdef autopgo"),
        ("fish", "complete -c autopgo"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[autopgo]"),
    ] {
        let script = desk.run(&["completions", shell]).ok().out();
        assert!(script.contains(says) && script.contains("allow-missing"), "{shell}");
        // The shell itself has the last word, where this machine has it.
        if ["bash", "zsh", "fish"].contains(&shell)
            && Command::new(shell)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok()
        {
            let path = desk.write(shell, script.as_bytes());
            let status = Command::new(shell).arg("-n").arg(path).status().expect("it starts");
            assert!(status.success(), "{shell} does not take it");
        }
    }
}

#[test]
fn a_reader_that_has_heard_enough_is_no_error() {
    let desk = Desk::new();
    let mut child =
        desk.command(&["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("it starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!((child.wait().expect("it ends").code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("there");
    let ran = Desk::new().command(&["completions", "zsh"]).stdout(full).output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1));
    assert!(said.contains("error: writing to standard output: No space left on device"), "{said}");
}

#[test]
fn help_and_version_are_data() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]).ok();
    for command in ["scrape", "server", "worker", "local", "upload", "download", "list", "delete", "clean"] {
        assert!(help.out().contains(&format!("\n  {command} ")), "{command}");
        assert!(desk.run(&[command, "--help"]).ok().out().contains("Usage: autopgo"));
    }
    assert_eq!(desk.run(&["--version"]).ok().out(), format!("autopgo {}\n", env!("CARGO_PKG_VERSION")));
    desk.run::<&str>(&[]).fails_without_a_command();
}

impl crate::rig::Ran {
    fn fails_without_a_command(self) {
        assert_eq!(self.code(), 2);
        assert!(self.err().contains("Usage: autopgo"), "{}", self.err());
    }
}

#[test]
#[cfg(not(feature = "scrape"))]
fn a_command_that_is_not_built_in_names_its_feature() {
    Desk::new()
        .run(&["scrape", "x.json", "-s", "1"])
        .fails(2, "this build has no `scrape`: build it with `cargo build");
}
