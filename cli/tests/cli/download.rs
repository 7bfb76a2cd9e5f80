//! Downloads that fail: the old file stays as it was, and there is never half a one.

use std::os::unix::fs::PermissionsExt;

use crate::rig::{Desk, answer, fake, profile};

fn good() -> Vec<u8> {
    std::fs::read(profile("hello-app/a-1.pprof")).expect("a profile")
}

fn gives(bytes: &[u8]) -> Vec<u8> {
    answer("200 OK", "application/octet-stream", bytes)
}

const MISSING: &[u8] = br#"{"message":"there is no profile of checkout yet","code":404}"#;

#[test]
fn a_failed_download_leaves_the_old_file_as_it_was() {
    let cut = gives(&good())[..9000].to_vec();
    let mut flipped = good();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    let short = good()[..9000].to_vec();
    let raw = autopgo_pprof::gzip::inflate(&good(), 1 << 30).expect("gzip");
    let json = |status: &str, body: &[u8]| answer(status, "application/json", body);
    let table: Vec<(&str, Vec<u8>, i32, &str)> = vec![
        ("cut by the network", cut, 5, "nothing answers"),
        ("cut at its source", gives(&short), 1, "cut short"),
        ("changed on the way", gives(&flipped), 1, "what came cannot be used"),
        ("not compressed", gives(&raw), 1, "what came is no profile"),
        ("empty", gives(b""), 1, "what came is no profile"),
        ("a page", answer("200 OK", "text/html", b"<title>Sign in</title>"), 1, "answers with a web page"),
        ("missing", json("404 Not Found", MISSING), 3, "there is no profile of checkout yet"),
        (
            "denied",
            json("401 Unauthorized", br#"{"message":"who are you","code":401}"#),
            4,
            "set AUTOPGO_API_TOKEN",
        ),
        ("forbidden", json("403 Forbidden", br#"{"message":"not yours","code":403}"#), 4, "not yours"),
        (
            "a wrong address",
            answer("404 Not Found", "text/html", b"<title>nginx</title>"),
            1,
            "check --api-url",
        ),
        // A server that wants an hour's rest is not waited for.
        ("down", answer("503 Down\r\nRetry-After: 3600", "text/plain", b"maintenance"), 5, "(maintenance)"),
    ];
    for (what, bytes, code, says) in table {
        // Where it is asked for again, it finds nobody from the third time on.
        let desk = Desk::facing(&fake(vec![bytes.clone(); 2]));
        desk.write("default.pgo", b"the old one");
        let ran = desk.run(&["download", "checkout"]).fails(code, says);
        assert_eq!(ran.out(), "", "{what}");
        assert_eq!(desk.read("default.pgo"), b"the old one", "{what}");
        assert_eq!(desk.names(), ["default.pgo"], "{what}: nothing else is left behind");

        let bare = Desk::facing(&fake(vec![bytes; 2]));
        bare.run(&["download", "checkout", "-o", "new.pgo"]).fails(code, says);
        assert!(bare.names().is_empty(), "{what}: {:?}", bare.names());
    }
}

#[test]
fn a_broken_line_is_tried_again() {
    let cut = gives(&good())[..9000].to_vec();
    let desk = Desk::facing(&fake(vec![cut, gives(&good())]));
    let ran = desk.run(&["download", "checkout"]).ok();
    assert!(ran.err().contains("trying again"), "{}", ran.err());
    assert_eq!(desk.read("default.pgo"), good());
}

#[test]
fn no_profile_yet_can_be_fine() {
    let missing = || fake(vec![answer("404 Not Found", "application/json", MISSING)]);
    let desk = Desk::facing(&missing());
    let ran = desk.run(&["download", "checkout", "--allow-missing"]).ok();
    assert!(ran.err().contains("nothing was written") && ran.out().is_empty(), "{}", ran.err());
    assert!(desk.names().is_empty());

    // By the variable, as JSON, with an old file there.
    let desk = Desk::facing(&missing()).with("AUTOPGO_ALLOW_MISSING", "T");
    desk.write("default.pgo", b"the old one");
    let ran = desk.run(&["download", "checkout", "--json"]).ok();
    assert_eq!(
        (ran.json()["app"].clone(), ran.json()["output"].clone()),
        ("checkout".into(), serde_json::Value::Null)
    );
    assert_eq!(desk.read("default.pgo"), b"the old one");

    // A flag wins over its variable.
    let desk = Desk::facing(&missing()).with("AUTOPGO_ALLOW_MISSING", "1");
    desk.run(&["download", "checkout", "--allow-missing=false"]).fails(3, "there is no profile");

    // A wrong address is not a profile that is missing, nor is a server that is down.
    let stranger = fake(vec![answer("404 Not Found", "text/html", b"")]);
    Desk::facing(&stranger).run(&["download", "checkout", "--allow-missing"]).fails(1, "check --api-url");
    Desk::facing("http://127.0.0.1:9")
        .run(&["download", "checkout", "--allow-missing"])
        .fails(5, "nothing answers");
}

#[test]
fn the_file_is_replaced_with_its_permissions() {
    let desk = Desk::facing(&fake(vec![gives(&good())]));
    let path = desk.write("default.pgo", b"the old one");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).expect("set");
    let ran = desk.run(&["download", "checkout"]).ok();
    assert!(ran.err().starts_with("wrote default.pgo: 20.0 KiB, 223 samples of checkout"), "{}", ran.err());
    assert_eq!(desk.read("default.pgo"), good());
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o604);
    assert_eq!(desk.names(), ["default.pgo"]);
}

#[test]
fn a_place_that_cannot_be_written_says_so() {
    for (output, says) in [
        (".", "it is a folder"),
        ("missing/default.pgo", "No such file"),
        ("/dev/full", "No space left on device"),
    ] {
        let desk = Desk::facing(&fake(vec![gives(&good())]));
        desk.run(&["download", "checkout", "-o", output]).fails(1, says);
        assert!(desk.names().is_empty(), "{output}");
    }
}

#[test]
fn the_token_goes_along_and_never_shows() {
    let refusal = br#"{"message":"no such token","code":401}"#;
    let refused = || fake(vec![answer("401 Unauthorized", "application/json", refusal)]);
    let desk =
        Desk::facing(&refused()).with("AUTOPGO_API_TOKEN", "s3cret").with("AUTOPGO_HEADER", "X-Key: s3cret");
    let ran = desk.run(&["download", "checkout", "-l", "debug"]).fails(4, "no such token");
    assert!(!ran.err().contains("s3cret"), "{}", ran.err());
    assert!(!desk.run(&["download", "--help"]).out().contains("s3cret"));

    let desk = Desk::facing(&refused());
    desk.write("empty", b"\n");
    desk.run(&["list", "--token-file", "empty"]).fails(2, "the token file empty: the API token is empty");
    desk.run(&["list", "--token-file", "none"]).fails(2, "reading the token file none");
    desk.run(&["list", "--header", "s3cret"]).fails(2, "a header without a colon");
}
