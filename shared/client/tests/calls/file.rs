//! Profiles in files, both ways: never in memory as a whole, and the same as from memory.

use std::io::Write as _;

use autopgo_client::{Client, Content, Saved, Target};
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Kind, Result};
use tempfile::NamedTempFile;

use crate::fake::{Fake, Reply, answer, json, patient};

fn app() -> App {
    App::parse("checkout").expect("a name")
}

fn created() -> Reply {
    Reply::Bytes(json("201 Created", r#"{"key":"checkout/staging/1"}"#))
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn content(file: &NamedTempFile) -> Content {
    Content::file(file.reopen().expect("opened"), "cpu.pprof").expect("a file")
}

async fn download(client: &Client, to: &NamedTempFile, known: Option<&str>) -> Result<Option<Saved>> {
    let mut make = || Ok(to.reopen().expect("opened"));
    client.download_to(Target::new("default.pgo", &mut make), &app(), Form::Full, known, None).await
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| ((at / 256) ^ at) as u8).collect()
}

#[tokio::test]
async fn each_try_sends_the_whole_file() {
    // An empty one, one of whole pieces, and one of a little more.
    for size in [0, 128 << 10, (128 << 10) + 1] {
        let file = file(&pattern(size));
        let fake =
            Fake::start(vec![Reply::Bytes(answer("503 Service Unavailable", "", b"")), created()]).await;
        let content = content(&file);
        assert_eq!(content.size(), size as u64);
        fake.client(patient(9)).0.upload(&app(), content, None).await.expect("uploaded");
        let seen = fake.seen();
        assert_eq!(seen.len(), 2);
        for seen in seen {
            assert!(seen.body == pattern(size), "{} of {size} bytes", seen.body.len());
            assert_eq!(seen.header("content-length"), Some(size.to_string().as_str()));
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_under_way_is_not_tried_again() {
    let file = file(&pattern(300_000));
    let content = content(&file);
    file.as_file().set_len(100_000).expect("cut");
    let fake = Fake::start(vec![Reply::Silence, Reply::Silence]).await;
    let error = fake.client(patient(9)).0.upload(&app(), content, None).await.expect_err("it is shorter");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.what().contains("cpu.pprof could not be read to its end: it has become shorter"),
        "{error}"
    );
    assert!(fake.seen().len() <= 1);
}

#[cfg(unix)]
#[test]
fn only_a_file_is_one() {
    for path in ["/", "/dev/null"] {
        let error = Content::file(std::fs::File::open(path).expect("opened"), path).expect_err("no file");
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(error.what(), format!("{path}: it is no regular file"));
    }
}

#[tokio::test]
async fn a_download_replaces_what_is_in_the_file() {
    let cut = Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nprof".to_vec());
    let whole = || Reply::Bytes(answer("200 OK", "ETag: \"v1\"\r\n", b"profile"));
    let unchanged = Reply::Bytes(answer("304 Not Modified", "ETag: \"v1\"\r\n", b""));
    let fake = Fake::start(vec![cut, whole(), unchanged]).await;
    let (client, _) = fake.client(patient(9));
    let there = file(b"something longer than that");
    let saved = download(&client, &there, None).await.expect("downloaded").expect("nothing was known");
    assert_eq!((saved.size, saved.etag.as_deref()), (7, Some("\"v1\"")));
    assert_eq!(std::fs::read(there.path()).expect("read"), b"profile");
    assert!(download(&client, &there, Some("\"v1\"")).await.expect("asked").is_none());
    assert_eq!(std::fs::read(there.path()).expect("read"), b"profile", "it stays as it is");
}

#[tokio::test]
async fn no_file_is_made_for_an_error() {
    let fake = Fake::start(vec![Reply::Bytes(answer("404 Not Found", "", b""))]).await;
    let mut make = || panic!("there is nothing to write");
    let target = Target::new("default.pgo", &mut make);
    let (client, _) = fake.client(patient(0));
    let error = client.download_to(target, &app(), Form::Full, None, None).await.expect_err("none");
    assert!(error.what().starts_with("downloading the profile of checkout"), "{error}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_not_tried_again() {
    let whole = || Reply::Bytes(answer("200 OK", "", b"profile"));
    let fake = Fake::start(vec![whole(), whole()]).await;
    let there = file(b"");
    let mut make = || Ok(std::fs::File::open(there.path()).expect("opened to be read"));
    let target = Target::new("default.pgo", &mut make);
    let (client, _) = fake.client(patient(9));
    let error = client.download_to(target, &app(), Form::Full, None, None).await.expect_err("read-only");
    assert_eq!(error.kind(), Kind::Internal);
    assert!(error.what().contains("writing default.pgo"), "{error}");
    assert_eq!(fake.seen().len(), 1);
}
