//! What the log says of a message: one line, however it ends, with all that one searches for.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use autopgo_core::clock::Clock;
use autopgo_core::error::Kind;
use autopgo_core::event::{Decoded, Envelope, Event};
use autopgo_core::key::{Id, Key};
use autopgo_core::worker::pull;
use bytes::Bytes;
use futures_util::future::join;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing_subscriber::fmt;

use super::house::store::Op;
use super::house::{House, app};

const SECOND: Duration = Duration::from_secs(1);

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn kept() -> (Self, tracing::subscriber::DefaultGuard) {
        // While there is one subscriber, a line that another thread comes to first is nobody's for good: that thread is
        // asked, and has none. So there is another one, always.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| Dispatch::new(fmt().with_writer(io::sink).finish()));
        let lines = Self::default();
        let writer = lines.clone();
        let log = fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        (lines, tracing::subscriber::set_default(log))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }

    fn all(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Those about messages, in the order of their events' ids.
    fn of_messages(&self, bodies: &[Bytes]) -> Vec<Value> {
        let (text, lines) = (self.text(), self.all());
        let of = |body: &Bytes| {
            let id = match Envelope::decode(body).expect("an envelope") {
                Decoded::Known(envelope) => envelope.id,
                Decoded::Unknown { id, .. } => id,
            };
            let mut lines = lines.iter().filter(|line| line["event.id"] == id);
            let line = lines.next().unwrap_or_else(|| panic!("no line about {id} in {text}")).clone();
            assert!(lines.next().is_none(), "two lines about {id} in {text}");
            line
        };
        let about = lines.iter().filter(|line| !line["event.id"].is_null()).count();
        assert_eq!(about, bodies.len(), "{text}");
        bodies.iter().map(of).collect()
    }
}

fn uploaded(house: &House, name: &str, id: &Id) -> Bytes {
    house.body(Event::Uploaded { app: app(name), id: id.clone() })
}

#[test]
fn a_message_that_is_done_is_one_line() {
    let (house, name) = (House::new(), "hello");
    let id = house.clock.run(house.upload_many(&app(name), 1)).0.remove(0);
    let settled = Id::fresh(&*house.clock);
    let merged = house.body(Event::Merged { app: app(name), id: settled.clone() });
    let deleted = house.body(Event::Deleted { app: app("other"), cleared: true });
    let unknown = Bytes::from_static(br#"{"id":"u-1","type":"somebody.elses"}"#);
    let batch = [uploaded(&house, name, &id), merged, deleted, unknown];
    house.blobs.slow_down(Op::Write, "hello/default.pgo", 2 * SECOND);
    let (lines, _log) = Lines::kept();
    house.clock.run(house.worker.handle(&batch));
    let lines = lines.of_messages(&batch);
    let [key, other] = [&id, &settled].map(|id| Key::staged(&app(name), id).to_string());
    for (at, kind, app, key, outcome) in [
        (0, "profile.uploaded", Some(name), Some(&*key), "done"),
        (1, "profile.merged", Some(name), Some(&*other), "done"),
        (2, "profile.deleted", Some("other"), None, "done"),
        (3, "somebody.elses", None, None, "unknown"),
    ] {
        let line = &lines[at];
        assert_eq!(line["level"], "INFO", "{line}");
        assert_eq!(line["event.type"], kind, "{line}");
        assert_eq!(line["app"].as_str(), app, "{line}");
        assert_eq!(line["profile.key"].as_str(), key, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["size_bytes"].as_u64(), Some(batch[at].len() as u64), "{line}");
        assert!(line["error"].is_null(), "{line}");
    }
    assert_eq!(lines[0]["duration_ms"], 2000);
    assert_eq!(lines[2]["duration_ms"], 0, "its application waits for no other");
}

#[test]
fn a_message_that_is_handed_back_says_why() {
    for (kind, level) in [(Kind::Unavailable, "WARN"), (Kind::Denied, "ERROR")] {
        let house = House::new();
        let ids = house.clock.run(house.upload_many(&app("hello"), 2)).0;
        let batch = [uploaded(&house, "hello", &ids[0]), uploaded(&house, "hello", &ids[1])];
        house.blobs.fail(Op::Read, "default.pgo", usize::MAX, kind);
        let (lines, _log) = Lines::kept();
        house.clock.run(house.worker.handle(&batch));
        for line in lines.of_messages(&batch) {
            assert_eq!((&line["level"], &line["outcome"]), (&level.into(), &"handed_back".into()), "{line}");
            assert!(
                line["error"].as_str().is_some_and(|error| error.contains("the script says so")),
                "{line}"
            );
        }
    }
}

#[test]
fn a_message_that_is_dropped_on_the_way_says_so() {
    let house = House::new();
    let ids = house.clock.run(house.upload_many(&app("hello"), 2)).0;
    let batch = [uploaded(&house, "hello", &ids[0]), uploaded(&house, "hello", &ids[1])];
    house.blobs.slow_down(Op::Write, "default.pgo", 10 * SECOND);
    let (lines, _log) = Lines::kept();
    house.clock.run(house.worker.handle_until(&batch, house.clock.sleep(SECOND)));
    for line in lines.of_messages(&batch) {
        assert_eq!((&line["level"], &line["outcome"]), (&"WARN".into(), &"handed_back".into()), "{line}");
        assert!(line["error"].as_str().is_some_and(|error| error.contains("the time was up")), "{line}");
        assert_eq!(line["duration_ms"], 1000);
    }
}

#[test]
fn a_worker_that_polls_says_the_same() {
    let house = House::new();
    house.clock.run(house.upload_many(&app("hello"), 2));
    let stop = CancellationToken::new();
    let stopping = async {
        house.clock.sleep(SECOND).await;
        stop.cancel();
    };
    let (lines, _log) = Lines::kept();
    house.clock.run(join(pull(&house.worker, &*house.bus, stop.clone()), stopping));
    let settled: Vec<Bytes> = house.bus.settled().into_iter().map(|(delivery, _)| delivery.body).collect();
    assert_eq!(settled.len(), 4, "two uploads and the events of their merge");
    assert!(lines.of_messages(&settled).iter().all(|line| line["outcome"] == "done"));
}

/// An alarm on it is the only way to hear of it where nobody gathers metrics (infra/gcp/alerts.tf, infra/azure/alerts.tf).
#[tokio::test]
async fn a_sweep_says_how_long_the_oldest_upload_had_waited() {
    let (house, app) = (House::new(), app("hello"));
    let (lines, _log) = Lines::kept();
    house.upload_many(&app, 1).await;
    house.clock.turn(3 * Duration::from_secs(3600));
    house.upload_many(&app, 2).await;
    for merged in [3, 0] {
        assert_eq!(house.worker.sweep(Duration::ZERO, &|| false).await.expect("swept").merged, merged);
    }
    let all = lines.all();
    let swept: Vec<&Value> = all.iter().filter(|line| line["message"] == "swept").collect();
    // Nothing is said where there was nothing to do.
    assert_eq!(swept.len(), 1, "{all:?}");
    let (oldest, merged) = (&swept[0]["oldest_seconds"], &swept[0]["merged"]);
    assert!((oldest.as_u64(), merged.as_u64()) == (Some(10_800), Some(3)), "{}", swept[0]);
}
