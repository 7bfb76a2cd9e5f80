//! The commands that need no server: merge, compact, prune and inspect on recorded profiles.

use crate::rig::{Desk, profile};

fn path(name: &str) -> String {
    profile(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn inspect_tells_what_the_compiler_reads() {
    let desk = Desk::new();
    let json = desk.run(&["inspect", &path("go-compile.pgo"), "--json"]).ok().json();
    for (field, value) in [("samples", 8565), ("locations", 11182), ("functions", 3114), ("size", 293_923)] {
        assert_eq!(json[field], value, "{field}");
    }
    assert_eq!(json["kind"], "cpu");
    assert_eq!(json["sampleTypes"], serde_json::json!(["samples/count", "cpu/nanoseconds"]));
    assert_eq!(json["pgo"]["edges"], 3532);
    assert!(json["pgo"]["identity"].as_str().is_some_and(|identity| identity.starts_with("988f1f408e63")));
    let (hot, hottest) = (&json["pgo"]["hotEdges"], json["pgo"]["hottest"].as_array().expect("a list"));
    assert!(hot.as_u64().is_some_and(|hot| hot > 0 && hot <= 3532), "{hot}");
    assert!(hottest.len() == 10 && hottest[0]["caller"].is_string(), "{hottest:?}");
    assert!(json["compactSize"].as_u64() < json["size"].as_u64());
    assert_eq!(json["problems"], serde_json::json!([]));

    let text = desk.run(&["inspect", &path("go-compile.pgo")]).ok().out();
    assert!(text.contains("edges      3,532, ") && text.contains("\nidentity   988f1f408e63"), "{text}");
    assert!(text.contains("problems   none"), "{text}");
}

#[test]
fn inspect_says_what_is_wrong() {
    let desk = Desk::new();
    for (name, kind, says) in [
        ("hello-app/a-heap.pprof", "heap", "PGO needs a CPU profile"),
        ("hello-app/a-goroutine.pprof", "goroutine", "PGO needs a CPU profile"),
    ] {
        let json = desk.run(&["inspect", &path(name), "--json"]).ok().json();
        assert_eq!((json["kind"].as_str(), &json["pgo"]), (Some(kind), &serde_json::Value::Null));
        assert!(json["problems"][0].as_str().is_some_and(|problem| problem.contains(says)), "{json}");
    }
    let raw = autopgo_pprof::gzip::inflate(&std::fs::read(profile("mtg.pgo")).expect("a profile"), 1 << 30);
    let ran = desk.pipe(&raw.expect("gzip"), &["inspect", "-"]).ok();
    assert!(ran.out().contains("profile    standard input") && ran.out().contains("it is not compressed"));
    desk.run(&["inspect", &path("legacy-gobench.cpu")]).fails(1, "legacy");
}

#[test]
fn merge_is_the_sum_and_compact_the_same_binary() {
    let desk = Desk::new();
    let parts: Vec<String> = (1..=5).map(|part| path(&format!("hello-app/a-{part}.pprof"))).collect();
    let mut args = vec!["merge"];
    args.extend(parts.iter().map(String::as_str));
    let ran = desk.run(&[&args[..], &["-o", "all.pgo"]].concat()).ok();
    assert!(ran.err().contains("of 5 profiles") && ran.out().is_empty(), "{}", ran.err());
    let to_pipe = desk.run(&[&args[..], &["-o", "-"]].concat()).ok();
    assert_eq!(to_pipe.stdout(), desk.read("all.pgo"));
    let inspect = |name: &str| desk.run(&["inspect", name, "--json"]).ok().json();
    let totals: i64 = parts.iter().map(|part| inspect(part)["totals"][0].as_i64().expect("a number")).sum();
    assert_eq!(inspect("all.pgo")["totals"][0], totals);

    desk.run(&["compact", "all.pgo", "-o", "small.pgo"]).ok();
    assert_eq!(inspect("small.pgo")["pgo"], inspect("all.pgo")["pgo"]);
    assert_eq!(inspect("small.pgo")["size"], inspect("all.pgo")["compactSize"]);
    let piped = desk.pipe(&desk.read("all.pgo"), &["compact", "-", "-o", "-"]).ok();
    assert_eq!(piped.stdout(), desk.read("small.pgo"));
}

#[test]
fn what_does_not_fit_is_named() {
    let desk = Desk::new();
    let ran =
        desk.run(&["merge", &path("hello-app/a-1.pprof"), &path("hello-app/a-heap.pprof"), "-o", "out"]);
    let ran = ran.fails(1, "the profiles cannot be merged");
    assert!(ran.err().contains("a-heap.pprof: "), "{}", ran.err());
    desk.run(&["merge", "-", "-", "-o", "out"]).fails(2, "only once");
    desk.run(&["compact", &path("hello-app/a-heap.pprof"), "-o", "out"]).fails(1, "a-heap.pprof: ");
    assert!(desk.names().is_empty());
}

#[test]
fn prune_does_what_a_worker_would() {
    let desk = Desk::new();
    desk.write(
        "rules.json",
        br#"[
            // What the runtime does is not ours to optimize.
            {"app": "checkout", "rules": [{"drop": "runtime\\..*",}]},
        ]"#,
    );
    let from = path("hello-app/a-1.pprof");
    let args = |app, rules| ["prune", "--rules", rules, "--app", app, from.as_str(), "-o", "out.pgo"];
    let ran = desk.run(&args("checkout", "rules.json")).ok();
    let inspect = |name: &str| desk.run(&["inspect", name, "--json"]).ok().json();
    let (before, after) =
        (inspect(&from)["pgo"]["edges"].clone(), inspect("out.pgo")["pgo"]["edges"].clone());
    assert!(after.as_u64() < before.as_u64(), "{before} {after}");
    let said = format!("wrote out.pgo: {after} call edges that the compiler reads, from {before}\n");
    assert_eq!(ran.err(), said);

    std::fs::remove_file(desk.path("out.pgo")).expect("removed");
    desk.run(&args("payment", "rules.json")).fails(1, "rules.json has no rules for payment");
    for (name, text, says) in [
        ("bad.json", r#"[{"app": "checkout", "rules": [{"drop": "("}]}]"#, "bad.json:1:"),
        ("bare.json", r#"[{"app": "checkout", "rules": [{"keep": "x"}]}]"#, "drop"),
        ("torn.json", r#"[{"app": "checkout","#, "torn.json:1:"),
    ] {
        desk.write(name, text.as_bytes());
        desk.run(&args("checkout", name)).fails(1, says);
    }
    desk.run(&args("checkout", "none.json")).fails(1, "reading none.json");
    assert!(!desk.path("out.pgo").exists());
}

#[test]
fn a_rule_that_cannot_match_is_pointed_out() {
    let desk = Desk::new();
    desk.write("rules.json", br#"[{"app": "a", "rules": [{"drop": "http\\.\\(\\*conn\\)\\.serve"}]}]"#);
    let ran =
        desk.run(&["prune", "--rules", "rules.json", "--app", "a", &path("mtg.pgo"), "-o", "out.pgo"]).ok();
    assert!(ran.err().contains("warning: ") && ran.err().contains("full"), "{}", ran.err());
}

#[test]
fn bad_input_is_a_clear_error_everywhere() {
    let desk = Desk::new();
    desk.write("empty", b"");
    desk.write("rules.json", br#"[{"app": "a", "rules": [{"drop": "x"}]}]"#);
    for (input, says) in
        [("none", "reading none: No such file"), (".", "it is a folder"), ("empty", "the profile is empty")]
    {
        for command in [
            vec!["merge", input, "-o", "out"],
            vec!["compact", input, "-o", "out"],
            vec!["prune", "--rules", "rules.json", "--app", "a", input, "-o", "out"],
            vec!["inspect", input],
            vec!["upload", input, "-a", "a"],
        ] {
            desk.run(&command).fails(1, says);
        }
    }
    assert!(!desk.path("out").exists());
}
