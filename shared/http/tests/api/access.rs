//! Tokens: the matrix of `tests/e2e`, and what only a router in this process can show.

use std::sync::Arc;

use autopgo_core::api::{Profiles, Ticket};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind};
use autopgo_core::health::Checks;
use autopgo_core::limits::Limits;
use autopgo_e2e::matrix::{self, ALL, APP, DELETER, DOWNLOADER, ELSEWHERE, Token, UPLOADER, WATCHER};
use autopgo_http::Access;
use autopgo_http::access::Tokens;

use crate::world::{Answer, Fixed, World, fixture, post};

const PROFILE: &str = "profiles/hello-app/a-1.pprof";

async fn guarded() -> World {
    guarded_with(Checks::default()).await
}

async fn guarded_with(checks: Checks) -> World {
    let access = Access::by(Tokens::parse(matrix::LIST, "list").expect("a list"));
    World::behind(access, checks, Limits::default(), Arc::new(System)).await
}

fn bearer(token: Token) -> String {
    format!("Authorization: Bearer {}\r\n", token.text)
}

async fn get(world: &World, path: &str, headers: &str) -> Answer {
    world.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await
}

#[tokio::test]
async fn the_matrix_holds_and_what_is_refused_changes_nothing() {
    let world = guarded().await;
    let base = format!("http://127.0.0.1:{}", world.port);
    world.put_base(APP, fixture(PROFILE)).await;
    world.put_base("team-b", fixture(PROFILE)).await;
    matrix::refuses(&base).await;
    assert_eq!(world.keys().await, ["team-a/default.pgo", "team-b/default.pgo"]);
    assert_eq!(world.bytes("team-a/default.pgo").await, fixture(PROFILE));
    matrix::admits(&base).await;
    get(&world, "/api/profile/team-a", &bearer(ALL)).await.is(404, "no profile of team-a");
    assert_eq!(get(&world, "/api/profile/team-b", &bearer(ALL)).await.status, 200);
}

#[tokio::test]
async fn without_tokens_everybody_may_do_everything() {
    let world = World::with_objects(Limits::default(), Arc::new(System)).await;
    matrix::admits(&format!("http://127.0.0.1:{}", world.port)).await;
}

#[tokio::test]
async fn a_refusal_comes_before_the_body() {
    let world = guarded().await;
    let head = |path: &str, headers: &str, more: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}{more}\r\n\r\n")
    };
    for path in ["/api/profile/team-a", "/api/profile/team-a/uploads", "/api/profile/team-a/uploads/1"] {
        for more in ["Content-Length: 1000", "Content-Length: 99999999999", "Transfer-Encoding: chunked"] {
            for (headers, status, says) in [
                (String::new(), 401, "wants a token"),
                ("Authorization: Bearer x\r\n".to_owned(), 401, "none that this server knows"),
                (bearer(DOWNLOADER), 403, "the token downloader lacks the scope upload"),
                (bearer(ELSEWHERE), 403, "the token elsewhere is not for the application team-a"),
            ] {
                let answer = world.ask(head(path, &headers, more)).await;
                answer.is(status, says);
                assert_eq!(answer.header("connection"), Some("close"), "the body was not read");
            }
        }
    }
    // Whoever asks first whether to send it at all (RFC 9110 10.1.1) need not.
    let asks = head("/api/profile/team-a", "Expect: 100-continue\r\n", "Content-Length: 1000");
    world.ask(asks).await.is(401, "wants a token");
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_list_has_what_the_token_is_for() {
    let world = guarded().await;
    for app in ["other", "team-a", "team-a-2", "team-b"] {
        world.put_base(app, fixture(PROFILE)).await;
    }
    for (token, expected) in [
        (ALL, &["other", "team-a", "team-a-2", "team-b"][..]),
        (DOWNLOADER, &["team-a", "team-a-2", "team-b"]),
        (ELSEWHERE, &["team-a-2", "team-b"]),
    ] {
        let answer = get(&world, "/api/profile", &bearer(token)).await;
        let listed: Profiles = serde_json::from_slice(&answer.body).expect("a list");
        let names: Vec<_> = listed.profiles.iter().map(|line| line.key.as_str()).collect();
        assert_eq!(names, expected, "{token:?}");
    }
}

#[tokio::test]
async fn what_a_dependency_says_is_for_tokens_alone() {
    let sick = || Err(Error::new(Kind::Unavailable, "no route to db.internal:9000"));
    let world = guarded_with(Checks::default().with("blob", Arc::new(Fixed(sick)))).await;
    for headers in ["", "Authorization: Bearer x\r\n", "Authorization: Basic x\r\n"] {
        let answer = get(&world, "/api/health", headers).await;
        let hidden = r#"{"status":"unhealthy","dependencies":[{"name":"blob","status":"unhealthy"}]}"#;
        assert_eq!((answer.status, answer.text().as_str()), (503, hidden), "{headers}");
        assert_eq!(get(&world, "/api/ready", headers).await.status, 200);
    }
    for token in [ALL, UPLOADER, WATCHER] {
        let answer = get(&world, "/api/health", &bearer(token)).await;
        assert!(answer.status == 503 && answer.text().contains("no route to db.internal:9000"), "{answer:?}");
    }
    let sick = Checks::default().with("blob", Arc::new(Fixed(sick)));
    let open = World::behind(Access::open(), sick, Limits::default(), Arc::new(System)).await;
    assert!(
        get(&open, "/api/health", "").await.text().contains("db.internal"),
        "an open server tells everybody"
    );
}

#[tokio::test]
async fn a_signed_url_is_leave_enough() {
    let world = guarded().await;
    let body = fixture(PROFILE);
    let uploads = "/api/profile/team-a/uploads";
    let asked =
        world.post(uploads, &bearer(UPLOADER), format!("{{\"size\":{}}}", body.len()).as_bytes()).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let ticket: Ticket = serde_json::from_slice(&asked.body).expect("a ticket");
    let path = format!("/api/{}", ticket.url.strip_prefix("../../").expect("it is relative"));
    let put = String::from_utf8(post(&path, "", b"")).expect("text").replacen("POST", "PUT", 1);
    let put = put.replacen("Content-Length: 0", &format!("Content-Length: {}", body.len()), 1);
    let put = world.ask([put.as_bytes(), &body].concat()).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let completion = format!("{uploads}/{}", ticket.id);
    world.post(&completion, "", b"").await.is(401, "wants a token");
    world.post(&completion, &bearer(DELETER), b"").await.is(403, "the token deleter lacks the scope upload");
    let done = world.post(&completion, &bearer(UPLOADER), b"").await;
    assert_eq!(done.status, 201, "{}", done.text());
}

#[tokio::test]
async fn the_matrix_notices_what_is_open_too_far_and_what_is_shut() {
    let lists = [
        None,
        Some(matrix::LIST.replace("\"scopes\": [\"upload\"]", "\"scopes\": [\"upload\", \"delete\"]")),
        Some(matrix::LIST.replace("\"scopes\": []", "\"scopes\": [\"download\"]")),
        Some(matrix::LIST.replace("\"team-a-*\"", "\"team-*\"")),
        Some(matrix::LIST.replace("\"*-a\"", "\"*-b\"")),
    ];
    for list in lists {
        let access = match &list {
            None => Access::open(),
            Some(list) => {
                assert_ne!(list, matrix::LIST);
                Access::by(Tokens::parse(list, "list").expect("a list"))
            }
        };
        let world = World::behind(access, Checks::default(), Limits::default(), Arc::new(System)).await;
        let base = format!("http://127.0.0.1:{}", world.port);
        let tried = tokio::spawn(async move { matrix::holds(&base).await });
        assert!(tried.await.is_err_and(|error| error.is_panic()), "{list:?}");
    }
}
