//! What people are told of a connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Event;

/// How long losses are counted before they are told: the client tells of each one, and they come in thousands.
const COUNTED: Duration = Duration::from_secs(5);

/// Tells it.
pub(super) struct Told {
    name: String,
    lost: Lost,
    failing: Failing,
}

impl Told {
    pub(super) fn new(name: String) -> Self {
        Self { name, lost: Lost::default(), failing: Failing::default() }
    }

    pub(super) fn hear(&self, event: &Event) {
        let name = &*self.name;
        match event {
            Event::Connected => {
                self.failing.over();
                tracing::info!(bus = name, "connected");
            }
            Event::Disconnected => tracing::warn!(bus = name, "the connection is lost; trying again"),
            Event::SlowConsumer(_) => {
                metrics::counter!("autopgo_messages_total", "outcome" => "overflowed").increment(1);
                let name = name.to_owned();
                self.lost.one(move |messages| {
                    tracing::warn!(
                        bus = name,
                        messages,
                        "more messages came than could be kept, and at least so many are lost; the sweep finds what \
                         they told of"
                    );
                });
            }
            Event::ServerError(error) => tracing::warn!(bus = name, error = %error, "the server complains"),
            Event::ClientError(error) => {
                let why = error.to_string();
                match self.failing.is_news(&why) {
                    true => tracing::warn!(bus = name, error = why, "there is no connection; trying again"),
                    false => tracing::debug!(bus = name, error = why, "there is no connection yet"),
                }
            }
            _ => {}
        }
    }
}

/// Losses that are not told yet. The client keeps 128 events for us and drops more, so that there may be more.
#[derive(Default)]
struct Lost(Arc<AtomicU64>);

impl Lost {
    /// Counts one. Whoever is the first has all told that come within the time.
    fn one(&self, tell: impl FnOnce(u64) + Send + 'static) {
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            return;
        }
        let lost = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(COUNTED).await;
            tell(lost.swap(0, Ordering::Relaxed));
        });
    }
}

/// The reasons for which there has been no connection since there was one. Tries are many, reasons few: with several
/// servers they alternate.
#[derive(Default)]
struct Failing(Mutex<BTreeSet<String>>);

impl Failing {
    fn is_news(&self, why: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(why.to_owned())
    }

    fn over(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn losses_are_told_together() {
        let lost = Lost::default();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for burst in [5000, 1, 200] {
            for _ in 0..burst {
                let tell = tell.clone();
                lost.one(move |messages| tell.send(messages).expect("somebody listens"));
            }
            assert!(told.try_recv().is_err(), "it is told before its time");
            assert_eq!(told.recv().await, Some(burst));
            assert!(told.try_recv().is_err(), "it is told twice");
        }
    }

    #[test]
    fn each_reason_is_told_once_until_there_is_a_connection() {
        let failing = Failing::default();
        for (why, news) in [("refused", true), ("password", true), ("refused", false), ("password", false)] {
            assert_eq!(failing.is_news(why), news, "{why}");
        }
        failing.over();
        assert!(failing.is_news("password"));
    }
}
