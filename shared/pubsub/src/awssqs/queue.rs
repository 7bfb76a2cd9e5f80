//! A queue: its URL, its client, and what is asked of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autopgo_aws::access::Access;
use autopgo_core::address::Address;
use autopgo_core::error::{Error, Kind, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Config;
use aws_sdk_sqs::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{Message, QueueAttributeName};

use super::SCHEME;
use crate::aws::client;
use crate::aws::fail::Name;

/// What a queue holds a message for, where nothing else was said to it or it holds none at all.
const USUAL_HOLD: Duration = Duration::from_secs(30);
/// How long a call waits at the most, so that closing can wait for its end.
const LONGEST_CALL: Duration = Duration::from_secs(2);

/// A queue.
pub(super) struct Queue {
    pub(super) client: Client,
    /// Its name for SQS.
    pub(super) url: String,
    pub(super) name: Name,
    setup: Mutex<Option<Setup>>,
}

/// How a queue is set up, as it was when it was asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Setup {
    /// How long it holds a message that it has given out.
    hold: Duration,
    /// How long a call waits that does not say so.
    wait: Duration,
}

impl Queue {
    /// The queue that `address` names, for whoever `needs` these permissions. Nothing is asked of it yet.
    pub(super) async fn open(
        address: &Address,
        access: &Access,
        needs: &'static str,
        timeouts: TimeoutConfig,
    ) -> Result<Self> {
        let place = place(address)?;
        let url = format!("{SCHEME}://{place}");
        let shared = access.load(&url).await?;
        let region = shared.region().map(ToString::to_string).unwrap_or_default();
        let tokens = TokenBucket::builder().capacity(access.retry_tokens()).build();
        let mut config = aws_sdk_sqs::config::Builder::from(&shared)
            .retry_config(client::retries())
            .timeout_config(timeouts)
            .http_client(access.http())
            .retry_partition(RetryPartition::custom(url.clone()).token_bucket(tokens).build());
        if let Some(endpoint) = &access.endpoint {
            config.set_endpoint_url(Some(endpoint.clone()));
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            url: format!("https://{place}"),
            name: Name { url, what: "queue", needs, region },
            setup: Mutex::default(),
        })
    }

    /// Whether it keeps the order of each group.
    pub(super) fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    /// How long it holds a message, as far as it has been asked yet.
    pub(super) fn hold(&self) -> Duration {
        self.known().map_or(USUAL_HOLD, |setup| setup.hold)
    }

    /// Asks how it is set up: of what it can be asked, the one thing that has to be known. What is changed later is heard
    /// of when it is asked again, which every check does.
    pub(super) async fn ask(&self) -> Result<()> {
        self.set_up().await.map(drop)
    }

    async fn set_up(&self) -> Result<Setup> {
        let (hold, wait) =
            (QueueAttributeName::VisibilityTimeout, QueueAttributeName::ReceiveMessageWaitTimeSeconds);
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let asked = request.attribute_names(hold.clone()).attribute_names(wait.clone()).send();
        let answer = asked.await.map_err(|error| self.name.fail(error))?;
        let seconds = |name| answer.attributes()?.get(name)?.parse().ok().map(Duration::from_secs);
        let Some(hold) = seconds(&hold) else {
            return Err(self.name.error(
                Kind::Internal,
                "its answer does not say how long it holds a message; it does not speak SQS as it should",
            ));
        };
        let setup = Setup {
            hold: if hold.is_zero() { USUAL_HOLD } else { hold },
            wait: seconds(&wait).unwrap_or_default(),
        };
        *self.setup() = Some(setup);
        Ok(setup)
    }

    fn known(&self) -> Option<Setup> {
        *self.setup()
    }

    fn setup(&self) -> MutexGuard<'_, Option<Setup>> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call for messages, `max` of them at the most and never more than a call gives, and how long they are held.
    /// `wait` is how long it waits, up to [`LONGEST_CALL`]; `None` leaves that to the queue.
    pub(super) async fn fetch(&self, max: usize, wait: Option<Duration>) -> Result<(Vec<Message>, Duration)> {
        let setup = match self.known() {
            Some(setup) => setup,
            None => self.set_up().await?,
        };
        let wait = wait.unwrap_or(setup.wait).min(LONGEST_CALL);
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(max.clamp(1, super::inbox::A_CALL).try_into().unwrap_or(1))
            .wait_time_seconds(whole_seconds(wait))
            // What it is set to may have been changed since it was asked, and may be nothing.
            .visibility_timeout(whole_seconds(setup.hold))
            .message_attribute_names("All");
        let sending = Config::builder().timeout_config(client::receiving(wait));
        let answer = request.customize().config_override(sending).send().await;
        let messages = answer.map_err(|error| self.name.fail(error))?.messages.unwrap_or_default();
        Ok((messages, setup.hold))
    }
}

/// A time as SQS takes it.
pub(super) fn whole_seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

/// Host and path of a queue.
fn place(address: &Address) -> Result<String> {
    let place = address.name();
    match place.split('/').collect::<Vec<_>>()[..] {
        [host, .., queue] if !host.is_empty() && host != ".." && queue != ".." => Ok(place),
        _ => Err(Error::new(
            Kind::Invalid,
            "awssqs:// names no queue; write awssqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_a_queue() {
        for (text, named) in [
            (
                "awssqs://sqs.eu-west-1.amazonaws.com/123456789012/pgo.fifo",
                "sqs.eu-west-1.amazonaws.com/123456789012/pgo.fifo",
            ),
            ("awssqs://localhost:4566//000000000000/pgo/", "localhost:4566/000000000000/pgo"),
            ("pubsub+awssqs://host/queue", "host/queue"),
        ] {
            assert_eq!(place(&Address::parse(text).expect(text)).expect(text), named);
        }
        for text in ["awssqs://", "awssqs://host", "awssqs:///1/q", "awssqs://host/..", "awssqs://host/../.."]
        {
            let error = place(&Address::parse(text).expect(text)).expect_err(text);
            assert!(error.kind() == Kind::Invalid && error.what().contains("names no queue"), "{error}");
        }
    }
}
