//! Tickets, and the URLs that a process signs when it is its own store: they do what was signed, once it was, as long
//! as it holds, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::api::{Ticket, Uploaded};
use autopgo_core::clock::Clock;
use autopgo_core::limits::Limits;
use jiff::Timestamp;

use crate::world::{Answer, World, fixture};

const PROFILE: &str = "profiles/hello-app/a-1.pprof";
const UPLOADS: &str = "/api/profile/hello/uploads";

/// A clock that is turned by hand.
struct Hands(Mutex<Timestamp>);

impl Hands {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::now())))
    }

    fn turn(&self, by: Duration) {
        *self.0.lock().expect("hands") += by;
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("hands")
    }

    async fn sleep(&self, duration: Duration) {
        autopgo_core::clock::System.sleep(duration).await;
    }

    fn random(&self) -> u64 {
        autopgo_core::clock::System.random()
    }
}

async fn ticket(world: &World, size: usize) -> Ticket {
    let answer = world.post(UPLOADS, "", format!("{{\"size\":{size}}}").as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    serde_json::from_slice(&answer.body).expect("a ticket")
}

/// The path that a ticket's URL is, found where tickets are asked for.
fn path(ticket: &Ticket) -> String {
    format!("/api/{}", ticket.url.strip_prefix("../../").expect("it is relative"))
}

async fn put(world: &World, path: &str, body: &[u8]) -> Answer {
    let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    world.ask([head.as_bytes(), body].concat()).await
}

async fn complete(world: &World, id: &str) -> Answer {
    world.post(&format!("{UPLOADS}/{id}"), "", b"").await
}

#[tokio::test]
async fn a_ticket_is_asked_for_used_and_completed() {
    let world = World::with_objects(Limits::default(), Hands::new()).await;
    let body = fixture(PROFILE);
    let ticket = ticket(&world, body.len()).await;
    assert_eq!((ticket.method.as_str(), ticket.headers.len()), ("PUT", 0));
    assert_eq!(ticket.key, format!("hello/incoming/{}", ticket.id));
    complete(&world, &ticket.id).await.is(404, "nothing was put");
    assert_eq!(put(&world, &path(&ticket), &body).await.status, 200);
    assert_eq!(world.keys().await, [ticket.key.as_str()]);
    assert_eq!(world.bytes(&ticket.key).await, body);
    for _ in 0..2 {
        let answer = complete(&world, &ticket.id).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let uploaded: Uploaded = serde_json::from_slice(&answer.body).expect("json");
        assert_eq!(uploaded.key, format!("hello/staging/{}", ticket.id));
        assert_eq!(world.keys().await, [uploaded.key]);
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_the_ticket_as_it_makes_an_upload() {
    let world = World::with_objects(Limits::default(), Hands::new()).await;
    let key = format!("Idempotency-Key: {}\r\n", uuid::Uuid::now_v7());
    let plain = world.post("/api/profile/hello", &key, &fixture(PROFILE)).await;
    let plain: Uploaded = serde_json::from_slice(&plain.body).expect("json");
    for _ in 0..2 {
        let answer = world.post(UPLOADS, &key, b"{\"size\": 5, \"more\": 1}").await;
        let ticket: Ticket = serde_json::from_slice(&answer.body).expect("a ticket");
        assert_eq!(plain.key, format!("hello/staging/{}", ticket.id));
    }
    world.post(UPLOADS, "Idempotency-Key: 1\r\n", b"{\"size\":5}").await.is(400, "no UUID version 7");
}

#[tokio::test]
async fn what_is_no_request_for_a_ticket_says_why() {
    let limits = Limits { ticket_bytes: 1000, ..Limits::default() };
    let world = World::with_objects(limits, Hands::new()).await;
    ticket(&world, 1000).await;
    for (body, status, says) in [
        ("{\"size\":1001}", 413, "1000 are taken (AUTOPGO_MAX_TICKET_BYTES)"),
        ("{\"size\":0}", 400, "0 bytes"),
        ("{\"size\":-1}", 400, "no JSON of the form"),
        ("{\"size\":\"5\"}", 400, "no JSON of the form"),
        ("{}", 400, "missing field `size`"),
        ("", 400, "no JSON of the form"),
        (&format!("{{\"size\":5}}{}", " ".repeat(5000)), 400, "far too long"),
    ] {
        world.post(UPLOADS, "", body.as_bytes()).await.is(status, says);
    }
    world.post("/api/profile/Hello/uploads", "", b"{\"size\":5}").await.is(400, "'H'");
    for id in ["x", "1730075435311000000-0a1b", "..%2f..%2fdefault.pgo"] {
        complete(&world, id).await.is(404, "no such ticket of hello");
    }
    world.get(UPLOADS).await.is(405, "GET is not possible here");
}

#[tokio::test]
async fn what_was_put_is_checked_like_any_upload() {
    let world = World::with_objects(Limits::default(), Hands::new()).await;
    let body = fixture("profiles/hello-app/a-heap.pprof");
    let plain = world.post("/api/profile/hello", "", &body).await;
    let ticket = ticket(&world, body.len()).await;
    assert_eq!(put(&world, &path(&ticket), &body).await.status, 200);
    let answer = complete(&world, &ticket.id).await;
    assert_eq!((answer.status, answer.text()), (400, plain.text()));
    assert!(world.keys().await.is_empty());
    complete(&world, &ticket.id).await.is(404, "nothing was put");
}

#[tokio::test]
async fn a_url_is_for_so_many_bytes() {
    let world = World::with_objects(Limits::default(), Hands::new()).await;
    let ticket = ticket(&world, 1000).await;
    let path = path(&ticket);
    put(&world, &path, &[7; 999]).await.is(403, "for 1000 bytes and the body has 999");
    put(&world, &path, &[7; 1001]).await.is(403, "for 1000 bytes and the body has more");
    for (chunks, says) in [("3e9", "more"), ("3e7", "999")] {
        let length = usize::from_str_radix(chunks, 16).expect("hex");
        let head =
            format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}\r\n");
        let whole = [head.as_bytes(), &vec![7; length], b"\r\n0\r\n\r\n"].concat();
        world.ask(whole).await.is(403, says);
    }
    assert!(world.keys().await.is_empty());
    assert_eq!(put(&world, &path, &[7; 1000]).await.status, 200);
}

#[tokio::test]
async fn a_url_that_has_expired_is_refused_and_so_is_its_ticket() {
    let hands = Hands::new();
    let world = World::with_objects(Limits::default(), hands.clone()).await;
    let body = fixture(PROFILE);
    let ticket = ticket(&world, body.len()).await;
    hands.turn(Duration::from_secs(15 * 60) - Duration::from_millis(10));
    assert_eq!(put(&world, &path(&ticket), &body).await.status, 200);
    hands.turn(Duration::from_millis(11));
    put(&world, &path(&ticket), &body).await.is(403, "this URL was good until");
    complete(&world, &ticket.id).await.is(404, "has expired");
}

#[tokio::test]
async fn a_url_that_was_changed_is_refused() {
    let world = World::with_objects(Limits { download_bytes: 1, ..Limits::default() }, Hands::new()).await;
    world.put_base("hello", fixture(PROFILE)).await;
    let ticket = ticket(&world, 1000).await;
    let path = path(&ticket);
    let (_, signature) = path.split_once("signature=").expect("signed");
    let other = world.post("/api/profile/other/uploads", "", b"{\"size\":1000}").await;
    let other: Ticket = serde_json::from_slice(&other.body).expect("a ticket");
    let elsewhere = path.replace(&ticket.key, &other.key);
    let download = world.get("/api/profile/hello").await;
    let download = download.header("location").expect("a redirect").replace("../", "/api/");
    let base = download.split('?').next().expect("a path");
    for tampered in [
        path.replace("size=1000", "size=1001"),
        path.replace("size=1000&", ""),
        path.replace("expires=1", "expires=2"),
        path.replace("expires=", "expires=x"),
        path.replace(&format!("signature={signature}"), ""),
        path.replace(signature, &"0".repeat(64)),
        path.replace(signature, &signature[1..]),
        path.split('?').next().expect("a path").to_owned(),
        path.replace("/incoming/", "/staging/"),
        elsewhere,
        format!("{base}?{}", path.split('?').nth(1).expect("a query")),
        // What was signed for a GET is no leave to write.
        download.clone(),
    ] {
        put(&world, &tampered, &[7; 1000]).await.is(403, "not signed by this server");
    }
    // Nor the other way round.
    for tampered in [path.as_str(), base, &download.replace("/hello/", "/other/")] {
        world.get(tampered).await.is(403, "not signed by this server");
    }
    assert_eq!(world.keys().await, ["hello/default.pgo"]);
    assert_eq!(world.bytes("hello/default.pgo").await, fixture(PROFILE));
    // Another process has another secret.
    let restarted = World::with_objects(Limits::default(), Hands::new()).await;
    put(&restarted, &path, &[7; 1000]).await.is(403, "not signed by this server");
    assert_eq!(put(&world, &path, &[7; 1000]).await.status, 200);
}

#[tokio::test]
async fn a_download_over_the_cap_is_redirected_and_must_not_be_kept() {
    let world = World::with_objects(Limits { download_bytes: 1, ..Limits::default() }, Hands::new()).await;
    world.put_base("hello", fixture(PROFILE)).await;
    for asked in ["/api/profile/hello", "/api/profile/hello?form=compact"] {
        let answer = world.get(asked).await;
        assert_eq!((answer.status, answer.body.len()), (307, 0), "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let location = answer.header("location").expect("where to").replace("../", "/api/");
        let object = world.get(&location).await;
        assert_eq!((object.status, &object.body), (200, &fixture(PROFILE)));
        assert_eq!(object.header("etag"), Some("\"1\""));
        assert_eq!(object.header("cache-control"), Some("no-store"));
    }
    let etag = "GET /api/profile/hello HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"1\"\r\n\r\n";
    assert_eq!(world.ask(etag).await.status, 304);
}

#[tokio::test]
async fn a_server_whose_store_cannot_sign_says_so_and_sends_everything_itself() {
    let world = World::with(Limits { download_bytes: 1, ..Limits::default() }).await;
    world.post(UPLOADS, "", b"{\"size\":5}").await.is(501, "signs no uploads");
    world.put_base("hello", fixture(PROFILE)).await;
    let answer = world.get("/api/profile/hello").await;
    assert_eq!((answer.status, answer.body), (200, fixture(PROFILE)));
    put(&world, "/api/objects/hello/incoming/1", b"x").await.is(404, "nothing at this path");
}
