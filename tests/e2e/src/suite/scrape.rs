//! A scraper in front of it.

use axum::Router;
use tokio::net::TcpListener;

use super::Stage;
use crate::process::{Running, binary, call, free_address};
use crate::{paths, profile};

const APP: &str = "scraped";

pub(super) async fn perform(stage: &Stage) {
    let bytes = std::fs::read(paths::fixture("hello-app/a-2.pprof")).expect("a fixture");
    let replayed = bytes.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = Router::new().fallback(move || async move { replayed });
    let serving = tokio::spawn(async move { axum::serve(listener, target).await });
    let targets = stage.file("targets.json");
    std::fs::write(&targets, format!(r#"[{{"address": "http://{address}", "app": "{APP}"}}]"#))
        .expect("written");

    let health = free_address();
    let (url, port) = (stage.url(), health.port().to_string());
    let arguments = ["scrape", targets.to_str().expect("UTF-8"), "--api-url", &url, "--port", &port];
    let round = ["--frequency", "1h", "--duration", "1s", "--sample-size", "1"];
    let scraper = Running::start(call(binary(), &[&arguments[..], &round].concat()), health).await;
    assert_eq!(profile::seen(&stage.base(APP).await, ""), profile::seen(&bytes, ""));
    let (code, log) = scraper.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    serving.abort();
}
