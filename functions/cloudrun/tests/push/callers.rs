//! Who may call, where the service looks at that itself.

use std::sync::Arc;

use autopgo_e2e::process::Running;
use autopgo_e2e::wait;
use autopgo_fakes::push::Token;
use autopgo_fakes::tokens::Issuer;
use reqwest::Client;
use serde_json::Value;

use crate::rig::{Store, Uploads, push_to, said, service, start, stop};

const AUDIENCE: &str = "https://worker.example.run.app";
const PUSHER: &str = "push@acme.iam.gserviceaccount.com";
const SCHEDULER: &str = "schedule@acme.iam.gserviceaccount.com";

fn signed(issuer: &Arc<Issuer>, audience: &'static str, email: &'static str) -> Token {
    let issuer = Arc::clone(issuer);
    Arc::new(move || issuer.token(&Issuer::claims(audience, email)).expect("signed"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_those_call_whose_token_says_so() {
    let issuer = Arc::new(Issuer::start().expect("an issuer"));
    let store = Store::folder();
    let mut uploads = Uploads::on(&store).await;
    let (mut command, address) = service("worker", &store, None);
    command
        .env("AUTOPGO_PUSH_AUDIENCE", format!("{AUDIENCE},{AUDIENCE}/sweep"))
        .env("AUTOPGO_PUSH_EMAIL", format!("{PUSHER}, {SCHEDULER}"))
        .env("AUTOPGO_PUSH_KEYS_URL", issuer.keys_url())
        .env("AUTOPGO_LOG_LEVEL", "debug");
    let worker = Running::start(command, address).await;

    let good = push_to(&worker, |setup| setup.token = Some(signed(&issuer, AUDIENCE, PUSHER)));
    for _ in 0..20 {
        good.publish(uploads.next().await, "");
    }
    uploads.are_merged_once_by(&good).await;
    assert!(good.deliveries().iter().all(|delivery| delivery.answer == Some(204)));
    assert_eq!(issuer.asked(), 1, "the keys are looked up once");

    for (token, status) in [
        (None, 401),
        (Some(signed(&issuer, "https://another.example", PUSHER)), 401),
        (Some(signed(&issuer, AUDIENCE, "stranger@evil.iam.gserviceaccount.com")), 403),
    ] {
        let refused = push_to(&worker, |setup| (setup.token, setup.deliveries) = (token, Some(3)));
        refused.publish(uploads.next().await, "");
        wait::until("it is given up", async || (refused.outstanding() == 0).then_some(())).await;
        let answers: Vec<_> = refused.deliveries().into_iter().map(|delivery| delivery.answer).collect();
        assert_eq!((answers, refused.dead().len()), (vec![Some(status); 3], 1));
    }

    let client = Client::new();
    let sweep = |token: Option<String>| {
        let request = client.post(format!("{}/sweep", worker.url));
        token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth).send()
    };
    let answer = sweep(None).await.expect("answered");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["www-authenticate"]),
        (401, &"Bearer".parse().expect("ASCII"))
    );
    let failure: Value = answer.json().await.expect("JSON");
    assert!(
        failure["message"].as_str().expect("text").contains("token") && failure["code"] == 401,
        "{failure}"
    );
    let token = issuer.token(&Issuer::claims(&format!("{AUDIENCE}/sweep"), SCHEDULER)).expect("signed");
    assert_eq!(sweep(Some(token.clone())).await.expect("answered").status(), 200);
    // The three that nobody could tell of.
    uploads.are_merged_once_by(&good).await;

    let health = client.get(format!("{}/api/health", worker.url)).send().await.expect("answered");
    assert_eq!(health.status(), 200, "health is for the platform to ask");

    let log = stop(worker).await;
    let text = format!("{log:?}");
    let secret = token.split('.').nth(1).expect("claims");
    assert!(!text.contains("Bearer ") && !text.contains(secret), "a token was logged");
    assert!(text.contains("stranger@evil"), "who was refused is in the log");
    assert_eq!(said(&log, "a call was refused for its token"), 3, "no token never comes that far");
    uploads.stop().await;
}

#[tokio::test]
async fn a_worker_that_asks_nobody_says_so_and_half_a_check_is_none() {
    let store = Store::folder();
    let log = stop(start("worker", &store).await).await;
    assert!(log.iter().any(|line| {
        line["level"] == "WARN"
            && line["message"].as_str().is_some_and(|text| text.contains("AUTOPGO_PUSH_AUDIENCE"))
    }));
    for (set, missing) in
        [("AUTOPGO_PUSH_AUDIENCE", "AUTOPGO_PUSH_EMAIL"), ("AUTOPGO_PUSH_EMAIL", "AUTOPGO_PUSH_AUDIENCE")]
    {
        let (mut command, _) = service("worker", &store, None);
        let output = command.env(set, "x").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{set} needs {missing}")), "{said}");
    }
}
