//! Terraform, as a person runs it, against the MiniStack that `tests/services` starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::process::call;
use crate::skip;

/// How long it may take over anything. Its provider alone waits 25 s after each change of a queue.
const PATIENCE: Duration = Duration::from_secs(300);

/// Terraform in a folder.
pub struct Terraform {
    program: String,
    plugins: String,
    endpoint: String,
    folder: PathBuf,
}

impl Terraform {
    /// In this folder, once it is begun; `None`, said aloud, where there is no Terraform or no server.
    pub fn new(folder: &Path) -> Option<Self> {
        let program = skip::variable("terraform", "AUTOPGO_TEST_TERRAFORM")?;
        let plugins = skip::variable("terraform", "AUTOPGO_TEST_TERRAFORM_PLUGINS")?;
        let endpoint = skip::server("ministack")?;
        Some(Self { program, plugins, endpoint, folder: folder.to_owned() })
    }

    /// `terraform init`, with the providers that are on this machine.
    ///
    /// # Panics
    /// When it fails.
    pub async fn init(&self) {
        self.run(&["init", "-input=false", &format!("-plugin-dir={}", self.plugins)], &[0]).await;
    }

    /// `terraform plan`: whether anything is to be changed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn plan(&self) -> bool {
        self.run(&["plan", "-input=false", "-detailed-exitcode", "-out=plan"], &[0, 2]).await.0 == 2
    }

    /// `terraform apply` of what was planned.
    ///
    /// # Panics
    /// When it fails.
    pub async fn apply(&self) {
        self.run(&["apply", "-input=false", "plan"], &[0]).await;
    }

    /// `terraform destroy`.
    ///
    /// # Panics
    /// When it fails.
    pub async fn destroy(&self) {
        self.run(&["destroy", "-input=false", "-auto-approve"], &[0]).await;
    }

    /// What it has made, as `terraform show -json` has it.
    ///
    /// # Panics
    /// When it fails.
    pub async fn state(&self) -> Value {
        let (_, shown) = self.run(&["show", "-json"], &[0]).await;
        serde_json::from_str(&shown).expect("JSON")
    }

    /// Runs it to its end. Its exit code, which is one of `expected`, and what it printed.
    async fn run(&self, arguments: &[&str], expected: &[i32]) -> (i32, String) {
        let mut command = Command::from(call(&self.program, arguments));
        command.current_dir(&self.folder).kill_on_drop(true);
        // Not what whoever runs the tests has set up, and asking nobody else.
        for name in ["TF_CLI_CONFIG_FILE", "TF_CLI_ARGS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env_remove(name);
        }
        command.envs([("CHECKPOINT_DISABLE", "1"), ("TF_IN_AUTOMATION", "1"), ("TF_CLI_ARGS", "-no-color")]);
        command.envs([("AWS_PROFILE", "ministack"), ("AWS_REGION", "us-east-1")]);
        command.env("AWS_ENDPOINT_URL", &self.endpoint);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?}: not within {PATIENCE:?}"));
        let output = output.expect("terraform runs");
        let code = output.status.code().filter(|code| expected.contains(code));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let printed = text(&output.stdout);
        let code = code.unwrap_or_else(|| {
            panic!("{arguments:?}: {}: {printed}\n{}", output.status, text(&output.stderr))
        });
        (code, printed)
    }
}
