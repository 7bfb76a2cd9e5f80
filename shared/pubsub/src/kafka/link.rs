//! What both ends have of a client: how it is set up, what it tells, and whether a broker answers it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use tokio::time::{Instant, sleep};

use super::fail;
use super::settings::Brokers;

/// How long the brokers may take to answer before it is said that they do not. Below the two seconds that publishing may
/// take in all.
pub(super) const PATIENCE: Duration = Duration::from_millis(1800);
/// A topic that is being made is there a moment later.
const MOMENT: Duration = Duration::from_millis(200);

/// One end of a bus, and what its client last complained of.
pub(super) struct Link {
    /// Which topic or group on which brokers, for the errors.
    name: String,
    trouble: Mutex<Option<String>>,
}

/// What the clients of both ends have in common.
pub(super) fn config(brokers: &Brokers) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers.list())
        .set("client.id", "autopgo")
        // A broker that was away is found again while a message may still wait for it, and one that hangs is left.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.timeout.ms", "10000")
        .set("socket.keepalive.enable", "true")
        // As the client of the Go original, which has both ends make what is missing.
        .set("allow.auto.create.topics", "true")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("log.connection.close", "false")
        .set_log_level(Level::Info);
    config
}

impl Link {
    pub(super) fn new(what: &str, brokers: &Brokers) -> Self {
        Self { name: format!("{what} on the Kafka brokers {}", brokers.list()), trouble: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// An error about this end of the bus.
    pub(super) fn fail(&self, kind: Kind, doing: &str) -> Error {
        Error::new(kind, format!("{doing} {}", self.name))
    }

    /// The same, because of what the client says.
    pub(super) fn failed(&self, doing: &str, error: KafkaError) -> Error {
        let kind = fail::classify(&error);
        match (kind, self.trouble()) {
            // The client's own error is then no more than that there was no answer.
            (Kind::Unavailable, Some(trouble)) => {
                self.fail(kind, doing).because(format!("{error} ({trouble})"))
            }
            _ => self.fail(kind, doing).because(error),
        }
    }

    pub(super) fn silent(&self) -> Error {
        let error = self.fail(Kind::Unavailable, "there is no answer from");
        match self.trouble() {
            Some(trouble) => error.because(trouble),
            None => error,
        }
    }

    /// Passes on what the client logs. It goes on by itself whatever it is, so that nothing is worse than a warning.
    pub(super) fn log(&self, level: Level, what: &str, text: &str) {
        let bus = self.name.as_str();
        match level {
            Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
                tracing::warn!(bus, client = what, "the Kafka client complains: {text}");
            }
            Level::Warning => tracing::warn!(bus, client = what, "the Kafka client says: {text}"),
            Level::Notice | Level::Info | Level::Debug => {
                tracing::debug!(bus, client = what, "the Kafka client says: {text}");
            }
        }
    }

    /// A broker answers, and knows these topics. `ask` waits for it, and so does not run on the threads of others.
    pub(super) async fn check<F>(&self, topics: &[String], ask: F) -> Result<()>
    where
        F: Fn(&str, Duration) -> KafkaResult<Metadata> + Clone + Send + 'static,
    {
        let until = Instant::now() + PATIENCE;
        for topic in topics {
            while let Some(code) = self.state(topic, until, ask.clone()).await? {
                if Instant::now() + MOMENT >= until
                    || !matches!(fail::of(code), Kind::NotFound | Kind::Unavailable)
                {
                    let what = format!("the topic {topic} cannot be used: looking for");
                    return Err(self.failed(&what, KafkaError::MetadataFetch(code)));
                }
                sleep(MOMENT).await;
            }
        }
        self.works();
        Ok(())
    }

    /// What the client complained of is over.
    pub(super) fn works(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What the brokers have against a topic, if anything.
    async fn state<F>(&self, topic: &str, until: Instant, ask: F) -> Result<Option<Code>>
    where
        F: Fn(&str, Duration) -> KafkaResult<Metadata> + Send + 'static,
    {
        let (topic, left) = (topic.to_owned(), until.saturating_duration_since(Instant::now()));
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = ask(&topic, left)?;
            let topic = metadata.topics().iter().find(|other| other.name() == topic);
            Ok(topic.map_or(Some(Code::UnknownTopicOrPartition), |topic| topic.error().map(Code::from)))
        });
        match asked.await {
            Ok(answer) => answer.map_err(|error| self.failed("there is no answer about", error)),
            Err(error) => Err(self.fail(Kind::Internal, "asking about").because(error)),
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
