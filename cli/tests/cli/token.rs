//! `autopgo token`, and what a server makes of what it says.

use autopgo_http::access::{Access, Tokens};

use crate::rig::{Desk, Ran, Rig, profile};

/// The entry that a person is told of.
fn entry(ran: &Ran) -> String {
    ran.err().lines().last().expect("an entry").to_owned()
}

#[test]
fn the_token_is_data_and_the_entry_is_said() {
    let ran = Desk::new().run(&["token", "--name", "ci", "--scope", "download", "--app", "team-*"]).ok();
    let (token, said) = (ran.out(), ran.err());
    let hex = token.strip_prefix("autopgo_").expect("a token").trim_end();
    assert!(
        hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()) && token.ends_with('\n'),
        "{token}"
    );
    assert!(said.contains("AUTOPGO_API_TOKEN") && said.contains("AUTOPGO_TOKENS"), "{said}");
    assert!(!said.contains(hex), "the token is on standard error");
    let entry: serde_json::Value = serde_json::from_str(&entry(&ran)).expect("JSON");
    assert_eq!(entry["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(
        (&entry["name"], &entry["scopes"], &entry["apps"]),
        (&"ci".into(), &serde_json::json!(["download"]), &serde_json::json!(["team-*"]))
    );
}

#[test]
fn all_of_it_is_json_for_scripts() {
    let args = ["token", "--name", "ci", "--scope", "upload,download", "--scope", "delete", "--json"];
    let ran = Desk::new().run(&args).ok();
    assert_eq!(ran.err(), "");
    let made = ran.json();
    assert!(made["token"].as_str().is_some_and(|token| token.starts_with("autopgo_")), "{made}");
    assert_eq!(made["entry"]["scopes"], serde_json::json!(["upload", "download", "delete"]));
    assert_eq!(made["entry"]["apps"], serde_json::json!(["*"]));
    let other = Desk::new().run(&args).ok().json();
    assert!(made["token"] != other["token"] && made["entry"]["sha256"] != other["entry"]["sha256"]);
}

#[test]
fn a_server_takes_what_was_made_and_refuses_by_name() {
    let desk = Desk::new();
    let make = |name: &str, scope: &str| {
        let ran = desk.run(&["token", "--name", name, "--scope", scope, "--app", "checkout"]).ok();
        (ran.out(), entry(&ran))
    };
    // The old one is good for as long as it is in the list.
    let (old, new, ci) = (make("scraper-1", "upload"), make("scraper-2", "upload"), make("ci", "download"));
    let list = format!("[{}, {}, {}]", old.1, new.1, ci.1);
    let rig = Rig::for_whom(Access::by(Tokens::parse(&list, "list").expect("a list")));
    let upload = profile("hello-app/a-1.pprof").display().to_string();
    let call = |token: &str, args: &[&str]| {
        let path = desk.write("the.token", token.as_bytes());
        let path = path.to_str().expect("UTF-8").to_owned();
        desk.run(&[args, &["--api-url", &rig.url, "--token-file", &path]].concat())
    };
    for token in [&old.0, &new.0] {
        call(token, &["upload", &upload, "--app", "checkout"]).ok();
        call(token, &["upload", &upload, "--app", "billing"]).fails(4, "is not for the application billing");
        call(token, &["list"]).fails(4, "lacks the scope download");
    }
    call(&ci.0, &["list"]).ok();
    call(&ci.0, &["upload", &upload, "--app", "checkout"]).fails(4, "the token ci lacks the scope upload");
    call("autopgo_wrong", &["list"]).fails(4, "none that this server knows");
    desk.run(&["list", "--api-url", &rig.url]).fails(4, "wants a token");
    let by_variable = Desk::facing(&rig.url).with("AUTOPGO_API_TOKEN", ci.0.trim_end());
    by_variable.run(&["list"]).ok();
}
