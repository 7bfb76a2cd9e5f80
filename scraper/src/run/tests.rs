//! The whole scraper against fake targets and a fake server: a config file, rounds, uploads, health, and the end.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use autopgo_client::Options as ClientOptions;
use autopgo_core::app::App;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::fake::{FakeServer, FakeTarget, PATIENCE, fixture, until};
use crate::mode::Mode;
use crate::source;

/// A scraper at work.
struct Scraper {
    folder: tempfile::TempDir,
    health: String,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

fn options(server: &FakeServer) -> Options {
    Options {
        client: Client::new(&server.url, ClientOptions::default()).expect("a URL"),
        listen: None,
        sample_size: NonZeroUsize::new(100).expect("above 0"),
        frequency: Duration::from_millis(20),
        duration: Duration::from_secs(1),
        limits: Limits::default(),
    }
}

impl Scraper {
    async fn start(server: &FakeServer, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("scrape.json");
        fs::write(&path, config).expect("written");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let health = format!("http://{}", listener.local_addr().expect("bound"));
        let source = source::open(Mode::File, Some(&path), App::parse("all").ok()).await.expect("good");
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_on(Some(listener), options(server), source, stop.clone()));
        Self { folder, health, stop, task }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("scrape.json")
    }

    /// The status and the body of `path`.
    async fn ask(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(format!("{}{path}", self.health)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    async fn end(self) -> Result<()> {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.expect("in time").expect("no panic")
    }
}

#[tokio::test]
async fn bad_targets_do_not_disturb_good_ones_and_apps_are_kept_apart() {
    let server = FakeServer::start(&[]).await;
    let (one, two) = (fixture("hello-app/a-1.pprof"), fixture("hello-app/b-1.pprof"));
    let good = [FakeTarget::serving(&one).await, FakeTarget::serving(&two).await];
    let bad = [
        FakeTarget::hanging().await,
        FakeTarget::saying("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await,
        FakeTarget::saying("garbage").await,
        FakeTarget::serving(fixture("hello-app/a-heap.pprof")).await,
    ];
    let mut config = format!(
        "[{{\"address\": {:?}, \"app\": \"one\"}}, // two\n {{\"address\": {:?}}},\n",
        good[0].address, good[1].address
    );
    for target in &bad {
        config.push_str(&format!("{{\"address\": {:?}, \"app\": \"bad\"}},\n", target.address));
    }
    config.push(']');
    let scraper = Scraper::start(&server, &config).await;
    let of = |path: &str| -> Vec<_> {
        server.uploads().into_iter().filter(|upload| upload.path == path).collect()
    };
    // Rounds go on beside the target that hangs from the first of them.
    until(|| (of("/api/profile/one").len() >= 5 && of("/api/profile/all").len() >= 5).then_some(())).await;
    until(|| bad.iter().all(|target| !target.requests().is_empty()).then_some(())).await;
    assert_eq!(bad[0].requests().len(), 1, "a target in hand is not asked again");
    assert!(of("/api/profile/one").iter().all(|upload| upload.body == one));
    assert!(of("/api/profile/all").iter().all(|upload| upload.body == two));
    assert!(of("/api/profile/bad").is_empty());
    scraper.end().await.expect("a clean end");
}

#[tokio::test]
async fn a_changed_file_changes_what_is_scraped_and_health_tells_of_a_broken_one() {
    let server = FakeServer::start(&[]).await;
    let profile = fixture("hello-app/a-1.pprof");
    let (first, second) = (FakeTarget::serving(&profile).await, FakeTarget::serving(&profile).await);
    let scraper = Scraper::start(&server, &format!("[{{\"address\": {:?}}}]", first.address)).await;
    until(|| (!first.requests().is_empty()).then_some(())).await;
    let healthy = r#"{"status":"healthy","dependencies":[{"name":"file","status":"healthy"}]}"#;
    assert_eq!(scraper.ask("/api/health").await, (200, healthy.to_owned()));

    fs::write(scraper.config(), "[").expect("written");
    let sick = async {
        loop {
            let (status, body) = scraper.ask("/api/health").await;
            if status == 503 {
                return body;
            }
        }
    };
    let body = timeout(PATIENCE, sick).await.expect("in time");
    assert!(body.contains("the config file cannot be used since it changed"), "{body}");
    assert_eq!(scraper.ask("/api/ready").await.0, 200);
    let before = first.requests().len();
    until(|| (first.requests().len() > before + 2).then_some(())).await;

    fs::write(scraper.config(), format!("[{{\"address\": {:?}}}]", second.address)).expect("written");
    until(|| (second.requests().len() > 2).then_some(())).await;
    scraper.end().await.expect("a clean end");
}

#[tokio::test]
async fn it_stops_while_a_target_is_being_profiled() {
    let server = FakeServer::start(&[]).await;
    let hanging = FakeTarget::hanging().await;
    let scraper = Scraper::start(&server, &format!("[{{\"address\": {:?}}}]", hanging.address)).await;
    until(|| (!hanging.requests().is_empty()).then_some(())).await;
    let begun = std::time::Instant::now();
    scraper.end().await.expect("a clean end");
    assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_cannot_work_is_said_at_once() {
    let server = FakeServer::start(&[]).await;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("scrape.json");
    fs::write(&path, "[]").expect("written");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = taken.local_addr().expect("bound");
    for (options, says) in [
        (Options { frequency: Duration::ZERO, ..options(&server) }, "the frequency is zero".to_owned()),
        (Options { duration: Duration::ZERO, ..options(&server) }, "the duration is zero".to_owned()),
        (
            Options { listen: Some(address), ..options(&server) },
            format!("listening on port {}", address.port()),
        ),
    ] {
        let source = source::open(Mode::File, Some(&path), None).await.expect("good");
        let ended = timeout(PATIENCE, run(options, source, CancellationToken::new())).await.expect("in time");
        let error = ended.expect_err("cannot work");
        assert!(error.what().starts_with(&says), "{error}");
    }
}
