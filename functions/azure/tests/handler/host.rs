//! The handler behind the host, in each of its ways.

use std::time::{Duration, Instant};

use autopgo_fakes::functions_host::{Invoked, Setup};
use futures_util::stream;
use reqwest::{Body, Client};
use serde_json::{Value, json};

use crate::world::{PATIENCE, PROFILE, World, changed, deployed};

fn chunks() -> Body {
    let halves = [&PROFILE[..100], &PROFILE[100..]];
    Body::wrap_stream(stream::iter(halves.map(Ok::<_, std::io::Error>)))
}

/// Waits until the bus has so many messages and dead letters.
async fn settled(world: &World, expected: (usize, usize)) {
    let start = Instant::now();
    while world.messages() != expected {
        assert!(start.elapsed() < PATIENCE, "{:?} is not {expected:?}", world.messages());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_come_in_and_are_merged_whichever_way_requests_go() {
    let neither = changed("host.json", |it| {
        it["customHandler"] = json!({"description": {"defaultExecutablePath": "autopgo-azure"}});
    });
    for (way, setup) in [
        ("proxied", Setup::of(deployed())),
        ("forwarded", Setup::of(deployed()).that_forwards()),
        ("told", Setup::of(neither.path())),
    ] {
        let world = World::new();
        let host = world.host(setup).await;
        let client = Client::builder().no_proxy().build().expect("a client");
        let url = format!("http://{}/api/profile/checkout", host.address());
        let sent = client.post(&url).header("content-type", "application/octet-stream").body(PROFILE).send();
        let sent = sent.await.expect("answered");
        assert_eq!(sent.status(), 201, "{way}");
        let key = sent.json::<Value>().await.expect("JSON");
        assert!(key["key"].as_str().is_some_and(|key| key.starts_with("checkout/staging/")), "{way}: {key}");
        world.merged("checkout").await;
        settled(&world, (0, 0)).await;

        let got = client.get(format!("{url}?form=compact")).send().await.expect("answered");
        assert_eq!(got.status(), 200, "{way}");
        let compact = got.bytes().await.expect("a body");
        // What is told is not read back: the host gives base64 to its client as it stands.
        assert_eq!(compact.starts_with(&[0x1f, 0x8b]), way != "told", "{way}");
        for (method, path, status) in
            [("GET", "nothing", 404), ("PUT", "profile/checkout", 405), ("DELETE", "profile/checkout", 200)]
        {
            let url = format!("http://{}/api/{path}", host.address());
            let answer =
                client.request(method.parse().expect("a method"), url).send().await.expect("answered");
            assert_eq!(answer.status(), status, "{way}: {method} {path}");
        }
        for outside in ["/", "/worker", "/sweep", "/server", "/api/../worker"] {
            let answer = client.post(format!("http://{}{outside}", host.address())).body("{}").send();
            assert_eq!(answer.await.expect("answered").status(), 404, "{way}: {outside}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_come_in_where_the_host_proxies_and_are_asked_for_a_length_where_it_does_not() {
    let strict = Setup { front_end: false, ..Setup::of(deployed()).that_forwards() };
    for (setup, status) in
        [(Setup::of(deployed()), 201), (Setup::of(deployed()).that_forwards(), 411), (strict, 500)]
    {
        let world = World::new();
        let host = world.host(setup).await;
        let client = Client::builder().no_proxy().build().expect("a client");
        let url = format!("http://{}/api/profile/checkout", host.address());
        let sent = client.post(&url).body(chunks()).send().await.expect("answered");
        assert_eq!(sent.status(), status);
        if status == 411 {
            let message = sent.json::<Value>().await.expect("JSON")["message"].to_string();
            assert!(message.contains("Content-Length"), "{message}");
            let again = client.post(&url).body(PROFILE).send().await.expect("answered");
            assert_eq!(again.status(), 201);
        }
        assert_eq!(world.keys().await.iter().any(|key| key.starts_with("checkout/")), status != 500);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_merged_however_they_are_encoded() {
    for (kind, cardinality) in [("string", "one"), ("binary", "one"), ("string", "many"), ("binary", "many")]
    {
        let world = World::new();
        let app = changed("worker/function.json", |it| {
            it["bindings"][0]["dataType"] = json!(kind);
            it["bindings"][0]["cardinality"] = json!(cardinality);
        });
        for name in ["checkout", "search", "cart"] {
            world.upload(name).await;
            world.upload(name).await;
        }
        let _host = world.host(Setup::of(app.path())).await;
        for name in ["checkout", "search", "cart"] {
            world.merged(name).await;
        }
        settled(&world, (0, 0)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_handled_comes_again_and_what_is_nothing_of_ours_does_not() {
    let world = World::new();
    let host = world.host(Setup::of(deployed())).await;
    assert!(world.bus.send("pgo", &"poison".into(), "checkout"));
    assert!(world.bus.send("pgo", &vec![0xff, 0xfe].into(), "checkout"));
    settled(&world, (0, 0)).await;

    world.upload("checkout").await;
    world.merged("checkout").await;
    settled(&world, (0, 0)).await;
    // Delivered three times at the most, and then set aside by the bus: what it told of, the sweep finds.
    world.upload("search").await;
    world.store.is_away();
    settled(&world, (0, 1)).await;
    let Invoked::Failed(why) = host.tick("sweep").await.expect("a timer") else {
        panic!("a store that is away")
    };
    assert!(why.contains("500"), "{why}");
    world.store.is_fine();
    let Invoked::Done(done) = host.tick("sweep").await.expect("a timer") else {
        panic!("a store that is there")
    };
    assert_eq!(done["Logs"], json!(["merged 1, set aside 0, aged out 0, failed 0"]));
    world.merged("search").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_before_the_host_gives_it_up() {
    let timeout = Duration::from_secs(2);
    let world = World::with_timeout(timeout);
    let host = world.host(Setup { timeout: Some(timeout), ..Setup::of(deployed()) }).await;
    world.store.is_silent();
    let Invoked::Failed(why) = host.tick("sweep").await.expect("a timer") else {
        panic!("it did not answer")
    };
    assert!(why.contains("500"), "{why}");
}
