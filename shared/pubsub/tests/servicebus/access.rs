//! Who may do what, and how that is proven.

use std::time::{Duration, Instant};

use autopgo_conformance::proxy::{Fault, Proxy};
use autopgo_core::error::Kind;
use autopgo_fakes::servicebus::{CLIENT, SECRET, TENANT};
use autopgo_pubsub::open::{subscription, topic};
use jiff::Timestamp;

use crate::rig::{PATIENCE, Peer, environment, message, soon};

#[tokio::test]
async fn each_rule_lets_one_do_its_own() {
    let peer = Peer::new(Duration::from_secs(60));
    let url = "azuresb://laws?subscription=worker";
    let with = |string: String| environment(&[("SERVICEBUS_CONNECTION_STRING", &string)]);
    let sender = with(peer.fake.connection_string("sender"));
    let topic_of_sender = topic("azuresb://laws", &sender).await.expect("a topic");
    topic_of_sender.check().await.expect("a sender is known, though it may not look");
    topic_of_sender.publish(message("1")).await.expect("published");
    let listener = with(peer.fake.connection_string("listener"));
    let subscription_of_listener = subscription(url, &listener).await.expect("a subscription");
    subscription_of_listener.check().await.expect("checked");
    let batch = soon(subscription_of_listener.receive(1)).await.expect("received");
    subscription_of_listener.ack(&batch[0]).await.expect("acked");

    let denied = topic("azuresb://laws", &listener).await.expect("a topic").publish(message("2")).await;
    let denied = denied.expect_err("a listener does not send");
    assert!(denied.kind() == Kind::Denied && denied.what().contains("the claim Send"), "{denied}");
    let denied = subscription(url, &sender).await.expect("a subscription").receive(1).await;
    assert_eq!(denied.expect_err("a sender does not listen").kind(), Kind::Denied);

    let wrong = peer.fake.connection_string("manager").replace("SharedAccessKey=", "SharedAccessKey=hunter2");
    let wrong = with(wrong);
    let topic_of_nobody = topic("azuresb://laws", &wrong).await.expect("a topic");
    for refused in [topic_of_nobody.publish(message("3")).await, topic_of_nobody.check().await] {
        let refused = refused.expect_err("the key is wrong");
        assert!(refused.kind() == Kind::Denied && refused.what().contains("the clock here"), "{refused}");
        assert!(!refused.chain().contains("hunter2") && !refused.chain().contains(peer.fake.key("manager")));
    }
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn a_signature_of_others_serves_until_its_end() {
    let peer = Peer::new(Duration::from_secs(60));
    let address = peer.fake.address();
    for (life, kind) in [(60, None), (-60, Some(Kind::Denied))] {
        let end = Timestamp::from_second(Timestamp::now().as_second() + life).expect("a time");
        let signature = peer.fake.signature("sender", "laws", end);
        for signature in [signature.as_str(), signature.trim_start_matches("SharedAccessSignature ")] {
            let string = format!(
                "Endpoint=sb://{address};SharedAccessSignature={signature};EntityPath=laws;UseDevelopmentEmulator=true"
            );
            let environment = environment(&[("SERVICEBUS_CONNECTION_STRING", &string)]);
            let topic = topic("azuresb://laws", &environment).await.expect("a topic");
            let published = topic.publish(message("1")).await;
            assert_eq!(published.err().map(|error| error.kind()), kind);
        }
    }
}

#[tokio::test]
async fn entra_gives_tokens_in_each_way_and_they_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{SECRET}\n")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let who = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)];
    for way in [
        &[("AZURE_CLIENT_SECRET", SECRET)][..],
        &[("AZURE_FEDERATED_TOKEN_FILE", file)],
        &[("IDENTITY_ENDPOINT", "/msi/token"), ("IDENTITY_HEADER", SECRET)],
        &[],
    ] {
        let peer = Peer::new(Duration::from_secs(60));
        let (host, base) = (peer.fake.address().to_string(), format!("http://{}", peer.fake.address()));
        let endpoint = format!("{base}/msi/token");
        let mut variables =
            vec![("AZURE_SERVICEBUS_HOSTNAME", host.as_str()), ("AZURE_AUTHORITY_HOST", &base)];
        variables.push(("AZURE_POD_IDENTITY_AUTHORITY_HOST", &base));
        variables.extend(who);
        variables.extend(
            way.iter().map(|(name, value)| (*name, if *value == "/msi/token" { &endpoint } else { *value })),
        );
        let environment = environment(&variables);
        let topic = topic("azuresb://laws", &environment).await.expect("a topic");
        topic.check().await.unwrap_or_else(|error| panic!("{way:?}: {}", error.chain()));
        for n in 0..5 {
            topic.publish(message(&n.to_string())).await.expect("published");
        }
        assert_eq!(peer.fake.tokens(), 1, "{way:?}");
        let reader =
            subscription("azuresb://laws?subscription=worker", &environment).await.expect("a subscription");
        reader.check().await.expect("checked");
        assert_eq!(soon(reader.receive(10)).await.expect("received").len(), 5);
        assert_eq!(peer.fake.tokens(), 2, "{way:?}: one for each end");
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let peer = Peer::new(Duration::from_secs(60));
    peer.fake.tokens_last(Duration::from_secs(2));
    let (host, base) = (peer.fake.address().to_string(), format!("http://{}", peer.fake.address()));
    let environment = environment(&[
        ("AZURE_SERVICEBUS_HOSTNAME", &host),
        ("AZURE_AUTHORITY_HOST", &base),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_CLIENT_SECRET", SECRET),
    ]);
    let topic = topic("azuresb://laws", &environment).await.expect("a topic");
    let end = Instant::now() + PATIENCE;
    while peer.fake.tokens() < 4 {
        topic.publish(message("1")).await.expect("no token is used that is over");
        assert!(Instant::now() < end, "the token is not renewed");
    }
}

/// Entra is reached through a proxy, and falls silent.
#[tokio::test]
async fn a_slow_entra_is_in_nobody_s_way_while_the_old_token_serves() {
    let peer = Peer::new(Duration::from_secs(60));
    peer.fake.tokens_last(Duration::from_secs(6));
    let proxy = Proxy::before(peer.fake.address()).await.expect("a proxy");
    let (host, base) = (peer.fake.address().to_string(), format!("http://{}", proxy.address()));
    let environment = environment(&[
        ("AZURE_SERVICEBUS_HOSTNAME", &host),
        ("AZURE_AUTHORITY_HOST", &base),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_CLIENT_SECRET", SECRET),
    ]);
    let topic = topic("azuresb://laws", &environment).await.expect("a topic");
    topic.publish(message("1")).await.expect("published");
    proxy.always(Some(Fault::IsSilent));
    // In the second half of its life another is asked for, once, and nobody waits for it.
    let mut meanwhile = 0;
    while meanwhile < 3 {
        topic.publish(message("1")).await.expect("published with the token that there is");
        meanwhile += u32::from(proxy.requests() == 2);
    }
    assert_eq!(proxy.requests(), 2);
    // When it is over there is none, and whoever has no time left leaves the one on its way to the next.
    let end = Instant::now() + PATIENCE;
    while topic.publish(message("1")).await.is_ok() {
        assert!(Instant::now() < end, "the token does not end");
    }
    let late = topic.publish(message("1")).await.expect_err("there is no token");
    assert_eq!(late.kind(), Kind::Unavailable, "{}", late.chain());
    assert_eq!(proxy.requests(), 2);
    proxy.always(None);
    while topic.publish(message("1")).await.is_err() {
        assert!(Instant::now() < end, "no token comes any more");
    }
}

#[tokio::test]
async fn credentials_that_are_wrong_are_said_to_be() {
    let peer = Peer::new(Duration::from_secs(60));
    let (host, base) = (peer.fake.address().to_string(), format!("http://{}", peer.fake.address()));
    let variables = [("AZURE_SERVICEBUS_HOSTNAME", host.as_str()), ("AZURE_AUTHORITY_HOST", &base)];
    let who = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)];
    for (proof, says) in [
        (("AZURE_CLIENT_SECRET", "hunter2"), "AADSTS7000215: Invalid client secret provided."),
        (("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/at/all"), "check AZURE_FEDERATED_TOKEN_FILE"),
    ] {
        let environment = environment(&[&variables[..], &who, &[proof]].concat());
        let topic = topic("azuresb://laws", &environment).await.expect("a topic");
        let error = topic.publish(message("1")).await.expect_err("nobody");
        assert!(error.kind() == Kind::Denied && error.what().contains(says), "{}", error.chain());
        assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    }
}
