//! The events and their envelope, read as leniently as the Go original reads them: field names in any case, unknown
//! fields ignored. An unknown type is no error.

use std::fmt::Write as _;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::key::{Id, Key, Place};
use crate::port::bus::Message;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An upload is staged and waits to be merged.
    Uploaded {
        /// Whose profile.
        app: App,
        /// The staged upload.
        id: Id,
    },
    /// A staged upload is in the base profile; the staged object can go.
    Merged {
        /// Whose profile.
        app: App,
        /// The staged upload.
        id: Id,
    },
    /// A profile was deleted.
    Deleted {
        /// Whose profile.
        app: App,
        /// Whether all is gone already (ours), or the worker still has to see to it (the Go original's).
        cleared: bool,
    },
}

impl Event {
    /// Whose event this is: the ordering key on every bus that has one.
    pub fn app(&self) -> &App {
        match self {
            Self::Uploaded { app, .. } | Self::Merged { app, .. } | Self::Deleted { app, .. } => app,
        }
    }

    /// Its type, as the envelope names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uploaded { .. } => UPLOADED,
            Self::Merged { .. } => MERGED,
            Self::Deleted { .. } => DELETED,
        }
    }

    fn payload(&self) -> Value {
        match self {
            Self::Uploaded { app, id } => json!({"app": app, "profileKey": Key::staged(app, id).to_string()}),
            Self::Merged { app, id } => json!({
                "app": app,
                "profileKey": Key::staged(app, id).to_string(),
                "mergedKey": Key::base(app).to_string(),
            }),
            Self::Deleted { app, cleared: true } => json!({"app": app, "cleared": true}),
            Self::Deleted { app, cleared: false } => json!({"app": app}),
        }
    }
}

const UPLOADED: &str = "profile.uploaded";
const MERGED: &str = "profile.merged";
const DELETED: &str = "profile.deleted";

/// An event with the time at which it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// A UUID, fresh for each publication.
    pub id: String,
    /// When it was published, by the publisher's clock.
    pub timestamp: Timestamp,
    /// What happened.
    pub event: Event,
}

/// A message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// One of ours.
    Known(Envelope),
    /// A well-formed envelope of a type that is not ours: to be acknowledged and ignored.
    Unknown {
        /// Its id, if it has one.
        id: String,
        /// Its type.
        kind: String,
    },
}

impl Envelope {
    /// A fresh envelope around `event`.
    pub fn new(event: Event, clock: &dyn Clock) -> Self {
        Self { id: clock.uuid().to_string(), timestamp: clock.now(), event }
    }

    /// The message to publish: the envelope as JSON, the application as its key.
    pub fn message(&self) -> Message {
        let body = json!({
            "id": self.id,
            "timestamp": self.timestamp.to_string(),
            "type": self.event.name(),
            "payload": self.event.payload(),
        });
        Message { body: Bytes::from(body.to_string()), key: self.event.app().to_string() }
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// `Invalid`, saying why this is no envelope of ours; the same bytes will never be one.
    pub fn decode(body: &[u8]) -> Result<Decoded> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| wrong(format!("no JSON: {error}")))?;
        let Value::Object(envelope) = value else { return Err(wrong("no JSON object")) };
        let kind = text(&envelope, "type")?;
        let id = text(&envelope, "id").map(printable).unwrap_or_default();
        if ![UPLOADED, MERGED, DELETED].contains(&kind) {
            return Ok(Decoded::Unknown { id, kind: printable(kind) });
        }
        let timestamp = text(&envelope, "timestamp")?;
        let timestamp = timestamp.parse().map_err(|_| {
            wrong(format!("its timestamp {:?} is not in RFC 3339 form", printable(timestamp)))
        })?;
        let Some(Value::Object(payload)) = field(&envelope, "payload") else {
            return Err(wrong("its payload is no JSON object"));
        };
        let app = App::parse(text(payload, "app")?).map_err(|error| wrong(error.what()))?;
        let event = match kind {
            UPLOADED => Event::Uploaded { id: staged_id(payload, &app)?, app },
            MERGED => Event::Merged { id: staged_id(payload, &app)?, app },
            _ => {
                Event::Deleted { cleared: matches!(field(payload, "cleared"), Some(Value::Bool(true))), app }
            }
        };
        Ok(Decoded::Known(Self { id, timestamp, event }))
    }
}

/// Field names match in any case, as with Go's encoding/json; the exact one wins.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .get(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str> {
    match field(object, name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(wrong(format!("its {name} is no string"))),
        None => Err(wrong(format!("it has no {name}"))),
    }
}

fn staged_id(payload: &Map<String, Value>, app: &App) -> Result<Id> {
    let text = text(payload, "profileKey")?;
    match Key::parse(text) {
        Some(Key { app: whose, place: Place::Staged(id) }) if whose == *app => Ok(id),
        _ => Err(wrong(format!("its profileKey {:?} is no staged upload of {app}", printable(text)))),
    }
}

fn wrong(why: impl AsRef<str>) -> Error {
    Error::new(Kind::Invalid, format!("the message is no event of ours: {}", why.as_ref()))
}

/// A stranger's text, short and harmless enough for a log.
fn printable(text: &str) -> String {
    let mut short = String::new();
    for c in text.chars().take(128) {
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(short, "{}", c.escape_default());
        } else {
            short.push(c);
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;

    fn app() -> App {
        App::parse("example-app").expect("a good name")
    }

    #[test]
    fn what_is_written_reads_back() {
        let id = Id::fresh(&System);
        for event in [
            Event::Uploaded { app: app(), id: id.clone() },
            Event::Merged { app: app(), id },
            Event::Deleted { app: app(), cleared: true },
            Event::Deleted { app: app(), cleared: false },
        ] {
            let envelope = Envelope::new(event, &System);
            let message = envelope.message();
            assert_eq!(message.key, "example-app");
            assert_eq!(Envelope::decode(&message.body).expect("ours"), Decoded::Known(envelope));
        }
    }

    #[test]
    fn the_documented_event_reads_with_names_in_any_case() {
        let body = br#"{"ID":"e9e23fa8","Timestamp":"2024-10-28T12:16:34.964Z","TYPE":"profile.merged","extra":1,
            "payload":{"App":"example-app","profilekey":"example-app/staging/1730075435311","mergedKey":"example-app/default.pgo"}}"#;
        let Decoded::Known(envelope) = Envelope::decode(body).expect("ours") else { panic!("a known type") };
        let id = Id::parse("1730075435311").expect("an id");
        assert_eq!(envelope.event, Event::Merged { app: app(), id });
        assert_eq!(envelope.timestamp.to_string(), "2024-10-28T12:16:34.964Z");
    }

    /// What the Go original published, in `tests/fixtures/messages`.
    #[test]
    fn what_the_original_publishes_is_understood() {
        let app = App::parse("hello-world").expect("a good name");
        let id = Id::parse("1730075435311000000").expect("an id");
        for bus in ["nats", "kafka", "gcppubsub", "azuresb"] {
            for (name, event) in [
                ("uploaded", Event::Uploaded { app: app.clone(), id: id.clone() }),
                ("merged", Event::Merged { app: app.clone(), id: id.clone() }),
                ("deleted", Event::Deleted { app: app.clone(), cleared: false }),
            ] {
                let version = if bus == "nats" { "v1-" } else { "" };
                let path = format!(
                    "{}/../../tests/fixtures/messages/{bus}/{version}{name}.json",
                    env!("CARGO_MANIFEST_DIR")
                );
                let fixture = std::fs::read(&path).expect(&path);
                let fixture: Value = serde_json::from_slice(&fixture).expect(&path);
                let body = fixture["body"].as_str().expect("a body");
                let Decoded::Known(envelope) = Envelope::decode(body.as_bytes()).expect("ours") else {
                    panic!("{path}: an unknown type")
                };
                assert_eq!(envelope.event, event, "{path}");
                assert_eq!(envelope.timestamp.to_string(), "2025-01-02T03:04:05.123456789Z", "{path}");
            }
        }
    }

    #[test]
    fn an_unknown_type_is_no_error() {
        let decoded =
            Envelope::decode(br#"{"id":"e9e2","type":"profile.renamed","payload":7}"#).expect("well formed");
        assert_eq!(decoded, Decoded::Unknown { id: "e9e2".to_owned(), kind: "profile.renamed".to_owned() });
    }

    #[test]
    fn what_is_no_envelope_says_why() {
        let uploaded = |key: &str| {
            format!(
                r#"{{"type":"profile.uploaded","timestamp":"2024-10-28T12:16:34Z","payload":{{"app":"example-app","profileKey":"{key}"}}}}"#
            )
        };
        for (body, says) in [
            (String::new(), "no JSON"),
            ("[]".to_owned(), "no JSON object"),
            ("{}".to_owned(), "no type"),
            (r#"{"type":3}"#.to_owned(), "type is no string"),
            (r#"{"type":"profile.deleted"}"#.to_owned(), "no timestamp"),
            (r#"{"type":"profile.deleted","timestamp":"yesterday"}"#.to_owned(), "RFC 3339"),
            (
                r#"{"type":"profile.deleted","timestamp":"2024-10-28T12:16:34Z","payload":{"app":"../x"}}"#
                    .to_owned(),
                "'.'",
            ),
            (uploaded("other/staging/1730075435311"), "no staged upload of example-app"),
            (uploaded("example-app/default.pgo"), "no staged upload of example-app"),
            (uploaded("example-app/staging/../default.pgo"), "no staged upload of example-app"),
        ] {
            let error = Envelope::decode(body.as_bytes()).expect_err(&body);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{body}: {error}");
        }
    }
}
