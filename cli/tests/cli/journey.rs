//! The API's commands, one after the other, against the real server and worker.

use crate::rig::{Desk, Rig, answer, eventually, fake, profile};

/// As in a container that has the program and nothing else.
#[test]
fn without_certificates_a_server_without_tls_is_reached() {
    let rig = Rig::start();
    let desk = Desk::facing(&rig.url);
    let none = desk.write("none.pem", b"");
    let none = none.to_str().expect("UTF-8");
    let desk = desk.with("SSL_CERT_FILE", none).with("SSL_CERT_DIR", none);
    let ran = desk.run(&["list"]).ok();
    assert!(ran.err().contains("no root certificates were found"), "{}", ran.err());
    desk.run(&["list", "--api-url", "https://localhost:1"]).fails(1, "install ca-certificates");
}

#[test]
fn a_profile_goes_up_is_merged_and_comes_down() {
    let rig = Rig::start();
    let desk = Desk::facing(&rig.url);

    let ran = desk.run(&["list"]).ok();
    assert_eq!(ran.out(), "");
    assert!(ran.err().contains("there are no profiles yet"), "{}", ran.err());
    assert_eq!(desk.run(&["list", "--json"]).ok().json(), serde_json::json!({"profiles": []}));

    let first = profile("hello-app/a-1.pprof");
    let ran = desk.run(&["upload", first.to_str().expect("UTF-8"), "--app", "checkout"]).ok();
    assert!(ran.out().starts_with("checkout/staging/") && ran.out().ends_with('\n'), "{}", ran.out());
    let second = std::fs::read(profile("hello-app/a-2.pprof")).expect("a profile");
    let ran = desk.pipe(&second, &["upload", "-", "-a", "checkout", "--json"]).ok();
    assert!(ran.json()["key"].as_str().is_some_and(|key| key.starts_with("checkout/staging/")));

    // Both are in the base once its samples are those of the two merged here.
    let merged = profile("hello-app/a-2.pprof");
    desk.run(&["merge", first.to_str().expect("UTF-8"), merged.to_str().expect("UTF-8"), "-o", "both.pgo"])
        .ok();
    let identity = |name: &str| desk.run(&["inspect", name, "--json"]).ok().json()["pgo"]["identity"].clone();
    eventually("both uploads are merged", || {
        let ran = desk.run(&["download", "checkout", "--allow-missing", "-l", "error"]);
        ran.code() == 0
            && desk.path("default.pgo").exists()
            && identity("default.pgo") == identity("both.pgo")
    });

    let ran = desk.run(&["download", "checkout", "-o", "other.pgo", "--json"]).ok();
    let written = ran.json();
    assert_eq!(written["app"], "checkout");
    assert_eq!(written["output"], "other.pgo");
    assert_eq!(written["size"], desk.read("other.pgo").len());
    assert!(written["etag"].is_string() && written["lastModified"].is_string(), "{written}");

    desk.run(&["download", "checkout", "--compact", "-o", "small.pgo"]).ok();
    assert_eq!(identity("small.pgo"), identity("both.pgo"));
    assert!(desk.read("small.pgo").len() < desk.read("default.pgo").len());
    let ran = desk.run(&["download", "checkout", "-o", "-"]).ok();
    assert_eq!((ran.stdout(), ran.err()), (&desk.read("default.pgo")[..], String::new()));

    let table = desk.run(&["list"]).ok().out();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["APP", "SIZE", "UPDATED"]);
    assert!(lines[1].starts_with("checkout ") && lines[1].contains("KiB"), "{table}");
    let listed = desk.run(&["list", "--json"]).ok().json();
    assert_eq!(listed["profiles"][0]["key"], "checkout");
    assert_eq!(listed["profiles"][0]["size"], desk.read("default.pgo").len());

    // A base URL that leads past the API is no profile that is missing.
    let astray = format!("{}/prod", rig.url);
    let call = ["download", "checkout", "--allow-missing", "--api-url", &astray, "-o", "none.pgo"];
    desk.run(&call).fails(1, "there is nothing at this path");
    assert!(!desk.path("none.pgo").exists());

    assert!(desk.run(&["delete", "checkout"]).ok().err().contains("deleted the profile of checkout"));
    desk.run(&["delete", "checkout"]).fails(3, "there is no profile of checkout");
    desk.run(&["download", "checkout"]).fails(3, "there is no profile of checkout yet");
}

#[test]
fn clean_deletes_what_is_old_or_large_and_nothing_else() {
    let rig = Rig::start();
    let desk = Desk::facing(&rig.url);
    for (app, name) in [("small", "hello-app/b-2.pprof"), ("large", "mtg.pgo"), ("larger", "rclone.pgo")] {
        desk.run(&["upload", profile(name).to_str().expect("UTF-8"), "-a", app]).ok();
    }
    let apps = || {
        let listed = desk.run(&["list", "--json"]).ok().json();
        let lines = listed["profiles"].as_array().expect("a list").clone();
        lines.iter().map(|line| line["key"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    eventually("all three are merged", || apps().len() == 3);

    let ran = desk.run(&["clean", "--older-than", "24h", "--larger-than", "10000000"]).ok();
    assert!(ran.err().contains("nothing was deleted"), "{}", ran.err());
    let ran = desk.run(&["clean", "-d", "24h", "-s", "40000", "--json"]).ok().json();
    let deleted: Vec<_> =
        ran["deleted"].as_array().expect("a list").iter().map(|line| line["key"].clone()).collect();
    assert_eq!(deleted, ["large", "larger"]);
    assert_eq!(
        (ran["vanished"].clone(), ran["failed"].clone()),
        (serde_json::json!([]), serde_json::json!([]))
    );
    assert_eq!(apps(), ["small"]);
    let ran = desk.run(&["clean", "--older-than", "0s"]).ok();
    assert!(ran.err().starts_with("deleted the profile of small: "), "{}", ran.err());
    assert!(apps().is_empty());
}

#[test]
fn clean_takes_a_vanished_profile_as_it_is_and_goes_on_after_a_failure() {
    let line = |app: &str| format!(r#"{{"key":"{app}","size":5,"lastModified":"2020-01-01T00:00:00Z"}}"#);
    let listed = format!(r#"{{"profiles":[{},{},{}]}}"#, line("a"), line("b"), line("c"));
    let json = |status: &str, body: &str| answer(status, "application/json", body.as_bytes());
    let url = fake(vec![
        json("200 OK", &listed),
        json("404 Not Found", r#"{"message":"there is nothing","code":404}"#),
        json("403 Forbidden", r#"{"message":"not yours","code":403}"#),
        json("200 OK", "{}"),
    ]);
    let ran = Desk::facing(&url)
        .run(&["clean", "-s", "1", "--json"])
        .fails(4, "deleting the profile of b: not yours");
    let cleaned = ran.json();
    assert_eq!(cleaned["deleted"][0]["key"], "c");
    assert_eq!(
        (cleaned["vanished"].clone(), cleaned["failed"].clone()),
        (serde_json::json!(["a"]), serde_json::json!(["b"]))
    );
}

#[test]
fn an_upload_is_refused_before_it_is_sent() {
    // Nobody is there to refuse it, and that is never found out.
    let desk = Desk::facing("http://127.0.0.1:9");
    let table = [
        ("heap.pprof", std::fs::read(profile("hello-app/a-heap.pprof")).expect("a profile"), "(a heap"),
        (
            "goroutine.pprof",
            std::fs::read(profile("hello-app/a-goroutine.pprof")).expect("a profile"),
            "goroutine",
        ),
        ("legacy.cpu", std::fs::read(profile("legacy-gobench.cpu")).expect("a profile"), "legacy"),
        ("empty.pprof", Vec::new(), "the profile is empty"),
        ("text.pprof", b"hello, world".to_vec(), "not a pprof profile"),
        ("cut.pprof", std::fs::read(profile("mtg.pgo")).expect("a profile")[..5000].to_vec(), "cut short"),
    ];
    for (name, bytes, says) in table {
        desk.write(name, &bytes);
        let ran = desk.run(&["upload", name, "-a", "checkout"]).fails(1, says);
        assert!(ran.err().starts_with(&format!("error: {name} was not sent: ")), "{}", ran.err());
    }
}

#[test]
fn a_raw_profile_is_compressed_on_its_way() {
    let rig = Rig::start();
    let desk = Desk::facing(&rig.url);
    let gzip = std::fs::read(profile("hello-app/b-1.pprof")).expect("a profile");
    let raw = autopgo_pprof::gzip::inflate(&gzip, 1 << 30).expect("gzip");
    desk.write("raw.pprof", &raw);
    let ran = desk.run(&["upload", "raw.pprof", "-a", "raw"]).ok();
    assert!(!ran.err().contains(&format!("uploaded {}", raw.len())), "{}", ran.err());
    eventually("it is merged", || desk.run(&["download", "raw", "-l", "error"]).code() == 0);
}
