//! A bus on NATS, spoken to past autopgo: by its protocol, which is text
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::bus::Bus;

/// The subject that [`Bus::nats`] and [`Bus::jetstream`] have.
const SUBJECT: &str = "story";

/// A way to a broker, which lives as long.
pub struct Wire {
    broker: Box<dyn autopgo_conformance::bus::Broker>,
    address: String,
    /// Whether a message that is handed back comes again.
    pub redelivers: bool,
}

/// Both ends of the bus, as flags and variables have them.
pub(super) struct Ends {
    pub(super) writer: String,
    pub(super) reader: String,
    pub(super) variables: Vec<(&'static str, String)>,
}

impl Wire {
    /// A bus of its own; `None`, said aloud, where there is no server.
    pub(super) fn new(is_jetstream: bool) -> Option<(Self, Ends)> {
        let bus = if is_jetstream { Bus::jetstream() } else { Bus::nats() }?;
        let Bus { writer, reader, variables, broker } = bus;
        let url = variables.iter().find(|(name, _)| *name == "NATS_SERVER_URL").expect("an address");
        let address = url.1.trim_start_matches("nats://").to_owned();
        Some((Self { broker, address, redelivers: is_jetstream }, Ends { writer, reader, variables }))
    }

    /// Publishes `body`, and waits until the server has it.
    ///
    /// # Panics
    /// When the server does not say so.
    pub(super) async fn publish(&self, body: &[u8]) {
        let mut stream = BufReader::new(TcpStream::connect(&self.address).await.expect("a server"));
        let mut said =
            format!("CONNECT {{\"verbose\":false}}\r\nPUB {SUBJECT} {}\r\n", body.len()).into_bytes();
        said.extend_from_slice(body);
        said.extend_from_slice(b"\r\nPING\r\n");
        stream.write_all(&said).await.expect("said");
        let mut line = String::new();
        while line.trim() != "PONG" {
            line.clear();
            assert!(stream.read_line(&mut line).await.expect("an answer") > 0, "the server hung up");
            assert!(!line.starts_with("-ERR"), "{line}");
        }
    }

    /// Publishes that `key` of `app` was uploaded, as the server does.
    pub(super) async fn announce(&self, app: &str, key: &str) {
        let event = json!({
            "id": format!("{:032x}", fastrand::u128(..)),
            "timestamp": "2025-01-02T03:04:05Z",
            "type": "profile.uploaded",
            "payload": { "app": app, "profileKey": key },
        });
        self.publish(event.to_string().as_bytes()).await;
    }

    /// What runs it.
    pub fn broker(&self) -> &dyn autopgo_conformance::bus::Broker {
        &*self.broker
    }
}
