//! Paths, names and methods that are wrong.

use crate::world::{World, fixture};

#[tokio::test]
async fn a_bad_name_is_told_what_is_wrong_with_it() {
    let world = World::new().await;
    let body = fixture("profiles/hello-app/a-1.pprof");
    let long = "x".repeat(129);
    for (name, says) in [
        ("", "empty"),
        ("Hello", "'H'"),
        ("..", "'.'"),
        (".", "'.'"),
        ("%2e%2e", "'.'"),
        ("a%2fb", "'/'"),
        ("a%2Fstaging%2F1", "'/'"),
        ("a%5cb", "'\\\\'"),
        ("a%00", "'\\0'"),
        ("a%0d%0aX:1", "'\\r'"),
        ("a%20b", "' '"),
        ("a+b", "'+'"),
        ("a%252fb", "'%'"),
        ("a%e2%80%aeb", "'\\u{202e}'"),
        ("a%ff", "not UTF-8"),
        ("a%", "'%'"),
        ("a;b", "';'"),
        ("a_b", "'_'"),
        (&long, "129 characters"),
    ] {
        let path = format!("/api/profile/{name}");
        world.get(&path).await.is(400, says);
        world.post(&path, "", &body).await.is(400, says);
        world.ask(format!("DELETE {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await.is(400, says);
    }
    assert_eq!(world.keys().await, [""; 0]);
    let longest = format!("/api/profile/{}", "x".repeat(128));
    assert_eq!(world.post(&longest, "", &body).await.status, 201);
}

#[tokio::test]
async fn a_bad_name_is_refused_before_the_body_is_read() {
    let world = World::new().await;
    let answer =
        world.ask("POST /api/profile/Hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n").await;
    answer.is(400, "'H'");
}

#[tokio::test]
async fn an_unknown_path_says_what_there_is() {
    let world = World::new().await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/profiles",
        "/API/profile",
        "/api/profile/a/b",
        "/api/profile/a/",
        "//api/profile",
        "/api//profile/a",
        "/api/profile//",
        "/api/profile/../health",
        "/api/health/",
        "/api/profile/a/uploads/1/2",
        "/%61pi/profile%2fa",
        "*",
    ] {
        world.get(path).await.is(404, "there is /api/profile");
    }
    world.get("/api/profile/a/").await.is(404, "no slash at its end");
}

#[tokio::test]
async fn a_wrong_method_is_told_which_ones_there_are() {
    let world = World::new().await;
    for (method, path, allow) in [
        ("PUT", "/api/profile/a", "GET,HEAD,POST,DELETE"),
        ("PATCH", "/api/profile/a", "GET,HEAD,POST,DELETE"),
        ("OPTIONS", "/api/profile/a", "GET,HEAD,POST,DELETE"),
        ("BREW", "/api/profile/a", "GET,HEAD,POST,DELETE"),
        ("POST", "/api/profile", "GET,HEAD"),
        ("DELETE", "/api/profile", "GET,HEAD"),
        ("POST", "/api/health", "GET,HEAD"),
        ("DELETE", "/api/ready", "GET,HEAD"),
    ] {
        let answer = world.ask(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        answer.is(405, method);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}
