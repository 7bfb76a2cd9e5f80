//! `autopgo local` that asks for tokens, and the action that asks it.

use std::time::Duration;

use autopgo_e2e::matrix::{self, ALL, APP};
use autopgo_e2e::paths::root;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::runner::{Action, Ran};
use autopgo_e2e::{once, wait};
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, ETAG, HeaderMap, HeaderValue};

pub(crate) struct House {
    running: Running,
    client: Client,
    pub(crate) url: String,
    _data: tempfile::TempDir,
}

impl House {
    /// One with the tokens of the matrix, and more variables.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let port = address.port().to_string();
        let folder = data.path().to_str().expect("UTF-8");
        let mut command = autopgo(&["local", "--port", &port, "--data-dir", folder]);
        command.env("AUTOPGO_TOKENS", matrix::LIST).envs(variables.iter().copied());
        let running = Running::start(command, address).await;
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", ALL.text);
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer).expect("a header"));
        let client = Client::builder().default_headers(headers).build().expect("a client");
        Self { url: running.url.clone(), running, client, _data: data }
    }

    fn profile(&self) -> String {
        format!("{}/api/profile/{APP}", self.url)
    }

    /// Uploads a profile and waits until it is merged.
    pub(crate) async fn upload(&self) {
        once::upload(&self.client, &self.profile(), once::name(0)).await.expect("taken");
        wait::until("it is merged", async || {
            self.client.get(self.profile()).send().await.ok()?.error_for_status().ok()
        })
        .await;
    }

    pub(crate) async fn delete(&self) {
        let deleted = self.client.delete(self.profile()).send().await.expect("answered");
        assert_eq!(deleted.status(), 200);
    }

    /// The compact form, and its identity.
    pub(crate) async fn compact(&self) -> (Vec<u8>, String) {
        let url = format!("{}?form=compact", self.profile());
        let answer = self.client.get(url).send().await.expect("answered");
        let etag = answer.headers()[ETAG].to_str().expect("text").to_owned();
        let identity = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        (answer.bytes().await.expect("a profile").to_vec(), identity)
    }

    /// Ends it, and gives its log.
    pub(crate) async fn stop(self) -> Vec<String> {
        let (code, log) = self.running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
        log
    }
}

pub(crate) fn action() -> Action {
    Action::read(root().canonicalize().expect("there").join("infra/ci/github"))
}

/// The same inputs, where a failure is wanted.
pub(crate) fn wanting<'a>(inputs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [inputs, &[("fail-on-error", "true")]].concat()
}

/// Nothing that a job leaves for others to see has a token in it.
pub(crate) fn says_no_secret(ran: &Ran) {
    let outputs = format!("{:?}", ran.outputs);
    for secret in matrix::secrets() {
        for said in [&ran.log, &ran.summary, &outputs] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

/// Little enough that a server that says nothing is soon given up.
pub(crate) const SOON: (&str, &str) = ("time-limit", "2");

/// And how long that may take on a machine that is busy.
pub(crate) const IN_TIME: Duration = Duration::from_secs(20);
