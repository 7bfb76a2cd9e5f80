//! A message as a request.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde_json::json;

const SUBSCRIPTION: &str = "projects/fake/subscriptions/push";
const TOPIC: &str = "//pubsub.googleapis.com/projects/fake/topics/push";

/// A message as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `data`
    pub data: Bytes,
    /// `attributes`
    pub attributes: BTreeMap<String, String>,
    /// `orderingKey`
    pub key: String,
    /// `messageId`
    pub id: String,
    /// `publishTime`
    pub published: Timestamp,
}

/// How a request is made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The message as JSON.
    Wrapped,
    /// `noWrapper`: the data alone, and with `writeMetadata` the rest in headers.
    Unwrapped {
        /// `writeMetadata`
        metadata: bool,
    },
    /// By Eventarc: the message as JSON, with the fields of a CloudEvent in headers.
    Eventarc,
}

impl Shape {
    /// A request that brings `message` to `endpoint`, and says which delivery it is where those are counted.
    pub fn request(
        self,
        client: &Client,
        endpoint: &str,
        message: &Message,
        attempt: Option<u32>,
    ) -> RequestBuilder {
        let request = client.post(endpoint).header("user-agent", "CloudPubSub-Google");
        let Message { data, attributes, key, id, published } = message;
        if let Self::Unwrapped { metadata } = self {
            let mut request = request.body(data.clone());
            if metadata {
                request = request
                    .header("x-goog-pubsub-subscription-name", SUBSCRIPTION)
                    .header("x-goog-pubsub-message-id", id)
                    .header("x-goog-pubsub-publish-time", published.to_string());
                if !key.is_empty() {
                    request = request.header("x-goog-pubsub-ordering-key", key);
                }
                for (name, value) in attributes {
                    request = request.header(name, value);
                }
            }
            return request;
        }
        // Every name that has two words is there in two spellings.
        let mut body = json!({
            "messageId": id,
            "message_id": id,
            "publishTime": published.to_string(),
            "publish_time": published.to_string(),
        });
        if !data.is_empty() {
            body["data"] = BASE64_STANDARD.encode(data).into();
        }
        if !attributes.is_empty() {
            body["attributes"] = json!(attributes);
        }
        // Eventarc's own subscriptions keep no order.
        if !key.is_empty() && self == Self::Wrapped {
            body["orderingKey"] = key.as_str().into();
        }
        let mut push = json!({"message": body, "subscription": SUBSCRIPTION});
        if let Some(attempt) = attempt {
            push["deliveryAttempt"] = attempt.into();
        }
        let request = request.json(&push);
        if self == Self::Wrapped {
            return request;
        }
        request
            .header("ce-id", id)
            .header("ce-source", TOPIC)
            .header("ce-specversion", "1.0")
            .header("ce-type", "google.cloud.pubsub.topic.v1.messagePublished")
            .header("ce-time", published.to_string())
    }
}
