//! Recorded answers of google/pprof and `go tool preprofile` (tests/fixtures/golden, made by
//! tests/oracle), on real profiles and on small ones that each probe one rule: ours must be the same,
//! byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use autopgo_pprof::{Edges, Error, ErrorKind, Limits, Profile, check, compact, merge, prune};
use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest() -> Value {
    serde_json::from_slice(&fixture("golden/manifest.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(path: &str) -> Result<Profile, Error> {
    Profile::parse(&fixture(path), &Limits::default())
}

/// Go's syntax for a quoted part is the one thing in the recorded rules that `regex` does not have.
fn rule(pattern: &Value) -> Regex {
    let pattern = text(pattern);
    let pattern =
        match pattern.split_once(r"\Q").and_then(|(before, rest)| Some((before, rest.split_once(r"\E")?))) {
            Some((before, (quoted, after))) => format!("{before}{}{after}", regex::escape(quoted)),
            None => pattern.to_owned(),
        };
    Regex::new(&pattern).unwrap()
}

fn run(case: &Value) -> Result<Profile, Error> {
    let inputs = case["inputs"].as_array().unwrap();
    let mut profiles: Vec<Profile> = inputs.iter().map(|path| parse(text(path))).collect::<Result<_, _>>()?;
    for step in case["steps"].as_array().unwrap() {
        match text(&step["op"]) {
            "merge" => profiles = vec![merge(&profiles.iter().collect::<Vec<_>>())?],
            "prune" => {
                let drop = rule(&step["drop"]);
                let keep = step.get("keep").map(rule);
                let keep = keep.as_ref().map(|keep| |name: &str| keep.is_match(name));
                for profile in &mut profiles {
                    let keep = keep.as_ref().map(|keep| keep as &dyn Fn(&str) -> bool);
                    prune::prune(profile, prune::Names::Simplified, &|name| drop.is_match(name), keep);
                }
            }
            other => panic!("unknown step {other}"),
        }
    }
    assert_eq!(profiles.len(), 1, "{case}");
    Ok(profiles.remove(0))
}

/// What Go's tools take and we refuse.
fn refused_here(name: &str) -> Option<ErrorKind> {
    let legacy =
        name.starts_with("legacy/") || name.contains("legacy-gobench") || name == "broken/preprofile-text";
    legacy.then_some(ErrorKind::Legacy)
}

#[test]
fn every_recorded_answer_is_ours() {
    let manifest = manifest();
    let cases = manifest["cases"].as_array().unwrap();
    assert!(cases.len() > 500, "only {} cases", cases.len());
    for case in cases {
        let name = text(&case["name"]);
        let answer = run(case);
        if let Some(kind) = refused_here(name) {
            assert_eq!(answer.unwrap_err().kind(), kind, "{name}");
        } else if case.get("error").is_some() {
            let error = answer.map(|_| ()).expect_err(name);
            let expected =
                if name.starts_with("merge/") { ErrorKind::Incompatible } else { ErrorKind::Malformed };
            assert_eq!(error.kind(), expected, "{name}: {error}");
        } else {
            same_profile(name, case, &answer.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
    }
}

fn same_profile(name: &str, case: &Value, profile: &Profile) {
    let counts = [
        ("samples", profile.sample_count()),
        ("locations", profile.location_count()),
        ("functions", profile.function_count()),
        ("mappings", profile.mapping_count()),
    ];
    for (what, count) in counts {
        assert_eq!(case[what], count, "{what} of {name}");
    }
    let raw = profile.encode();
    assert_eq!(
        (raw.len() as u64, profile.encoded_len()),
        (case["bytes"].as_u64().unwrap(), raw.len() as u64),
        "{name}"
    );
    assert_eq!(digest(&raw), text(&case["sha256"]), "{name}");
    same_edges(name, &case["preprofile"], profile);
}

fn same_edges(name: &str, preprofile: &Value, profile: &Profile) {
    let edges = Edges::of(profile);
    // Where the compiler makes nonsense of a difference of two profiles, we refuse; where its older
    // versions refuse an idle service's zeroes and newer ones ignore them, so do we.
    match name {
        "broken/negative-value" | "merge/negative" | "merge/wrap" => {
            return assert_eq!(edges.unwrap_err().kind(), ErrorKind::Unusable);
        }
        "broken/all-zero" => return assert!(edges.unwrap().is_empty()),
        _ => {}
    }
    if preprofile.get("error").is_some() {
        assert_eq!(edges.unwrap_err().kind(), ErrorKind::Unusable, "{name}");
        return;
    }
    let edges = edges.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(edges.identity().to_string(), text(&preprofile["sha256"]), "{name}");
    assert_eq!(preprofile["edges"], edges.len(), "{name}");
    assert_eq!(digest(&edges.preprofile()), edges.identity().to_string(), "{name}");
    let small = compact(profile).unwrap();
    assert_eq!(Edges::of(&small).unwrap().identity(), edges.identity(), "compact form of {name}");
}

/// The fixtures' README states edges and the start of the preprofile's hash: of the compiler itself.
#[test]
fn the_readme_of_the_fixtures_is_right() {
    let readme = String::from_utf8(fixture("profiles/README.md")).unwrap();
    let mut checked = 0;
    for row in readme.lines().filter(|row| row.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [file, .., samples, locations, functions, edges, hash] = cells[..] else { continue };
        if hash.len() != 12 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        let profile = parse(&format!("profiles/{file}")).unwrap();
        check::upload(&profile).unwrap();
        let found = Edges::of(&profile).unwrap();
        assert!(found.identity().to_string().starts_with(hash), "{file}");
        let counts =
            [profile.sample_count(), profile.location_count(), profile.function_count(), found.len()];
        assert_eq!(counts.map(|count| count.to_string()), [samples, locations, functions, edges], "{file}");
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn the_hello_app_captures_are_uploads() {
    for name in ["a-1", "a-2", "a-3", "a-4", "a-5", "b-1", "b-2", "b-3", "labels-1", "labels-2"] {
        check::upload(&parse(&format!("profiles/hello-app/{name}.pprof")).unwrap()).unwrap();
    }
}

#[test]
fn wrong_kinds_are_refused_by_name() {
    let refusal = |path: &str| parse(path).and_then(|profile| check::upload(&profile)).unwrap_err();
    for (path, kind, expected) in [
        (
            "profiles/hello-app/a-heap.pprof",
            ErrorKind::Unusable,
            "sample types are alloc_objects/count, alloc_space/bytes, inuse_objects/count, inuse_space/bytes \
             (a heap or allocs profile); PGO needs a CPU profile with samples/count, cpu/nanoseconds: \
             take it from /debug/pprof/profile",
        ),
        (
            "profiles/hello-app/a-goroutine.pprof",
            ErrorKind::Unusable,
            "sample types are goroutine/count (a goroutine profile); PGO needs a CPU profile with \
             samples/count, cpu/nanoseconds: take it from /debug/pprof/profile",
        ),
        (
            "profiles/legacy-gobench.cpu",
            ErrorKind::Legacy,
            "the profile is a CPU profile in the old binary format (profilez), not a pprof protobuf: \
             take it from /debug/pprof/profile, with a Go version that is not from before 2017",
        ),
    ] {
        let error = refusal(path);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, expected), "{path}");
    }
}
