//! Any bytes in the place of an event of Lambda are a trigger or an error, and a request or an error.
#![no_main]

use autopgo_lambda::http::Function;
use autopgo_lambda::trigger::Trigger;
use axum::Router;
use lambda_runtime::Context;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = serde_json::from_slice(bytes) else { return };
    match Trigger::read(event) {
        Ok(Trigger::Queue(batch)) => drop(batch.bodies()),
        Ok(Trigger::Stream(_) | Trigger::Schedule) | Err(_) => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(Function::new(Router::new()).call_json(bytes, Context::default()));
    if let Ok(answer) = answer {
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        assert_eq!(answer["statusCode"], 404, "nothing is routed");
        assert!(answer["headers"]["content-type"].is_string(), "every answer has a content type");
    }
});
