//! What is deployed, used in every way that it is called for: by messages, by the schedule, by the command and by whoever
//! publishes to the topic as the Go original does.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use autopgo_e2e::process::autopgo;
use autopgo_e2e::sns::Aws;
use autopgo_e2e::{once, profile, wait};
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};

use crate::deployment::{Deployment, Made, TOKEN};

/// Until the schedule has come and what it found is merged.
const SWEPT: Duration = Duration::from_secs(180);
/// An hour is too old for no sweep, and one that is yet to come is too young for each.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Larger than a function may answer.
const CALLS: usize = 60_000;

pub(crate) async fn perform(deployment: &Deployment, made: &Made) {
    let folder = tempfile::tempdir().expect("a folder");
    let story = Story { deployment, made, client: client(), folder: folder.path() };
    // What no message tells of waits for the schedule, meanwhile.
    story.unseen().await;
    story.small().await;
    story.large().await;
    story.unused_ticket().await;
    story.swept().await;
    story.deleted().await;
    story.deleted_by_event().await;
}

struct Story<'a> {
    deployment: &'a Deployment,
    made: &'a Made,
    client: Client,
    folder: &'a Path,
}

impl Story<'_> {
    /// A profile and what is none, staged as by a Go server whose messages were lost.
    async fn unseen(&self) {
        let bucket = &self.made.bucket;
        bucket.put_as_go(&staged("shop", -HOUR), &profile::cpu(&[("main.main", &once::name(1), 1)])).await;
        bucket.put_as_go(&staged("shop", -HOUR), b"no profile").await;
        bucket.put_as_go(&staged("gone", -HOUR), b"no profile").await;
    }

    async fn small(&self) {
        let stranger = reqwest::get(self.url("checkout")).await.expect("an answer");
        assert_eq!(stranger.status(), 401);
        let (up, down) = (self.path("up.pprof"), self.path("down.pgo"));
        std::fs::write(&up, profile::cpu(&[("main.main", &once::name(0), 1)])).expect("written");
        self.command(&["upload", &up, "--app", "checkout"]).await;
        let merged = self.merged("checkout", &BTreeSet::from([once::name(0)])).await;
        assert_eq!(merged, 1);
        self.logged("checkout", "message").await;
        assert!(self.command(&["list"]).await.contains("checkout"));
        self.command(&["download", "checkout", "--output", &down]).await;
        let seen = profile::seen(&std::fs::read(&down).expect("a profile"), "upload.");
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), [once::name(0)]);
    }

    /// With a ticket, and down by a signed URL.
    async fn large(&self) {
        let (up, down) = (self.path("large.pprof"), self.path("large.pgo"));
        let (bytes, calls) = profile::large(CALLS);
        std::fs::write(&up, bytes).expect("written");
        self.command(&["upload", &up, "--app", "big"]).await;
        self.merged("big", &calls.keys().cloned().collect()).await;
        self.command(&["download", "big", "--output", &down]).await;
        assert!(
            profile::seen(&std::fs::read(&down).expect("a profile"), "upload.") == calls,
            "not what went up"
        );
        let signed = |method: &str, place: &str| {
            let asked = self.deployment.server.asked();
            let hit = asked.iter().find(|asked| {
                asked.method == method
                    && asked.target.contains(place)
                    && asked.target.contains("X-Amz-Signature")
            });
            assert!(hit.is_some(), "no {method} of {place} by a signed URL");
        };
        signed("PUT", "/big/incoming/");
        signed("GET", "/big/default.pgo");
    }

    /// One that nothing was put with: its completion asks everywhere what has become of it.
    async fn unused_ticket(&self) {
        let url = format!("{}/uploads", self.url("checkout"));
        let ticket = self.client.post(&url).json(&json!({"size": 5})).send().await.expect("an answer");
        let ticket: Value = ticket.error_for_status().expect("a ticket").json().await.expect("JSON");
        let id = ticket["id"].as_str().expect("an id");
        let completed = self.client.post(format!("{url}/{id}")).send().await.expect("an answer");
        assert_eq!(completed.status(), 404);
    }

    /// The schedule's sweep merges one and sets two aside.
    async fn swept(&self) {
        let bucket = &self.made.bucket;
        wait::within(SWEPT, "the schedule sweeps", async || {
            // The upload and the reason.
            let gone = bucket.keys("gone/rejected/").await.len() == 2;
            let shop = bucket.keys("shop/rejected/").await.len() == 2;
            (gone && shop && bucket.keys("shop/staging/").await.is_empty()).then_some(())
        })
        .await;
        assert_eq!(self.merged("shop", &BTreeSet::from([once::name(1)])).await, 1);
        self.logged("shop", "sweep").await;
    }

    /// With an upload that waits and one that was set aside.
    async fn deleted(&self) {
        let bucket = &self.made.bucket;
        bucket.put_as_go(&staged("shop", HOUR), &profile::cpu(&[("main.main", &once::name(2), 1)])).await;
        self.command(&["delete", "shop"]).await;
        assert_eq!(bucket.keys("shop/").await, ["shop/default.pgo"]);
        let gone = self.client.get(self.url("shop")).send().await.expect("an answer");
        assert_eq!(gone.status(), 404);
    }

    /// As the Go original deletes: the worker has to see to it.
    async fn deleted_by_event(&self) {
        let bucket = &self.made.bucket;
        bucket.put_as_go(&staged("gone", HOUR), &profile::cpu(&[("main.main", &once::name(3), 1)])).await;
        let event = json!({
            "id": "7c1f0d3a-52f5-4b64-8f0e-6b0f4c9a2d77", "timestamp": Timestamp::now().to_string(),
            "type": "profile.deleted", "payload": {"app": "gone"},
        });
        let aws = Aws::new(true).await.expect("it was there before");
        aws.publish(&self.made.topic, "gone", &event.to_string()).await;
        wait::until("the worker deletes", async || {
            (bucket.keys("gone/").await == ["gone/default.pgo"]).then_some(())
        })
        .await;
    }

    /// Waits until all of `names` is in the base of `app` once, and nothing is staged. How many uploads are in it.
    async fn merged(&self, app: &str, names: &BTreeSet<String>) -> usize {
        let staging = format!("{app}/staging/");
        let left = async || self.made.bucket.keys(&staging).await.len();
        once::merged(&self.client, &self.url(app), names, left).await
    }

    /// Waits for the worker's own word of what had it merge. CloudWatch has it a little later.
    async fn logged(&self, app: &str, by: &str) {
        wait::until("the worker's log tells of the merge", async || {
            let log = self.deployment.account.log("/aws/lambda/autopgo-worker").await;
            let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut merges = lines.filter(|line| line["message"] == "base profile written");
            merges.any(|line| line["app"] == app && line["by"] == by).then_some(())
        })
        .await;
    }

    fn url(&self, app: &str) -> String {
        format!("{}/api/profile/{app}", self.made.url)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Runs the command with the API and the token, and gives its standard output.
    async fn command(&self, arguments: &[&str]) -> String {
        let mut command = tokio::process::Command::from(autopgo(arguments));
        command.env("AUTOPGO_API_URL", &self.made.url).env("AUTOPGO_API_TOKEN", TOKEN);
        let output = command.output().await.expect("it starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// A key for an upload of `app` that was staged so long from now.
fn staged(app: &str, from_now: SignedDuration) -> String {
    let time = Timestamp::now() + from_now;
    format!("{app}/staging/{:019}-{:016x}", time.as_nanosecond(), fastrand::u64(..))
}

/// A client that has the token.
fn client() -> Client {
    let headers = [(reqwest::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().expect("a header"))];
    Client::builder().default_headers(headers.into_iter().collect()).build().expect("a client")
}
