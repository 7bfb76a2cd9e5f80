//! infra/aws as its README has it: `examples/minimal`, with zips and a token.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use autopgo_e2e::iam::{Grant, grants};
use autopgo_e2e::inventory::Account;
use autopgo_e2e::paths::root;
use autopgo_e2e::recorder::Recorder;
use autopgo_e2e::s3::Bucket;
use autopgo_e2e::skip;
use autopgo_e2e::terraform::Terraform;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Of the story's token; the infrastructure knows its hash.
pub(crate) const TOKEN: &str = "a-token-of-the-story";
/// Where `tests/run infra` says that the bootstraps are, as `cargo lambda build` makes them.
const BOOTSTRAPS: &str = "AUTOPGO_TEST_BOOTSTRAPS";
/// How old an upload is before a sweep takes it: no sweep is to be faster than a message.
const SWEEP_AFTER: &str = "30s";

/// Terraform in a copy of the module, and what is between the functions and the services that they ask.
pub(crate) struct Deployment {
    pub(crate) terraform: Terraform,
    pub(crate) account: Account,
    pub(crate) server: Recorder,
    pub(crate) worker: Recorder,
    endpoint: String,
    _folder: TempDir,
}

/// What was applied.
pub(crate) struct Made {
    /// The base URL of the API.
    pub(crate) url: String,
    pub(crate) bucket: Bucket,
    /// The topic's ARN.
    pub(crate) topic: String,
    /// What each function may do.
    pub(crate) grants: BTreeMap<&'static str, BTreeSet<Grant>>,
}

impl Deployment {
    /// Before anything is applied; `None`, said aloud, where something is missing.
    pub(crate) async fn new() -> Option<Self> {
        let (account, endpoint) = (Account::new()?, skip::server("ministack")?);
        let bootstraps = skip::variable("cargo-lambda", BOOTSTRAPS)?;
        let folder = tempfile::tempdir().expect("a folder");
        let terraform = Terraform::new(&folder.path().join("examples/minimal"))?;
        let (server, worker) = (Recorder::before(&endpoint).await, Recorder::before(&endpoint).await);
        copy(&root().join("infra/aws"), folder.path());
        let write = |name: &str, json: Value| {
            let file = folder.path().join("examples/minimal").join(name);
            std::fs::write(file, json.to_string()).expect("written");
        };
        let sha256: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let token = json!({"name": "ci", "sha256": sha256, "scopes": ["upload", "download", "delete"]});
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        write(
            "story.auto.tfvars.json",
            json!({"tokens": [token], "zips": bootstraps, "architecture": architecture}),
        );
        // What an emulator needs and AWS does not.
        let module = json!({
            "alarms": false,
            "force_destroy": true,
            "server_environment": {"AWS_ENDPOINT_URL": server.url},
            "worker_environment": {"AWS_ENDPOINT_URL": worker.url, "AUTOPGO_SWEEP_AFTER": SWEEP_AFTER},
        });
        write("story_override.tf.json", json!({"module": {"autopgo": module}}));
        Some(Self { terraform, account, server, worker, endpoint, _folder: folder })
    }

    /// Makes all of it.
    pub(crate) async fn apply(&self) -> Made {
        self.terraform.init().await;
        assert!(self.terraform.plan().await, "a first plan makes something");
        self.terraform.apply().await;
        let state = self.terraform.state().await;
        let bucket = text(made(&state, "aws_s3_bucket.profiles"), "bucket");
        // https://ID.execute-api.REGION.amazonaws.com, which leads to AWS itself.
        let url = text(&state["values"]["outputs"]["api_url"], "value");
        let host = url.strip_prefix("https://").expect("an https:// URL");
        let (id, rest) = host.split_once('.').expect("an id before a dot");
        assert_eq!(rest, "execute-api.us-east-1.amazonaws.com");
        let grants = ["server", "worker"].map(|function| {
            let policy = text(made(&state, &format!("aws_iam_role_policy.{function}")), "policy");
            (function, grants(&policy).unwrap_or_else(|error| panic!("{function}: {error}")))
        });
        Made {
            url: format!("{}/_aws/execute-api/{id}", self.endpoint),
            bucket: Bucket::called("ministack", bucket).await.expect("it was there before"),
            topic: text(made(&state, "aws_sns_topic.events"), "arn"),
            grants: grants.into(),
        }
    }
}

/// The values of what has this address in the module.
fn made<'a>(state: &'a Value, address: &str) -> &'a Value {
    let address = format!("module.autopgo.{address}");
    let resources = state["values"]["root_module"]["child_modules"][0]["resources"].as_array();
    let found = resources.into_iter().flatten().find(|resource| resource["address"] == *address);
    &found.unwrap_or_else(|| panic!("no {address}"))["values"]
}

fn text(values: &Value, field: &str) -> String {
    values[field].as_str().unwrap_or_else(|| panic!("no {field} in {values}")).to_owned()
}

/// Copies the module, for Terraform writes into the folders that it reads; not what it left there for somebody else.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the module") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        if path.is_dir() && !name.to_string_lossy().starts_with('.') {
            copy(&path, &to.join(name));
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            std::fs::copy(&path, to.join(name)).expect("copied");
        }
    }
}
