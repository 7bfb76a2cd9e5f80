//! What CI does with a profile: the GitHub Action, step by step as the runner has them, and the template for GitLab, against
//! a real server and against what may stand in its place. A build is never failed unless that was asked for.

#[path = "action/gitlab.rs"]
mod gitlab;
#[path = "action/house.rs"]
mod house;
#[path = "action/trouble.rs"]
mod trouble;

use autopgo_e2e::matrix::{APP, DOWNLOADER};
use autopgo_e2e::runner::Cache;
use autopgo_e2e::skip;
use sha2::{Digest, Sha256};

use house::{House, action, says_no_secret, wanting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_build_has_no_profile_and_a_later_one_has() {
    if !skip::curl() {
        return;
    }
    let house = House::start(&[]).await;
    let (action, mut cache) = (action(), Cache::default());
    let url = house.url.clone();
    let inputs = [("app", APP), ("api-url", url.as_str()), ("token", DOWNLOADER.text)];

    let first = action.run(&mut cache, &inputs).await;
    assert!(first.succeeded, "{}", first.log);
    assert!(first.log.contains("::warning title=autopgo::no profile of team-a (404"), "{}", first.log);
    assert_eq!(first.outputs["found"], "false");
    assert_eq!(first.outputs["flag"], "-pgo=auto");
    assert!(!first.workspace.path().join("default.pgo").exists());
    assert!(first.summary.contains("there is no profile"), "{}", first.summary);

    house.upload().await;
    let second = action.run(&mut cache, &inputs).await;
    assert!(second.succeeded, "{}", second.log);
    assert!(!second.log.contains("::warning"), "{}", second.log);
    let (bytes, identity) = house.compact().await;
    let file = second.workspace.path().join("default.pgo");
    assert_eq!(std::fs::read(&file).expect("a profile"), bytes);
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, value) in [
        ("found", "true".to_owned()),
        ("from-cache", "false".to_owned()),
        ("sha256", hash),
        ("identity", identity),
        ("size-bytes", bytes.len().to_string()),
    ] {
        assert_eq!(second.outputs[name], value, "{name}");
    }
    let path = std::path::Path::new(&second.outputs["path"]);
    assert_eq!(path.canonicalize().expect("there"), file.canonicalize().expect("there"));
    assert_eq!(second.outputs["flag"], format!("-pgo={}", path.display()));
    let age: u64 = second.outputs["age-seconds"].parse().expect("a number");
    assert!(age < 600, "{age}");

    // In another job, of which nothing is left but the cache: the profile is not sent again.
    let third = action.run(&mut cache, &inputs).await;
    assert!(third.succeeded, "{}", third.log);
    assert_eq!(third.outputs["from-cache"], "true");
    for name in ["sha256", "identity", "size-bytes"] {
        assert_eq!(third.outputs[name], second.outputs[name], "{name}");
    }
    assert_eq!(std::fs::read(third.workspace.path().join("default.pgo")).expect("a profile"), bytes);

    // The whole form is another file of the same identity, and a cache of its own.
    let whole = [&inputs[..], &[("form", "full"), ("output", "whole.pgo")]].concat();
    let full = action.run(&mut cache, &whole).await;
    assert!(full.succeeded, "{}", full.log);
    assert_eq!(full.outputs["from-cache"], "false");
    assert_eq!(full.outputs["identity"], second.outputs["identity"]);
    assert_ne!(full.outputs["sha256"], second.outputs["sha256"]);
    assert!(full.workspace.path().join("whole.pgo").exists());

    let log = house.stop().await;
    let asked: Vec<_> = log.iter().filter(|line| line.contains("\"token\":\"downloader\"")).collect();
    let unchanged = asked.iter().filter(|line| line.contains("\"status\":304")).count();
    assert_eq!(unchanged, 1, "{asked:#?}");
    for ran in [&first, &second, &third, &full] {
        says_no_secret(ran);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_not_built_with() {
    if !skip::curl() {
        return;
    }
    let house = House::start(&[]).await;
    house.upload().await;
    let (action, mut cache) = (action(), Cache::default());
    let url = house.url.clone();
    let inputs = [("app", APP), ("api-url", url.as_str()), ("token", DOWNLOADER.text)];
    assert_eq!(action.run(&mut cache, &inputs).await.outputs["found"], "true");
    house.delete().await;
    let after = action.run(&mut cache, &inputs).await;
    assert!(after.succeeded, "{}", after.log);
    assert_eq!(after.outputs["found"], "false");
    assert!(!after.workspace.path().join("default.pgo").exists());
    let strict = action.run(&mut cache, &wanting(&inputs)).await;
    assert!(!strict.succeeded);
    assert!(strict.log.contains("::error title=autopgo::no profile"), "{}", strict.log);
    house.stop().await;
}
