//! Whoever asks: what says so stays with the host it is for.

use autopgo_client::Options;
use autopgo_core::api::Form;
use autopgo_core::app::App;

use crate::everyone::{SECRET, everyone};
use crate::fake::{Fake, Reply, Seen, answer, json};

fn app() -> App {
    App::parse("checkout").expect("a name")
}

fn names(seen: &Seen) -> Vec<&str> {
    let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_redirect_to_another_host_leaves_it_behind() {
    for options in everyone(0) {
        let who = format!("{:?}", options.identity);
        let store = Fake::start(vec![Reply::Bytes(answer("200 OK", "", b"profile"))]).await;
        let away = format!("Location: {}/k?X-Amz-Signature=abc\r\n", store.url);
        let fake = Fake::start(vec![
            Reply::Bytes(answer("307 Temporary Redirect", "Location: /elsewhere\r\n", b"")),
            Reply::Bytes(answer("307 Temporary Redirect", &away, b"")),
        ])
        .await;
        fake.client(options).0.download(&app(), Form::Full, None, None).await.expect(&who);
        assert!(fake.seen().iter().all(|seen| format!("{seen:?}").contains(SECRET)), "{who}");
        assert_eq!(names(&store.seen()[0]), ["accept", "host", "user-agent"], "{who}");
    }
}

#[tokio::test]
async fn a_ticket_is_all_that_a_store_is_shown() {
    for options in everyone(0) {
        let who = format!("{:?}", options.identity);
        let store = Fake::start(vec![Reply::Bytes(answer("200 OK", "", b""))]).await;
        let ticket = format!(
            r#"{{"id":"1730075435311000000-0a1b2c3d","url":"{}/k?sig=abc","method":"PUT","headers":{{"x-amz-meta":"m"}},
                "key":"k","expires":"2024-10-28T12:16:34Z"}}"#,
            store.url
        );
        let created = json("201 Created", r#"{"key":"checkout/staging/1"}"#);
        let fake = Fake::start(vec![Reply::Bytes(json("200 OK", &ticket)), Reply::Bytes(created)]).await;
        fake.client(options).0.upload(&app(), vec![7; 5 << 20], None).await.expect(&who);
        assert!(fake.seen().iter().all(|seen| format!("{:?}", seen.headers).contains(SECRET)), "{who}");
        let expected = ["accept", "content-length", "host", "user-agent", "x-amz-meta"];
        assert_eq!(names(&store.seen()[0]), expected, "{who}");
    }
}

#[tokio::test]
async fn a_server_that_says_it_back_is_not_shown() {
    for options in everyone(0) {
        let who = format!("{:?}", options.identity);
        assert!(!who.contains(SECRET), "{who}");
        let all = "s3cret-token s3cret-session s3cret-header s3cret.identity.token";
        for (media, body) in [
            ("application/json", format!(r#"{{"message":"unknown: {all}","code":403}}"#)),
            ("application/json", format!(r#"{{"message":"unknown: {all}"}}"#)),
            ("text/plain", format!("unknown: {all}")),
            ("text/html", format!("<title>unknown: {all}</title>")),
        ] {
            let reply = || answer("403 Forbidden", &format!("Content-Type: {media}\r\n"), body.as_bytes());
            let fake = Fake::start(vec![Reply::Bytes(reply()), Reply::Bytes(reply())]).await;
            let (client, _) = fake.client(Options::clone(&options));
            let errors =
                [client.list().await.expect_err("refused"), client.health().await.expect_err("refused")];
            // What was sent. The rest are words like any other.
            let sent = fake.seen().into_iter().flat_map(|seen| seen.headers).collect::<Vec<_>>();
            for error in errors {
                assert!(error.what().contains("unknown: "), "{error}");
                for secret in all.split(' ') {
                    let known = sent.iter().any(|(_, value)| value.ends_with(secret));
                    assert_eq!(error.chain().contains(secret), !known, "{who}: {secret}: {error}");
                }
            }
        }
    }
}
