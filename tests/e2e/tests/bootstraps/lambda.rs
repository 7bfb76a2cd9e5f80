//! Command and scraper → HTTP API with a stage → server function → S3, SNS, SQS → worker function → S3.

use std::collections::BTreeSet;
use std::time::Duration;

use autopgo_e2e::functions::Functions;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::s3::Bucket;
use autopgo_e2e::sns::Aws;
use autopgo_e2e::{once, profile, wait};
use axum::Router;
use axum::routing::get;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

const TOKEN: &str = "a-token-of-the-story";
/// What a worker may take, in seconds, and so what it takes until a message comes again.
const TIMEOUT: u64 = 5;

/// Everything that infrastructure would make.
struct Cloud {
    functions: Functions,
    bucket: Bucket,
    aws: Aws,
    worker: String,
    /// The base URL, stage and all.
    url: String,
}

impl Cloud {
    /// `None`, said aloud, where something is missing.
    async fn new(fifo: bool) -> Option<Self> {
        let (functions, bucket) = (Functions::new()?, Bucket::on("ministack").await?);
        let aws = Aws::new(fifo).await?;
        let own = |url: &str| url.replace("&profile=ministack", "");
        let topic = own(&aws.topic().await);
        aws.subscribed("events", false).await;
        let tokens =
            json!([{"name": "story", "sha256": hex(TOKEN), "scopes": ["upload", "download", "delete"]}]);
        let variables = [
            ("AUTOPGO_BLOB_STORE_URL", own(&bucket.url)),
            ("AUTOPGO_EVENT_WRITER_URL", topic),
            ("AUTOPGO_TOKENS", tokens.to_string()),
            ("AUTOPGO_SWEEP_AFTER", "1s".to_owned()),
        ];
        let server = functions.function("autopgo-lambda-server", 29, &variables).await;
        let worker = functions.function("autopgo-lambda-worker", TIMEOUT, &variables).await;
        functions.feed(&worker, &aws.queue_arn("events"), 10).await;
        let url = functions.api(&server, "prod").await;
        Some(Self { functions, bucket, aws, worker, url })
    }

    /// Waits until all of `names` is in the base of `app` once, and nothing is staged.
    async fn merged(&self, app: &str, names: &BTreeSet<String>) {
        let client = client();
        let url = format!("{}/api/profile/{app}", self.url);
        let staging = format!("{app}/staging/");
        let merged =
            once::merged(&client, &url, names, async || self.bucket.keys(&staging).await.len()).await;
        assert_eq!(merged, names.len());
    }
}

fn hex(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A client that has the token.
fn client() -> Client {
    let headers = [(reqwest::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().expect("a header"))];
    Client::builder().default_headers(headers.into_iter().collect()).build().expect("a client")
}

/// Runs the command with the token, and gives its standard output.
async fn command(arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::from(autopgo(arguments));
    let output = command.env("AUTOPGO_API_TOKEN", TOKEN).output().await.expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_and_the_scraper_through_a_gateway_with_a_stage() {
    let Some(cloud) = Cloud::new(false).await else { return };
    let url = cloud.url.as_str();
    let unknown = reqwest::get(format!("{url}/api/profile")).await.expect("an answer");
    assert_eq!(unknown.status(), 401);
    assert_eq!(unknown.json::<Value>().await.expect("JSON")["code"], 401);

    let folder = tempfile::tempdir().expect("a folder");
    let (first, whole) = (folder.path().join("first.pprof"), folder.path().join("whole.pgo"));
    std::fs::write(&first, profile::cpu(&[("main.main", &once::name(0), 1)])).expect("written");
    let (first, whole) = (first.to_str().expect("UTF-8"), whole.to_str().expect("UTF-8"));
    command(&["upload", first, "--app", "checkout", "--api-url", url]).await;
    let mut names = BTreeSet::from([once::name(0)]);
    cloud.merged("checkout", &names).await;

    // One target, whose every profile is another.
    let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = target.local_addr().expect("an address");
    let numbers = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let scraped = std::sync::Arc::clone(&numbers);
    let profiles = get(async move || {
        let number = scraped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        profile::cpu(&[("main.main", &once::name(number), 1)])
    });
    tokio::spawn(
        async move { axum::serve(target, Router::new().route("/debug/pprof/profile", profiles)).await },
    );
    let config = folder.path().join("targets.json");
    std::fs::write(&config, json!([{"address": format!("http://{address}")}]).to_string()).expect("written");
    let listens = free_address();
    let mut scrape = autopgo(&[
        "scrape",
        config.to_str().expect("UTF-8"),
        "--sample-size",
        "1",
        "--app",
        "checkout",
        "--api-url",
        url,
        "--frequency",
        "500ms",
        "--duration",
        "100ms",
        "--port",
        &listens.port().to_string(),
    ]);
    scrape.env("AUTOPGO_API_TOKEN", TOKEN);
    let scraper = Running::start(scrape, listens).await;
    wait::until("the scraper took three profiles", async || {
        (numbers.load(std::sync::atomic::Ordering::Relaxed) > 3).then_some(())
    })
    .await;
    let (code, log) = scraper.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    // The last one may have been given up.
    names.extend((1..=2).map(once::name));
    let client = client();
    let base = format!("{url}/api/profile/checkout");
    let staged = async || cloud.bucket.keys("checkout/staging/").await.len();
    assert!(once::merged(&client, &base, &names, staged).await >= names.len());

    assert!(command(&["list", "--api-url", url]).await.contains("checkout"));
    command(&["download", "checkout", "--output", whole, "--api-url", url]).await;
    assert!(!profile::seen(&std::fs::read(whole).expect("a profile"), "upload.").is_empty());
    command(&["delete", "checkout", "--api-url", url]).await;
    assert_eq!(client.get(&base).send().await.expect("an answer").status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_profile_goes_around_the_function() {
    let Some(cloud) = Cloud::new(false).await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (large, calls) = profile::large(50_000);
    assert!(large.len() > 8 << 20, "{}", large.len());
    let path = folder.path().join("large.pprof");
    std::fs::write(&path, large).expect("written");
    command(&["upload", path.to_str().expect("UTF-8"), "--app", "big", "--api-url", &cloud.url]).await;
    cloud.merged("big", &calls.into_keys().collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_poisoned_is_set_aside_alone() {
    for fifo in [false, true] {
        let Some(cloud) = Cloud::new(fifo).await else { return };
        let client = client();
        let base = format!("{}/api/profile/shop", cloud.url);
        // A Go server would have staged this: ten at once, of which one is no profile and one is no message.
        let staged = |number: usize| format!("shop/staging/{}", 1_790_000_000_000_000_000 + number);
        let mut records = Vec::new();
        for number in 0..10 {
            let key = staged(number);
            let bytes = match number {
                3 => b"no profile".to_vec(),
                _ => profile::cpu(&[("main.main", &once::name(number), 1)]),
            };
            cloud.bucket.put_as_go(&key, &bytes).await;
            records.push(record(
                number,
                &cloud.aws.queue_arn("events"),
                &match number {
                    5 => "no message".to_owned(),
                    _ => uploaded("shop", &key),
                },
            ));
        }
        let event = json!({"Records": records});
        let answer = cloud.functions.invoke(&cloud.worker, &event).await;
        assert_eq!(answer, json!({"batchItemFailures": []}), "{fifo}");
        let names: BTreeSet<String> =
            (0..10).filter(|number| ![3, 5].contains(number)).map(once::name).collect();
        let left = async || cloud.bucket.keys("shop/staging/").await.len().saturating_sub(1);
        // The one that no message told of waits for the sweep, which a schedule brings.
        assert_eq!(once::merged(&client, &base, &names, left).await, names.len());
        assert_eq!(cloud.bucket.keys(&staged(5)).await.len(), 1);
        let aside = cloud.bucket.keys("shop/rejected/").await;
        assert_eq!(aside.len(), 2, "{aside:?}");

        // Brought again, as SQS may, it is merged no second time.
        let answer = cloud.functions.invoke(&cloud.worker, &event).await;
        assert_eq!(answer, json!({"batchItemFailures": []}), "{fifo}");
        assert_eq!(once::merged(&client, &base, &names, left).await, names.len());

        let schedule = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        wait::until("the sweep finds the one", async || {
            cloud.functions.invoke(&cloud.worker, &schedule).await;
            cloud.bucket.keys("shop/staging/").await.is_empty().then_some(())
        })
        .await;
        let names: BTreeSet<String> = (0..10).filter(|number| *number != 3).map(once::name).collect();
        cloud.merged("shop", &names).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_brought_again_and_merged_once() {
    let Some(cloud) = Cloud::new(false).await else { return };
    let client = client();
    // Without its base the application cannot be merged: somebody else's bytes stand there.
    cloud.bucket.put_as_go("shop/default.pgo", b"somebody else's").await;
    let base = format!("{}/api/profile/shop", cloud.url);
    let other = format!("{}/api/profile/other", cloud.url);
    let mut names = BTreeSet::new();
    for number in 0..5 {
        names.extend(once::upload(&client, &base, once::name(number)).await);
    }
    let others: BTreeSet<String> = once::upload(&client, &other, once::name(9)).await.into_iter().collect();
    cloud.merged("other", &others).await;
    assert_eq!(cloud.bucket.keys("shop/staging/").await.len(), names.len());
    cloud.bucket.put_as_go("shop/default.pgo", &profile::cpu(&[("main.main", "main.old", 1)])).await;
    let staged = async || cloud.bucket.keys("shop/staging/").await.len();
    wait::within(Duration::from_secs(120), "they come again", async || (staged().await == 0).then_some(()))
        .await;
    assert_eq!(once::merged(&client, &base, &names, staged).await, names.len());
}

/// What a Go server says of an upload.
fn uploaded(app: &str, key: &str) -> String {
    json!({
        "id": "5a2a7a1e-0d1f-4a1b-8a39-3d3f6b0b9d11", "timestamp": "2026-01-02T03:04:05Z", "type": "profile.uploaded",
        "payload": {"app": app, "profileKey": key},
    })
    .to_string()
}

/// A record of an SQS event, whose body came from SNS.
fn record(number: usize, queue: &str, message: &str) -> Value {
    let notification = json!({
        "Type": "Notification", "MessageId": "n", "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic",
        "Message": message, "Timestamp": "2026-01-02T03:04:05.000Z",
    });
    json!({
        "messageId": format!("message-{number}"), "receiptHandle": "r", "body": notification.to_string(),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0", "MessageGroupId": "shop"},
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": queue,
        "awsRegion": "us-east-1",
    })
}
