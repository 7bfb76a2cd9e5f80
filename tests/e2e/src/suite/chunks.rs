//! An upload as the Go original sends it: in chunks, without a length and without a type.

use futures_util::stream;
use reqwest::Body;

use super::Stage;
use crate::{paths, profile};

const APP: &str = "chunks";

pub(super) async fn perform(stage: &Stage) {
    let bytes = std::fs::read(paths::fixture("hello-app/b-1.pprof")).expect("a fixture");
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        bytes.chunks(1000).map(|chunk| Ok(chunk.to_vec())).collect();
    let (status, body) = stage.post(APP, Body::wrap_stream(stream::iter(chunks))).await;
    assert_eq!(status, stage.host.chunked(), "{body}");
    if status == 201 {
        assert!(body["key"].as_str().is_some_and(|key| key.starts_with("chunks/staging/")), "{body}");
        assert_eq!(profile::seen(&stage.base(APP).await, ""), profile::seen(&bytes, ""));
    } else {
        // Then whoever sent it is told how to send it.
        assert!(body["message"].as_str().is_some_and(|text| text.contains("Content-Length")), "{body}");
        assert!(stage.shelf.keys("chunks/staging/").await.is_empty());
    }
}
