//! `awssns:///arn:aws:sns:REGION:ACCOUNT:TOPIC[.fifo]`: a topic of Amazon SNS. It is a topic only: a queue of SQS is
//! subscribed to it, and that is read by `awssqs://`.
//!
//! The parameters are those that every service of Amazon has ([`autopgo_aws::access`]). The region is not taken from the
//! ARN, as it is not by the original: `region=` or `AWS_REGION` must say it.
//!
//! The application is the message's group, on standard topics too, as with the original: queues that know what is fair
//! use it. A topic that refuses it is asked without. On a FIFO topic the hash of the body keeps a message that is sent
//! twice, because the answer was lost, from arriving twice; the original sends none and needs a topic that makes its own.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use autopgo_aws::body;
use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Topic};
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use aws_sdk_sns::types::MessageAttributeValue;
use sha2::{Digest, Sha256};

use crate::aws::fail::{self, Name};
use crate::aws::{self, client};

/// The scheme of these URLs.
pub const SCHEME: &str = "awssns";

/// Opens the topic that `address` names. Nothing is asked of it yet.
pub(crate) async fn topic(address: &Address, params: Params) -> Result<SnsTopic> {
    let arn = address.name().trim_start_matches('/').to_owned();
    let home = region_of(&arn)?;
    let (access, params) = aws::access(SCHEME, params)?;
    params.finish()?;
    let url = format!("{SCHEME}:///{arn}");
    let shared = access.load(&url).await?;
    let region = shared.region().map(ToString::to_string).unwrap_or_default();
    if region != home {
        tracing::warn!(topic = arn, region, "the topic's ARN names another region than it is looked for in");
    }
    let tokens = TokenBucket::builder().capacity(access.retry_tokens()).build();
    let mut config = aws_sdk_sns::config::Builder::from(&shared)
        .retry_config(client::retries())
        .timeout_config(client::publishing())
        .http_client(access.http())
        .retry_partition(RetryPartition::custom(url.clone()).token_bucket(tokens).build());
    if let Some(endpoint) = access.endpoint {
        config.set_endpoint_url(Some(endpoint));
    }
    Ok(SnsTopic {
        client: Client::from_conf(config.build()),
        fifo: arn.ends_with(".fifo"),
        name: Name { url, what: "topic", needs: "sns:Publish", region },
        arn,
        groupless: AtomicBool::new(false),
    })
}

/// The region in the ARN of a topic.
fn region_of(arn: &str) -> Result<&str> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "sns", region, _, topic] if !topic.is_empty() && !topic.contains('/') => Ok(region),
        _ => Err(Error::new(
            Kind::Invalid,
            "awssns:// names no topic; write awssns:///arn:aws:sns:REGION:ACCOUNT:TOPIC",
        )),
    }
}

/// A topic.
pub struct SnsTopic {
    client: Client,
    arn: String,
    name: Name,
    fifo: bool,
    /// Whether it has refused a group before.
    groupless: AtomicBool,
}

#[async_trait]
impl Topic for SnsTopic {
    async fn publish(&self, message: Message) -> Result<()> {
        let request = self.request(&message)?;
        let grouped = self.fifo || !self.groupless.load(Ordering::Relaxed);
        let with_group = grouped.then(|| message.key.clone());
        match request.clone().set_message_group_id(with_group).send().await {
            Ok(_) => Ok(()),
            Err(error) if grouped && !self.fifo && fail::is_of_group(&error) => {
                if !self.groupless.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        topic = self.arn,
                        "the topic takes no message group; messages go out without from now on"
                    );
                }
                request.send().await.map(drop).map_err(|error| self.name.fail(error))
            }
            Err(error) => Err(self.name.fail(error)),
        }
    }

    async fn check(&self) -> Result<()> {
        match self.client.get_topic_attributes().topic_arn(&self.arn).send().await {
            Err(error) if !fail::may_not_look(&error) => Err(self.name.fail(error)),
            _ => Ok(()),
        }
    }
}

impl SnsTopic {
    /// All of it but the group.
    fn request(&self, message: &Message) -> Result<PublishFluentBuilder> {
        let (text, encoded) = body::encode(&message.body);
        let mut request = self.client.publish().topic_arn(&self.arn).message(text);
        if encoded {
            let value = MessageAttributeValue::builder().data_type("String").string_value("true").build();
            let value = value.map_err(|error| self.name.error(Kind::Internal, &error.to_string()))?;
            request = request.message_attributes(body::ENCODED, value);
        }
        if self.fifo {
            request = request.message_deduplication_id(hash(&message.body));
        }
        Ok(request)
    }
}

/// SHA-256 in hex: what the services themselves make of a body, where they are told to (SQS API reference,
/// `MessageDeduplicationId`).
pub(crate) fn hash(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_a_topic_and_its_region() {
        for arn in ["arn:aws:sns:eu-west-1:123456789012:pgo.fifo", "arn:aws-cn:sns:cn-north-1:1:pgo"] {
            assert_eq!(region_of(arn).expect(arn), arn.split(':').nth(3).expect("a region"));
        }
        for arn in [
            "",
            "pgo",
            "arn:aws:sqs:eu-west-1:1:pgo",
            "arn:aws:sns:eu-west-1:1:",
            "arn:aws:sns:eu-west-1:1:pgo:9a2c",
            "arn:aws:sns:eu-west-1:1:pgo/x",
        ] {
            let error = region_of(arn).expect_err(arn);
            assert!(error.what().contains("awssns:///arn:aws:sns:REGION:ACCOUNT:TOPIC"), "{error}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_services() {
        assert_eq!(hash(b"{}"), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
