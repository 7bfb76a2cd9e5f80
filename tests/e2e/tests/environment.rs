//! What the infrastructure sets is what the code reads: a variable that nobody reads is a setting that does nothing, and
//! one that is missing is a function that does not start.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use autopgo_e2e::paths::root;

/// Where the server side's variables are named, and where the command's are: in quotes, and nowhere else so.
const NAMED: [&str; 3] = ["shared/boot/src/config.rs", "shared/core/src/limits.rs", "cli/src"];

/// What a function cannot start without, or must not be without: it would be open to everybody.
const NEEDED: [(&str, &[&str]); 2] = [
    ("server", &["AUTOPGO_BLOB_STORE_URL", "AUTOPGO_EVENT_WRITER_URL", "AUTOPGO_TOKENS"]),
    ("worker", &["AUTOPGO_BLOB_STORE_URL", "AUTOPGO_EVENT_WRITER_URL"]),
];

#[test]
fn the_infrastructure_sets_only_what_is_read() {
    let known = known();
    let mut wrong = Vec::new();
    for file in files(&root().join("infra")) {
        // The tests of the modules misspell some on purpose.
        if file.to_string_lossy().ends_with(".tftest.hcl") {
            continue;
        }
        // Prose and examples of commands, too: what they name must exist.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for name in variables(&text) {
            // `AUTOPGO_MAX_…` stands for all that begin so.
            let is_known = known.contains(&name)
                || name.ends_with('_') && known.iter().any(|variable| variable.starts_with(&name));
            if !is_known {
                wrong.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "nothing reads these: {wrong:#?}");
}

#[test]
fn the_module_for_aws_sets_what_its_functions_need() {
    let read = |file: &str| fs::read_to_string(root().join("infra/aws").join(file)).expect(file);
    let shared = sets(&read("main.tf"));
    for (function, needed) in NEEDED {
        let file = format!("{function}.tf");
        let text = read(&file);
        let mut set = sets(&text);
        // Both take what is shared into theirs.
        assert!(text.contains("local.shared_environment"), "{file} leaves out what both have");
        set.extend(shared.iter().cloned());
        let missing: Vec<_> = needed.iter().filter(|name| !set.contains(**name)).collect();
        assert!(missing.is_empty(), "{file} does not set {missing:?}");
    }
}

#[test]
fn names_are_told_from_their_surroundings() {
    let text = "AUTOPGO_COMPACT=1 \"AUTOPGO_PRUNE\", AUTOPGO_MAX_… (XAUTOPGO_NO, AUTOPGO_)";
    let names: Vec<_> = variables(text).into_iter().collect();
    assert_eq!(names, ["AUTOPGO_COMPACT", "AUTOPGO_MAX_", "AUTOPGO_PRUNE"]);
    let set: Vec<_> =
        sets("  # AUTOPGO_A = 1\n  AUTOPGO_B   = 2\n  c = \"AUTOPGO_D\"\n").into_iter().collect();
    assert_eq!(set, ["AUTOPGO_B"]);
}

/// Every `AUTOPGO_*` that the code names in quotes, outside its tests.
fn known() -> BTreeSet<String> {
    let sources: Vec<_> = NAMED.iter().flat_map(|place| files(&root().join(place))).collect();
    let mut known = BTreeSet::new();
    for source in sources {
        let text = fs::read_to_string(&source).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let quoted = code.split('"').skip(1).step_by(2);
        known.extend(quoted.filter(|text| variables(text).contains(*text)).map(str::to_owned));
    }
    assert!(known.len() > 40, "{known:?}");
    known
}

/// Every `AUTOPGO_*` in `text`. One that is followed by something else than a name ends in `_`.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    let ours = words.filter(|word| word.strip_prefix("AUTOPGO_").is_some_and(|rest| !rest.is_empty()));
    ours.map(str::to_owned).collect()
}

/// Every `AUTOPGO_*` that is a key of a map in this text of Terraform.
fn sets(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let keys = lines.filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim().to_owned());
    keys.filter(|key| variables(key).contains(key)).collect()
}

/// The files below `place`, or `place` itself.
fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_path_buf()];
    }
    let entries = fs::read_dir(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    entries.flat_map(|entry| files(&entry.expect("an entry").path())).collect()
}
