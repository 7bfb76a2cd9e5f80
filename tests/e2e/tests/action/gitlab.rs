//! The template for GitLab: its script, run as a job that extends it would.

use std::collections::BTreeMap;
use std::path::Path;

use autopgo_e2e::matrix::{APP, DOWNLOADER};
use autopgo_e2e::paths::root;
use autopgo_e2e::process::call;
use autopgo_e2e::runner::pairs;
use autopgo_e2e::skip;
use serde_json::Value;

use crate::house::House;

struct Template(Value);

impl Template {
    fn read() -> Self {
        let file = root().join("infra/ci/gitlab/autopgo.gitlab-ci.yml");
        let told: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(file).expect("a file")).expect("YAML");
        let jobs: Vec<&String> = told.as_object().expect("a mapping").keys().collect();
        assert_eq!(jobs, [".autopgo-profile"], "what is included must not run by itself");
        Self(told[".autopgo-profile"].clone())
    }

    /// Runs the job's script in `project`, with these variables over those of the template.
    fn run(&self, project: &Path, more: &[(&str, &str)]) -> (bool, String, BTreeMap<String, String>) {
        let lines: Vec<&str> =
            self.0["script"].as_array().expect("a script").iter().filter_map(Value::as_str).collect();
        let mut command = call("sh", &["-e", "-c", &lines.join("\n")]);
        for (name, value) in self.0["variables"].as_object().expect("variables") {
            command.env(name, value.as_str().expect("GitLab's variables are text"));
        }
        command.current_dir(project).env("CI", "true").env("GITLAB_CI", "true").env_remove("GITHUB_ACTIONS");
        let ended = command.envs(more.iter().copied()).output().expect("sh runs");
        let log = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        let report = self.0["artifacts"]["reports"]["dotenv"].as_str().expect("a report");
        let said = pairs(&project.join(report)).into_iter().collect();
        std::fs::remove_file(project.join(report)).expect("removed");
        (ended.status.success(), log, said)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_template_fetches_and_keeps_and_never_fails_a_build() {
    if !skip::curl() {
        return;
    }
    let (house, template) = (House::start(&[]).await, Template::read());
    let (project, url) = (tempfile::tempdir().expect("a folder"), house.url.clone());
    let script = project.path().join(template.0["variables"]["PGO_SCRIPT"].as_str().expect("a path"));
    std::fs::create_dir_all(script.parent().expect("a folder")).expect("made");
    std::fs::copy(root().join("infra/ci/fetch-profile.sh"), script).expect("copied");
    let variables =
        [("AUTOPGO_APP", APP), ("AUTOPGO_API_URL", url.as_str()), ("AUTOPGO_API_TOKEN", DOWNLOADER.text)];
    let profile = project.path().join(template.0["variables"]["AUTOPGO_OUTPUT"].as_str().expect("a path"));

    let (succeeded, log, said) = template.run(project.path(), &variables);
    assert!(succeeded && log.contains("warning: no profile of team-a (404"), "{log}");
    assert_eq!(said["pgo_found"], "false");
    house.upload().await;
    let (succeeded, log, said) = template.run(project.path(), &variables);
    assert!(succeeded && !log.contains("warning"), "{log}");
    assert_eq!((said["pgo_found"].as_str(), said["pgo_from_cache"].as_str()), ("true", "false"));
    let (bytes, identity) = house.compact().await;
    assert_eq!(said["pgo_identity"], identity);
    assert_eq!(std::fs::read(&profile).expect("a profile"), bytes);

    // A later job is another working copy: it has the cache alone.
    std::fs::remove_file(&profile).expect("removed");
    let kept = template.0["cache"]["paths"][0].as_str().expect("a folder");
    assert!(project.path().join(kept).is_dir(), "what is kept is not where the template says");
    let (succeeded, log, said) = template.run(project.path(), &variables);
    assert!(succeeded, "{log}");
    assert_eq!(said["pgo_from_cache"], "true");
    house.stop().await;
    let (succeeded, log, said) = template.run(project.path(), &variables);
    assert!(succeeded && log.contains("the profile of the cache"), "{log}");
    assert_eq!(said["pgo_found"], "true");
    assert!(!log.contains(DOWNLOADER.text), "{log}");
    let strict = [&variables[..], &[("PGO_FAIL_ON_ERROR", "true")]].concat();
    assert!(!template.run(project.path(), &strict).0);
}
