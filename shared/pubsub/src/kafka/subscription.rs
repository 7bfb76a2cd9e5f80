//! Where messages are received.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_core::error::{Kind, Result};
use autopgo_core::port::bus::{Delivery, Subscription};
use rdkafka::consumer::{CommitMode, Consumer};
use tokio::sync::Mutex;

use super::consumer::GroupConsumer;
use super::inbox::{Head, Inbox, Standing, Taken};
use super::link::Link;
use super::settings::{Brokers, Reader};

/// How long the brokers may take to take an offset, and partitions to change hands meanwhile.
const KEEPING: Duration = Duration::from_secs(5);
/// How long one waits for partitions to change hands before one looks again.
const MOMENT: Duration = Duration::from_millis(100);
/// How long leaving the group may take: less than a worker has for it.
const LEAVING: Duration = Duration::from_millis(2500);

/// Where messages are received.
pub(super) struct KafkaSubscription {
    link: Arc<Link>,
    inbox: Arc<Inbox>,
    reader: Arc<Reader>,
    consumer: GroupConsumer,
    /// One commit at a time, for all that is done by then.
    committing: Arc<Mutex<()>>,
}

impl KafkaSubscription {
    /// Joins the group, in the background.
    pub(super) fn open(brokers: &Brokers, reader: Reader) -> Result<Self> {
        let what = format!("the consumer group {} of {}", reader.group, reader.topics.join(", "));
        let (link, inbox) = (Arc::new(Link::new(&what, brokers)), Arc::new(Inbox::default()));
        let reader = Arc::new(reader);
        let consumer = GroupConsumer::open(brokers, &reader, &link, &inbox)?;
        Ok(Self { link, inbox, reader, consumer, committing: Arc::default() })
    }

    /// Tells Kafka how far a partition is done, if that is for this delivery to do, and waits until it knows.
    async fn confirm(&self, delivery: &Delivery) -> Result<()> {
        loop {
            let news = self.inbox.news();
            match self.inbox.standing(delivery) {
                Standing::Committed | Standing::Behind | Standing::Gone => return Ok(()),
                Standing::Parked => news.await,
                Standing::Due => {
                    let turn = Arc::clone(&self.committing).lock_owned().await;
                    // Whoever had the turn may have told of this one too.
                    if self.inbox.standing(delivery) != Standing::Due {
                        continue;
                    }
                    let heads = self.inbox.heads();
                    match self.commit(heads, turn).await {
                        Ok(()) => {}
                        Err(error) if error.kind() != Kind::Unavailable => return Err(error),
                        // Partitions are changing hands perhaps. Then this one is parked soon, or gone.
                        Err(error) => {
                            tracing::debug!(
                                error = error.chain(),
                                "an offset was not taken yet; trying again"
                            );
                            let _ = tokio::time::timeout(MOMENT, news).await;
                        }
                    }
                }
            }
        }
    }

    /// The turn is over when the client's call is, even if nobody waits for it any more.
    async fn commit(&self, heads: Vec<Head>, turn: tokio::sync::OwnedMutexGuard<()>) -> Result<()> {
        let Some(client) = self.consumer.client() else {
            return Err(self.link.fail(Kind::Unavailable, "there is no client any more for"));
        };
        let inbox = Arc::clone(&self.inbox);
        let told = tokio::task::spawn_blocking(move || {
            let list = client.context().list(&heads)?;
            client.commit(&list, CommitMode::Sync)?;
            inbox.committed(&heads);
            drop(turn);
            Ok(())
        });
        match told.await {
            Ok(told) => told.map_err(|error| self.link.failed("telling what is done to", error)),
            Err(error) => Err(self.link.fail(Kind::Internal, "telling what is done to").because(error)),
        }
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        loop {
            let news = self.inbox.news();
            // From what is taken here nothing waits until it is given out.
            let due = match self.inbox.take(max, Instant::now()) {
                Taken::Some(batch) => return Ok(batch),
                Taken::Trouble(trouble) => return Err(trouble),
                Taken::Closed => {
                    return Err(self.link.fail(Kind::Unavailable, "nothing is received any more from"));
                }
                Taken::None(due) => due,
            };
            match due {
                Some(due) => drop(tokio::time::timeout_at(due.into(), news).await),
                None => news.await,
            }
        }
    }

    /// As long as this consumer lives, which its thread says to the group all the time.
    fn hold(&self) -> Option<Duration> {
        None
    }

    /// There is nothing to ask for; but partitions change hands, and that can be told.
    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        let told = |delivery: &Delivery| match self.inbox.standing(delivery) {
            Standing::Gone => Err(self.link.fail(
                Kind::NotFound,
                "a record is no longer held here, for its partition was given to somebody else by",
            )),
            _ => Ok(()),
        };
        deliveries.iter().map(told).collect()
    }

    /// Confirmed where everything before it is done too; where not, it is remembered here until it is.
    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.inbox.done(delivery);
        match tokio::time::timeout(KEEPING, self.confirm(delivery)).await {
            Ok(confirmed) => confirmed,
            Err(_) => Err(self.link.silent()),
        }
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        self.inbox.back(delivery, Instant::now());
        Ok(())
    }

    async fn close(&self) {
        self.inbox.close();
        if tokio::time::timeout(LEAVING, self.consumer.leave()).await.is_err() {
            tracing::warn!(
                bus = self.link.name(),
                "the group could not be left in time; it goes on without this consumer in 10 s"
            );
        }
    }

    async fn check(&self) -> Result<()> {
        let Some(client) = self.consumer.client() else {
            return Err(self.link.fail(Kind::Unavailable, "there is no client any more for"));
        };
        let ask = move |topic: &str, left| client.fetch_metadata(Some(topic), left);
        self.link.check(&self.reader.topics, ask).await
    }
}
