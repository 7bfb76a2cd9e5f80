//! Any bytes in the place of what the host of Azure Functions tells of are bodies of messages, and no message is made of
//! nothing.
#![no_main]

use autopgo_azure::trigger;
use autopgo_core::event::{Decoded, Envelope};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    // The seeds are fixtures, which have the payload in them.
    let fixture: Option<Value> = serde_json::from_slice(bytes).ok();
    let payload = fixture.and_then(|fixture| Some(fixture.get("payload")?.to_string().into_bytes()));
    let payload = payload.unwrap_or_else(|| bytes.to_vec());
    let bodies = trigger::decode(&payload);
    // A number that is written anew may be longer: 1e9 is 1000000000.0.
    let total: usize = bodies.iter().map(|body| body.len()).sum();
    assert!(total <= 8 * payload.len(), "{total} bytes of {}", payload.len());
    for body in bodies {
        let Ok(Decoded::Known(envelope)) = Envelope::decode(&body) else { continue };
        // What is one of ours is one in every wrapping.
        let Ok(text) = std::str::from_utf8(&body) else { continue };
        let wrapped = json!({"Data": {"msg": json!([json!(text).to_string()]).to_string()}}).to_string();
        let again = trigger::decode(wrapped.as_bytes());
        assert_eq!(again.len(), 1);
        assert_eq!(Envelope::decode(&again[0]).ok(), Some(Decoded::Known(envelope)));
    }
});
