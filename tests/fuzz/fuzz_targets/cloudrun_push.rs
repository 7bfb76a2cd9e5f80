//! A push of Pub/Sub: no body is too strange, and one that wraps nothing goes on as it came.
#![no_main]

use autopgo_cloudrun::push::decode;
use autopgo_core::event::Envelope;
use axum::http::HeaderMap;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let pushed = decode(&HeaderMap::new(), Bytes::copy_from_slice(data));
    let wraps = serde_json::from_slice::<Value>(data)
        .is_ok_and(|push| push.get("message").is_some_and(Value::is_object) || push.get("specversion").is_some());
    assert!(wraps || pushed.body == data);
    // An envelope by itself is never taken for a wrapping.
    if Envelope::decode(data).is_ok() && !wraps {
        assert_eq!(pushed.body, data);
    }
    // What comes out is read by the worker.
    let _ = Envelope::decode(&pushed.body);
});
