//! `awssqs://HOST/ACCOUNT/QUEUE[.fifo]`: a queue of Amazon SQS, as a topic or as a subscription.
//!
//! The queue's URL is `https://` and the rest of ours, even where `endpoint=http://…` says how to reach it: it is a name
//! and no address. The region is not taken from it either: `region=` or `AWS_REGION` must say it. Parameters are those
//! that every service of Amazon has ([`autopgo_aws::access`]), and those of a subscription (`awssqs/settings.rs`).
//!
//! **Sending.** A queue whose name ends in `.fifo` gets the application as the message's group, which the original leaves
//! out so that such a queue refuses it, and the hash of the body as what a repetition is known by.
//!
//! **Receiving.** A call gives ten messages at the most; more are called for as long as calls come back full. A call
//! that nobody waits for any more goes on to its end and hands back what it gets: a queue would otherwise give messages
//! to a connection that is gone and keep them from everybody until their time has run out. So that closing can wait for
//! it, no call waits for longer than 2 s, whatever `waittime` or the queue says: a worker without work makes 1.3 million
//! calls a month, where with 20 s it would make 130,000, and one that is replaced keeps no message from the next. Each call
//! says how long what it gives is to be held, so that it is what is counted with here even if the queue was changed; the
//! next check finds that.
//!
//! **Settling.** What is acked and handed back at the same time goes out in calls of ten. A message that is handed back
//! stays hidden for a second, as with the original: at once it would come back faster than whatever is in its way can
//! change, and use up the tries that a dead-letter queue is set to.
//!
//! **Order.** A FIFO queue gives nothing more of a group while messages of it are in flight, so one that is handed back
//! holds its group for that second. What came behind it in the same batch is in flight already: the loop acks of it what
//! it has done, and only what it hands back too comes again, in the old order. Events of an application may be handled
//! in any order, so that nothing waits for a message that cannot be handled.

mod inbox;
mod queue;
mod settings;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_aws::body;
use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use aws_sdk_sqs::types::MessageAttributeValue;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::aws::{self, client, fail};
use crate::awssns::hash;
use inbox::Inbox;
use queue::Queue;
use settings::Settings;
use settle::{Change, Settler};

/// The scheme of these URLs.
pub const SCHEME: &str = "awssqs";

/// What a message that is handed back waits before it is given out again.
const NACKED: Duration = Duration::from_secs(1);

/// Opens the queue that `address` names, to send to. Nothing is asked of it yet.
pub(crate) async fn topic(address: &Address, params: Params) -> Result<SqsTopic> {
    let (access, params) = aws::access(SCHEME, params)?;
    params.finish()?;
    let queue = Queue::open(address, &access, NEEDED_TO_SEND, client::publishing()).await?;
    Ok(SqsTopic(queue))
}

/// Opens the queue that `address` names, to receive from. Nothing is asked of it yet.
pub(crate) async fn subscription(address: &Address, params: Params) -> Result<SqsSubscription> {
    let (access, params) = aws::access(SCHEME, params)?;
    let settings = Settings::of(params)?;
    let queue = Queue::open(address, &access, NEEDED_TO_RECEIVE, client::settling()).await?;
    let queue = Arc::new(queue);
    let settler = Settler::new(Arc::clone(&queue));
    Ok(SqsSubscription {
        inbox: Inbox::new(Arc::clone(&queue), settler.clone(), &settings),
        nack_lazily: settings.nack_lazily,
        closed: CancellationToken::new(),
        settler,
        queue,
    })
}

const NEEDED_TO_SEND: &str = "sqs:SendMessage";
const NEEDED_TO_RECEIVE: &str =
    "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes";

/// A queue to send to.
pub struct SqsTopic(Queue);

#[async_trait]
impl Topic for SqsTopic {
    async fn publish(&self, message: Message) -> Result<()> {
        let Self(queue) = self;
        let (text, encoded) = body::encode(&message.body);
        let mut request = queue.client.send_message().queue_url(&queue.url).message_body(text);
        if encoded {
            let value = MessageAttributeValue::builder().data_type("String").string_value("true").build();
            let value = value.map_err(|error| queue.name.error(Kind::Internal, &error.to_string()))?;
            request = request.message_attributes(body::ENCODED, value);
        }
        if queue.is_fifo() {
            request = request.message_deduplication_id(hash(&message.body)).message_group_id(message.key);
        }
        request.send().await.map(drop).map_err(|error| queue.name.fail(error))
    }

    async fn check(&self) -> Result<()> {
        let Self(queue) = self;
        match queue.client.get_queue_attributes().queue_url(&queue.url).send().await {
            Err(error) if !fail::may_not_look(&error) => Err(queue.name.fail(error)),
            _ => Ok(()),
        }
    }
}

/// A queue to receive from.
pub struct SqsSubscription {
    queue: Arc<Queue>,
    inbox: Inbox,
    settler: Settler,
    nack_lazily: bool,
    closed: CancellationToken,
}

#[async_trait]
impl Subscription for SqsSubscription {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => {
                Err(self.queue.name.error(Kind::Unavailable, "it is closed, and nothing more is received"))
            }
            received = self.inbox.receive(max) => received,
        }
    }

    fn hold(&self) -> Option<Duration> {
        Some(self.queue.hold())
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        let change = Change::Hidden(self.queue.hold());
        join_all(deliveries.iter().map(|delivery| async {
            match self.settler.settle(&delivery.receipt, change).await? {
                true => Ok(()),
                false => Err(self.queue.name.error(Kind::NotFound, "the message is not ours any more")),
            }
        }))
        .await
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.settler.settle(&delivery.receipt, Change::Deleted).await.map(drop)
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        if self.nack_lazily {
            return Ok(());
        }
        self.settler.settle(&delivery.receipt, Change::Hidden(NACKED)).await.map(drop)
    }

    async fn close(&self) {
        self.closed.cancel();
        self.inbox.close().await;
    }

    async fn check(&self) -> Result<()> {
        self.queue.ask().await
    }
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("{SCHEME}://: {what}"))
}
