//! What the client logs, at its most talkative. In a process of its own: what a process logs is one for all its tests.
#![allow(clippy::expect_used, clippy::panic, reason = "tests say what they rely on")]

use std::io;
use std::sync::{Arc, Mutex};

use autopgo_client::Options;
use autopgo_core::api::Form;
use autopgo_core::app::App;

use everyone::everyone;
use fake::{Fake, Reply, answer, json};

#[allow(dead_code, reason = "what only the other tests use")]
#[path = "calls/everyone.rs"]
mod everyone;
#[allow(dead_code, reason = "what only the other tests use")]
#[path = "calls/fake.rs"]
mod fake;

/// An upload whose ticket is refused, renewed and used.
async fn upload(options: Options) {
    let denied = answer("403 Forbidden", "Content-Type: application/xml\r\n", b"<Sign>s3cret</Sign>");
    let store =
        Fake::start(vec![Reply::Reset, Reply::Bytes(denied), Reply::Bytes(answer("200 OK", "", b""))]).await;
    let ticket = || {
        let body = format!(
            r#"{{"id":"1730075435311000000-0a1b2c3d","url":"{}/k?sig=s3cret","method":"PUT","headers":{{"x-key":"s3cret"}},
                "key":"k","expires":"2024-10-28T12:16:34Z"}}"#,
            store.url
        );
        Reply::Bytes(json("200 OK", &body))
    };
    let created = Reply::Bytes(json("201 Created", r#"{"key":"checkout/staging/1"}"#));
    let fake = Fake::start(vec![ticket(), ticket(), created]).await;
    let app = App::parse("checkout").expect("a name");
    fake.client(options).0.upload(&app, vec![7; 5 << 20], None).await.expect("uploaded");
}

#[tokio::test]
async fn no_log_holds_a_secret() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("log").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    for options in everyone(9) {
        let echo = r#"{"message":"no: s3cret-token s3cret-session s3cret-header s3cret.identity.token"}"#;
        let fake = Fake::start(vec![
            Reply::Reset,
            Reply::Bytes(answer("307 Temporary Redirect", "Location: /x?sig=s3cret\r\n", b"")),
            Reply::Bytes(answer("200 OK", "", b"profile")),
            Reply::Bytes(json("403 Forbidden", echo)),
        ])
        .await;
        let (client, _) = fake.client(options.clone());
        upload(options.clone()).await;
        let app = App::parse("checkout").expect("a name");
        client.download(&app, Form::Full, None, None).await.expect("downloaded");
        tracing::trace!("{client:?} {options:?}");
        // What was not sent is no secret of the one who asks.
        client.list().await.expect_err("refused");
    }
    let text = String::from_utf8(log.0.lock().expect("log").clone()).expect("text");
    assert!(text.contains("trying again") && text.contains("following a redirect"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}
