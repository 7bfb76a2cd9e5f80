//! A topic of SNS that takes whatever is published to it and keeps it. Shape of the calls: "Amazon SNS API Reference",
//! Publish (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use crate::error::Error;

/// What every call is answered with: nobody looks at the id.
const PUBLISHED: &str = r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>94f20ce6-13c5-43a0-9a9e-ca52d816e90b</MessageId></PublishResult><ResponseMetadata>
<RequestId>f187a3c1-376f-11df-8963-01868b7c937a</RequestId></ResponseMetadata></PublishResponse>"#;

type Messages = Arc<Mutex<Vec<String>>>;

pub(super) struct Topic {
    address: SocketAddr,
    messages: Messages,
}

impl Topic {
    /// One on loopback, for as long as the program runs.
    pub(super) async fn start() -> Result<Self, Error> {
        let messages = Messages::default();
        let router = Router::new().route("/", post(publish)).with_state(Arc::clone(&messages));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::Runtime)?;
        let address = listener.local_addr().map_err(Error::Runtime)?;
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok(Self { address, messages })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was published since this was last asked.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn publish(State(messages): State<Messages>, form: String) -> impl IntoResponse {
    let fields = form.split('&').filter_map(|field| field.strip_prefix("Message="));
    let texts = fields.map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
    messages.lock().unwrap_or_else(PoisonError::into_inner).extend(texts);
    ([(CONTENT_TYPE, "text/xml")], PUBLISHED)
}
