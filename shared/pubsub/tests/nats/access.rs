//! Who may do what.

use autopgo_conformance::brokers::Nats as Server;
use autopgo_core::error::Kind;
use autopgo_pubsub::open::topic;
use std::time::Duration;

use crate::rig::{environment, message};

#[tokio::test]
async fn a_server_lets_in_who_has_its_password() {
    let Some(server) = Server::with(&["--user", "me", "--pass", "p@ss:w"]) else { return };
    let right = format!("nats://me:p%40ss%3Aw@{}", server.address());
    let (right, wrong) =
        (environment(&right), environment(&format!("nats://me:hunter2@{}", server.address())));
    let allowed = topic("nats://events", &right).await.expect("opened");
    allowed.publish(message("{}")).await.expect("published");
    let refused = topic("nats://events", &wrong).await.expect("opened");
    let error = refused.check().await.expect_err("refused");
    let told = error.chain();
    assert!(told.contains(&server.address()) && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nats.conf");
    let users = r#"authorization { users = [
        { user: writer, password: secret, permissions: { publish: ["events"], subscribe: ["_INBOX.>"] } }
    ] }"#;
    std::fs::write(&file, users).expect("written");
    let Some(server) = Server::with(&["--config", file.to_str().expect("a name")]) else { return };
    let environment = environment(&format!("nats://writer:secret@{}", server.address()));
    let mine = topic("nats://events", &environment).await.expect("opened");
    // It may not ask for a sign of life, which is found out at the first; then it does without.
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while let Err(error) = mine.publish(message("{}")).await {
        assert!(tokio::time::Instant::now() < until, "{}", error.chain());
    }
    mine.check().await.expect("healthy");
    let others = topic("nats://others", &environment).await.expect("opened");
    loop {
        // The server says so a moment later.
        match others.publish(message("{}")).await {
            Err(error) if error.kind() == Kind::Denied => {
                assert!(error.what().contains("others") && !error.chain().contains("secret"), "{error}");
                break;
            }
            _ => assert!(tokio::time::Instant::now() < until, "it is never refused"),
        }
    }
    assert_eq!(others.check().await.expect_err("not allowed").kind(), Kind::Denied);
}
