//! What is wrong is refused in the API's own words, whoever passes them on.

use reqwest::Method;
use reqwest::header::ALLOW;
use serde_json::Value;

use super::Stage;
use crate::paths::fixture;

pub(super) async fn perform(stage: &Stage) {
    for path in ["health", "ready"] {
        let url = format!("{}/api/{path}", stage.url());
        let (status, body) = stage.answer(stage.client.get(url)).await;
        assert_eq!(status, 200, "{body}");
    }
    let truncated = std::fs::read(fixture("hello-app/a-1.pprof")).expect("a fixture");
    for (what, body, status, says) in [
        ("nothing", Vec::new(), stage.host.empty(), ""),
        ("no profile", b"hello".to_vec(), 400, ""),
        ("half a profile", truncated[..truncated.len() / 2].to_vec(), 400, ""),
        ("a heap profile", std::fs::read(fixture("hello-app/a-heap.pprof")).expect("a fixture"), 400, "heap"),
    ] {
        refused(what, stage.post("refused", body).await, status, says);
    }
    assert!(stage.shelf.keys("refused/staging/").await.is_empty(), "something was staged");

    let ask = |method: Method, path: &str| stage.client.request(method, format!("{}{path}", stage.url()));
    for (method, path, status, says) in [
        (Method::GET, "/api/profile/nobody", 404, "no profile of nobody"),
        (Method::GET, "/api/profile/nobody?form=other", 400, "form=full"),
        (Method::GET, "/api/profile/UPPER", 400, "'U'"),
        (Method::GET, "/api/profile/a%2Fb", 400, "'/'"),
        (Method::GET, "/api/nothing", 404, "nothing at this path"),
        (Method::DELETE, "/api/profile", 405, "DELETE is not possible here"),
        (Method::POST, "/api/profile/a/uploads", 400, "size"),
        (Method::POST, "/api/profile/a/uploads/nonsense", 404, "ticket"),
    ] {
        let request = ask(method.clone(), path).body("{}").header("content-type", "application/json");
        refused(path, stage.answer(request).await, status, says);
    }
    let wrong = ask(Method::DELETE, "/api/profile").send().await.expect("an answer");
    assert!(wrong.headers()[ALLOW].to_str().expect("text").contains("GET"), "{wrong:?}");
    let unknown = ask(Method::GET, "/api/nothing").send().await.expect("an answer");
    assert_eq!(unknown.headers()["x-autopgo-unknown-path"], "true");
    assert!(unknown.headers().contains_key("x-request-id"), "{unknown:?}");
}

#[track_caller]
fn refused(what: &str, (status, body): (u16, Value), expected: u16, says: &str) {
    assert_eq!((status, body["code"].as_u64()), (expected, Some(expected.into())), "{what}: {body}");
    let message = body["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty() && message.contains(says), "{what}: {body}");
}
