//! The rules of the house as tests: who may import whom, what may never be seen where, and where the environment is
//! read. ARCHITECTURE.md gives the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Which crates of ours each crate of ours may import (normal and build dependencies).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("autopgo-alloc", &[]),
    ("autopgo-pprof", &[]),
    ("autopgo-core", &["autopgo-pprof"]),
    ("autopgo-aws", &["autopgo-core"]),
    ("autopgo-blob", &["autopgo-core", "autopgo-aws"]),
    ("autopgo-pubsub", &["autopgo-core", "autopgo-aws"]),
    ("autopgo-client", &["autopgo-core", "autopgo-aws"]),
    ("autopgo-http", &["autopgo-core"]),
    ("autopgo-boot", &["autopgo-core", "autopgo-aws", "autopgo-blob", "autopgo-http", "autopgo-pubsub"]),
    ("autopgo-scraper", &["autopgo-core", "autopgo-pprof", "autopgo-client", "autopgo-http"]),
    ("autopgo-lambda", &["autopgo-alloc", "autopgo-core", "autopgo-boot", "autopgo-http"]),
    ("autopgo-cloudrun", &["autopgo-alloc", "autopgo-core", "autopgo-boot", "autopgo-http"]),
    ("autopgo-azure", &["autopgo-alloc", "autopgo-core", "autopgo-boot", "autopgo-http"]),
    (
        "autopgo-local",
        &[
            "autopgo-core",
            "autopgo-boot",
            "autopgo-http",
            "autopgo-lambda",
            "autopgo-cloudrun",
            "autopgo-azure",
        ],
    ),
    (
        "autopgo",
        &[
            "autopgo-alloc",
            "autopgo-core",
            "autopgo-pprof",
            "autopgo-client",
            "autopgo-http",
            "autopgo-scraper",
            "autopgo-boot",
            "autopgo-local",
        ],
    ),
    ("autopgo-bench", &["autopgo-alloc", "autopgo-core", "autopgo-pprof", "autopgo-e2e", "autopgo-fakes"]),
    ("autopgo-conformance", &["autopgo-core"]),
    ("autopgo-fakes", &[]),
];

/// Crates that may import anything of ours: stories from one end to the other.
const MAY_IMPORT_ALL: &[&str] = &["autopgo-e2e"];

/// What a crate may not reach, directly or not. A name that ends in `*` stands for all that start so.
const NEVER: &[(&str, &[&str])] = &[
    ("autopgo-pprof", &["tokio", "futures-util", "async-trait", "reqwest", "hyper", "axum"]),
    ("autopgo-core", &["axum", "hyper", "reqwest", "aws-*", "google-cloud-*", "object_store"]),
    ("autopgo-pubsub", &["reqwest", "hyper"]),
    ("autopgo-http", &["reqwest", "aws-sdk-*", "google-cloud-*", "object_store"]),
    (
        "autopgo-lambda",
        &[
            "google-cloud-*",
            "object_store",
            "azure_*",
            "rdkafka",
            "async-nats",
            "reqwest",
            "openssl-sys",
            "native-tls",
            "ring",
        ],
    ),
    (
        "autopgo-cloudrun",
        &["aws-*", "azure_*", "object_store", "rdkafka", "async-nats", "openssl-sys", "native-tls", "ring"],
    ),
    (
        "autopgo-azure",
        &["aws-*", "google-cloud-*", "rdkafka", "async-nats", "openssl-sys", "native-tls", "ring"],
    ),
    (
        "autopgo",
        &[
            "aws-sdk-*",
            "aws-config",
            "google-cloud-*",
            "object_store",
            "rdkafka",
            "async-nats",
            "openssl-sys",
            "native-tls",
            "ring",
        ],
    ),
];

/// The crates of each provider, which come by its feature and no other way.
const PROVIDERS: &[(&str, &[&str])] = &[
    ("aws", &["aws-*"]),
    ("azure", &["azure_*", "object_store"]),
    ("gcp", &["google-cloud-*"]),
    ("kafka", &["rdkafka"]),
    ("nats", &["async-nats"]),
];

/// A feature that brings no crate of its provider: the crate speaks to it itself, over HTTP.
const SPEAKS_ITSELF: &[(&str, &str)] = &[("autopgo-pubsub", "azure")];

/// What no feature may bring: a second TLS or crypto stack.
const NEVER_AT_ALL: &[&str] = &["openssl-sys", "native-tls", "ring"];

/// Which words a crate's sources may not have, outside tests.
const NEVER_SAID: &[(&str, &[&str])] = &[
    ("shared/pprof/src", &["std::env", "std::fs", "std::net", "async fn"]),
    ("shared/core/src", &["std::env", "std::fs", "std::net"]),
    ("shared/aws/src", &["std::env"]),
    ("shared/blob/src", &["std::env"]),
    ("shared/pubsub/src", &["std::env"]),
    ("shared/client/src", &["std::env"]),
    ("shared/http/src", &["std::env::var"]),
    ("scraper/src", &["std::env::var"]),
    ("local/src", &["std::env"]),
    ("functions/lambda/src", &["std::env"]),
    ("functions/azure/src", &["std::env"]),
];

/// The environment is read here, in the tables of what can be set, and by nobody else.
const READS_ENVIRONMENT: &[&str] =
    &["cli/src/args.rs", "cli/src/args/api.rs", "cli/src/args/serve.rs", "shared/boot/src/config.rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().expect("cargo metadata")
}

fn ours(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

#[test]
fn every_crate_imports_only_what_it_may() {
    let metadata = metadata();
    let names: BTreeSet<&str> = ours(&metadata).iter().map(|package| package.name.as_str()).collect();
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in ours(&metadata) {
        if MAY_IMPORT_ALL.contains(&package.name.as_str()) {
            continue;
        }
        let Some(allowed) = table.get(package.name.as_str()) else {
            wrong.push(format!("{} is not in the table", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let counts =
                dependency.kind != DependencyKind::Development && names.contains(dependency.name.as_str());
            if counts && !allowed.contains(&dependency.name.as_str()) {
                wrong.push(format!("{} imports {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let gone: Vec<&&str> = table.keys().filter(|name| !names.contains(**name)).collect();
    assert!(gone.is_empty(), "the table names crates that do not exist: {gone:?}");
}

#[test]
fn no_crate_reaches_what_it_may_never_see() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for (name, never) in NEVER {
        let reached = reached_by(&metadata, name, None);
        for hit in never.iter().filter_map(|banned| first_of(&reached, banned)) {
            wrong.push(format!("{name} reaches {hit}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_feature_brings_its_own_provider_alone() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for name in
        ["autopgo", "autopgo-local", "autopgo-boot", "autopgo-blob", "autopgo-pubsub", "autopgo-client"]
    {
        let package = ours(&metadata).into_iter().find(|package| package.name.as_str() == name).expect(name);
        let here =
            PROVIDERS.iter().map(|(feature, _)| *feature).filter(|f| package.features.contains_key(*f));
        for feature in std::iter::once(None).chain(here.map(Some)) {
            let reached = reached_by(&metadata, name, feature);
            for (provider, crates) in PROVIDERS {
                let hit = crates.iter().find_map(|pattern| first_of(&reached, pattern));
                let brings = feature == Some(*provider) && !SPEAKS_ITSELF.contains(&(name, provider));
                match (brings, hit) {
                    (false, Some(hit)) => wrong.push(format!("{name} with {feature:?} reaches {hit}")),
                    (true, None) => {
                        wrong.push(format!("{name} with {feature:?} reaches nothing of {provider}"))
                    }
                    _ => {}
                }
            }
            for hit in NEVER_AT_ALL.iter().filter_map(|banned| first_of(&reached, banned)) {
                wrong.push(format!("{name} with {feature:?} reaches {hit}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first crate that `pattern` stands for. A cryptographic library that only has its name from a provider is none of
/// its crates.
fn first_of<'a>(reached: &'a BTreeSet<String>, pattern: &str) -> Option<&'a str> {
    let stands_for = |name: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start) && !name.starts_with("aws-lc-"),
        None => *name == pattern,
    };
    reached.iter().map(String::as_str).find(stands_for)
}

/// Every crate that `name` needs on Linux with its default features, and with `feature` beside them, by `cargo tree`: the
/// resolver's own answer, which knows features and targets.
fn reached_by(metadata: &Metadata, name: &str, feature: Option<&str>) -> BTreeSet<String> {
    let package = ours(metadata).into_iter().find(|package| package.name.as_str() == name).expect(name);
    let id: &PackageId = &package.id;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args([
            "tree",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--target",
            "x86_64-unknown-linux-gnu",
        ])
        .args(["--package", &id.repr])
        .args(feature.map(|feature| ["--features", feature]).iter().flatten())
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn sources_say_only_what_they_may() {
    let mut wrong = Vec::new();
    for (folder, never) in NEVER_SAID {
        for (file, text) in sources(&root().join(folder)) {
            for banned in *never {
                if text.contains(banned) {
                    wrong.push(format!("{} says {banned}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every crate forbids it, by the workspace's lints or by its own; this one has calls that nobody has a safe form of.
#[test]
fn only_the_allocator_may_have_unsafe_code() {
    let forbids = |manifest: &str| {
        manifest.contains("[lints]\nworkspace = true\n")
            || manifest.contains("[lints.rust]\nunsafe_code = \"forbid\"\n")
    };
    let without: Vec<String> = ours(&metadata())
        .into_iter()
        .filter(|package| !forbids(&fs::read_to_string(&package.manifest_path).expect("a manifest")))
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(without, ["autopgo-alloc"], "these may have unsafe code");
}

#[test]
fn the_environment_is_read_in_two_places() {
    let mut wrong = Vec::new();
    let root = root();
    for package in ours(&metadata()) {
        if MAY_IMPORT_ALL.contains(&package.name.as_str()) || package.name.as_str() == "autopgo-conformance" {
            continue;
        }
        let folder = package.manifest_path.parent().expect("a folder").join("src");
        for (file, text) in sources(folder.as_std_path()) {
            let reads = text.contains("env::var");
            if reads && !READS_ENVIRONMENT.iter().any(|allowed| file.ends_with(allowed)) {
                wrong.push(file.strip_prefix(&root).unwrap_or(&file).display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "these read the environment: {wrong:?}");
}

/// The Rust sources below `folder`, each without its tests (everything from the first `#[cfg(test)]` on) and comments.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code: String = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .map(|line| format!("{line}\n"))
                    .collect();
                found.push((path, code));
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {}", folder.display());
    found
}
