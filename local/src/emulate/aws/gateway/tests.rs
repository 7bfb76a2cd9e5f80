use std::sync::Mutex;

use async_trait::async_trait;
use autopgo_core::error::Result;
use serde_json::json;
use tokio::time::Instant;

use super::super::function::fake::{Hangs, Says};
use super::*;

/// Says what it was asked, in an answer of the usual form.
#[derive(Default)]
struct Echo(Mutex<Option<Call>>);

#[async_trait]
impl Function for Echo {
    async fn invoke(&self, event: Vec<u8>, call: Call) -> Result<Vec<u8>, String> {
        *self.0.lock().expect("the call") = Some(call);
        let event = String::from_utf8(event).map_err(|error| error.to_string())?;
        Ok(json!({"statusCode": 200, "body": event}).to_string().into_bytes())
    }
}

async fn answer(function: impl Function + 'static, stage: Option<&str>, request: Request) -> (u16, String) {
    let response = Gateway::new(stage, Arc::new(function)).answer(request).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

fn post(path: &str, bytes: usize) -> Request {
    Request::post(path).body(Body::from(vec![7; bytes])).expect("a request")
}

#[tokio::test]
async fn the_function_has_the_event_and_says_what_is_answered() {
    let (status, event) = answer(Echo::default(), None, post("/api/profile/a?b=c", 3)).await;
    let event: serde_json::Value = serde_json::from_str(&event).expect("an event");
    assert_eq!(status, 200);
    assert_eq!(event["rawPath"], "/api/profile/a");
    assert_eq!(event["requestContext"]["stage"], "$default");
    assert_eq!(event["body"], "BwcH");
}

#[tokio::test]
async fn a_call_has_an_id_a_deadline_and_a_name() {
    let echo = Arc::new(Echo::default());
    let before = Timestamp::now();
    let answer = Gateway::new(None, Arc::clone(&echo) as Arc<dyn Function>).answer(post("/", 0)).await;
    assert!(answer.headers().contains_key("apigw-requestid"));
    let call = echo.0.lock().expect("the call").take().expect("called");
    assert!(call.deadline >= before + jiff::Span::new().seconds(30), "{call:?}");
    assert!(call.arn.starts_with("arn:aws:lambda:") && call.arn.ends_with(":function:autopgo-server"));
    assert_eq!(call.request_id.len(), 36);
}

#[tokio::test]
async fn a_stage_is_in_every_path() {
    let (status, event) = answer(Echo::default(), Some("prod"), post("/prod/api/profile/a", 0)).await;
    assert_eq!(status, 200);
    assert!(event.contains(r#""rawPath":"/prod/api/profile/a""#), "{event}");
    assert!(event.contains(r#""stage":"prod""#), "{event}");
    let (status, body) = answer(Echo::default(), Some("prod"), post("/api/profile/a", 0)).await;
    assert_eq!((status, body.as_str()), (404, r#"{"message":"Not Found"}"#));
}

#[tokio::test]
async fn what_is_too_large_never_reaches_the_function() {
    let too_large = (413, r#"{"message":"Request Entity Too Large"}"#.to_owned());
    // The event is JSON with the body in base64: it ends at some 4.7 MB.
    let (status, _) = answer(Says(Ok(b"{}".to_vec())), None, post("/", 4_700_000)).await;
    assert_eq!(status, 200);
    let never = || Says(Err("it was called".to_owned()));
    assert_eq!(answer(never(), None, post("/", 4_720_000)).await, too_large);
    assert_eq!(answer(never(), None, post("/", (10 << 20) + 1)).await, too_large);
    let chunks = (0..11).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 1 << 20]));
    let chunked = Request::post("/").body(Body::from_stream(futures_util::stream::iter(chunks)));
    assert_eq!(answer(never(), None, chunked.expect("a request")).await, too_large);
    let long = Request::get("/").header("x-long", "x".repeat(11_000)).body(Body::empty()).expect("a request");
    assert_eq!(answer(never(), None, long).await.0, 431);
}

#[tokio::test]
async fn a_function_that_fails_is_an_internal_server_error() {
    let failed = (500, r#"{"message":"Internal Server Error"}"#.to_owned());
    assert_eq!(answer(Says(Err("a secret".to_owned())), None, post("/", 0)).await, failed);
    assert_eq!(answer(Says(Ok(b"no answer".to_vec())), None, post("/", 0)).await, failed);
    let large = json!({"statusCode": 200, "body": "x".repeat(sizes::EVENT)}).to_string().into_bytes();
    assert_eq!(answer(Says(Ok(large)), None, post("/", 0)).await, failed);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_hangs_is_ended_and_the_service_unavailable() {
    let start = Instant::now();
    let (status, body) = answer(Hangs, None, post("/", 0)).await;
    assert_eq!((status, body.as_str()), (503, r#"{"message":"Service Unavailable"}"#));
    assert_eq!(start.elapsed(), sizes::INTEGRATION);
}
