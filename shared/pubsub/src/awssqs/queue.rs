//! A queue: its URL, its client, and what is asked of it.

use std::sync::OnceLock;
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

/// A queue.
pub(super) struct Queue {
    pub(super) client: Client,
    /// Its name for SQS.
    pub(super) url: String,
    pub(super) name: Name,
    hold: OnceLock<Hold>,
}

/// How long a queue holds a message that it has given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) length: Duration,
    /// Whether each receive has to ask for it, since the queue by itself holds nothing.
    asked_for: bool,
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
            .retry_partition(RetryPartition::custom(url.clone()).token_bucket(tokens).build());
        if let Some(endpoint) = &access.endpoint {
            config.set_endpoint_url(Some(endpoint.clone()));
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            url: format!("https://{place}"),
            name: Name { url, what: "queue", needs, region },
            hold: OnceLock::new(),
        })
    }

    /// Whether it keeps the order of each group.
    pub(super) fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    /// How long it holds a message, as far as it has been asked yet.
    pub(super) fn hold(&self) -> Hold {
        self.hold.get().copied().unwrap_or(Hold { length: USUAL_HOLD, asked_for: false })
    }

    /// The same, asked if it has not been yet.
    pub(super) async fn known_hold(&self) -> Result<Hold> {
        match self.hold.get() {
            Some(hold) => Ok(*hold),
            None => self.ask().await,
        }
    }

    /// Asks how long it holds a message: of what it can be asked, the one thing that has to be known.
    pub(super) async fn ask(&self) -> Result<Hold> {
        let wanted = QueueAttributeName::VisibilityTimeout;
        let asked =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(wanted.clone()).send();
        let answer = asked.await.map_err(|error| self.name.fail(error))?;
        let seconds = answer.attributes().and_then(|attributes| attributes.get(&wanted)?.parse().ok());
        let hold = match seconds {
            Some(0) => Hold { length: USUAL_HOLD, asked_for: true },
            Some(seconds) => Hold { length: Duration::from_secs(seconds), asked_for: false },
            None => {
                return Err(self.name.error(
                    Kind::Internal,
                    "its answer does not say how long it holds a message; it does not speak SQS as it should",
                ));
            }
        };
        Ok(*self.hold.get_or_init(|| hold))
    }

    /// One call for messages, `max` of them at the most and never more than a call gives. `wait` is how long it waits;
    /// `None` leaves that to the queue.
    pub(super) async fn fetch(&self, max: usize, wait: Option<Duration>) -> Result<Vec<Message>> {
        let hold = self.known_hold().await?;
        let longest = wait.unwrap_or(super::settings::LONGEST_WAIT);
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(max.clamp(1, super::inbox::A_CALL).try_into().unwrap_or(1))
            .set_wait_time_seconds(wait.map(whole_seconds))
            .set_visibility_timeout(hold.asked_for.then(|| whole_seconds(hold.length)))
            .message_attribute_names("All");
        let sending = Config::builder().timeout_config(client::receiving(longest));
        let answer = request.customize().config_override(sending).send().await;
        Ok(answer.map_err(|error| self.name.fail(error))?.messages.unwrap_or_default())
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
