//! From a URL to a topic or a subscription: the only place that matches the scheme.

use std::sync::Arc;

use autopgo_core::address::{Address, Resource};
use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Subscription, Topic};

#[cfg(feature = "gcp")]
use crate::gcppubsub;
#[cfg(feature = "kafka")]
use crate::kafka;
use crate::mem::{self, Buses};
#[cfg(feature = "nats")]
use crate::nats;
#[cfg(feature = "azure")]
use crate::servicebus;
#[cfg(feature = "aws")]
use crate::{awssns, awssqs};

/// The schemes of this build.
pub const SCHEMES: &[&str] = &[
    mem::SCHEME,
    #[cfg(feature = "gcp")]
    gcppubsub::SCHEME,
    #[cfg(feature = "aws")]
    awssns::SCHEME,
    #[cfg(feature = "aws")]
    awssqs::SCHEME,
    #[cfg(feature = "kafka")]
    kafka::SCHEME,
    #[cfg(feature = "nats")]
    nats::SCHEME,
    #[cfg(feature = "azure")]
    servicebus::SCHEME,
];
/// The schemes that other builds have, and the cargo feature that brings each.
const BY_FEATURE: [(&str, &str); 6] = [
    ("awssns", "aws"),
    ("awssqs", "aws"),
    ("azuresb", "azure"),
    ("gcppubsub", "gcp"),
    ("kafka", "kafka"),
    ("nats", "nats"),
];

/// Where the value of a variable comes from.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What the topics and subscriptions of one process share: its clock, the variables that their providers have names for,
/// and the buses in memory by their names. A topic and a subscription opened with one environment and one `mem://name`
/// are the two ends of one bus.
pub struct Environment {
    variables: Box<Variables>,
    memory: Buses,
}

impl Environment {
    /// One with no buses yet, in which no variable is set.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { variables: Box::new(|_| None), memory: Buses::new(clock) }
    }

    /// The same, with the variables that `lookup` finds.
    #[must_use]
    pub fn with_variables(mut self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Box::new(lookup);
        self
    }

    /// The value of a variable, if it is set.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }
}

/// Opens the topic that `url` names.
///
/// # Errors
/// `Invalid`: no URL of a topic, a scheme that is not in this build, an unknown parameter or a bad value.
pub async fn topic(url: &str, environment: &Environment) -> Result<Arc<dyn Topic>> {
    let address = Address::of(Resource::Topic, url)?;
    match address.scheme() {
        mem::SCHEME => mem::topic(&address, &environment.memory),
        #[cfg(feature = "aws")]
        awssns::SCHEME => Ok(Arc::new(awssns::topic(&address, address.params()).await?)),
        #[cfg(feature = "aws")]
        awssqs::SCHEME => Ok(Arc::new(awssqs::topic(&address, address.params()).await?)),
        #[cfg(feature = "gcp")]
        gcppubsub::SCHEME => gcppubsub::topic(&address, environment.variable(gcppubsub::EMULATOR).as_deref()),
        #[cfg(feature = "kafka")]
        kafka::SCHEME => kafka::topic(&address, environment.variable(kafka::BROKERS)).await,
        #[cfg(feature = "nats")]
        nats::SCHEME => nats::topic(&address, environment.variable(nats::SERVERS)).await,
        #[cfg(feature = "azure")]
        servicebus::SCHEME => servicebus::topic(&address, &|name| environment.variable(name)),
        other => Err(not_here(other, Resource::Topic)),
    }
}

/// Opens the subscription that `url` names.
///
/// # Errors
/// As [`topic`].
pub async fn subscription(url: &str, environment: &Environment) -> Result<Arc<dyn Subscription>> {
    let address = Address::of(Resource::Subscription, url)?;
    match address.scheme() {
        mem::SCHEME => mem::subscription(&address, &environment.memory),
        #[cfg(feature = "aws")]
        awssqs::SCHEME => Ok(Arc::new(awssqs::subscription(&address, address.params()).await?)),
        #[cfg(feature = "gcp")]
        gcppubsub::SCHEME => {
            gcppubsub::subscription(&address, environment.variable(gcppubsub::EMULATOR).as_deref())
        }
        #[cfg(feature = "kafka")]
        kafka::SCHEME => kafka::subscription(&address, environment.variable(kafka::BROKERS)),
        #[cfg(feature = "nats")]
        nats::SCHEME => nats::subscription(&address, environment.variable(nats::SERVERS)).await,
        #[cfg(feature = "azure")]
        servicebus::SCHEME => servicebus::subscription(&address, &|name| environment.variable(name)),
        other => Err(not_here(other, Resource::Subscription)),
    }
}

fn not_here(scheme: &str, wanted: Resource) -> Error {
    let here: Vec<String> = SCHEMES.iter().map(|scheme| format!("{scheme}://")).collect();
    let here = here.join(", ");
    let what = match BY_FEATURE.iter().find(|(known, _)| *known == scheme) {
        // A bus of SNS is written to by one scheme and read by another.
        Some(("awssns", _)) if wanted == Resource::Subscription => {
            "awssns:// is a topic only; subscribe an SQS queue to it and read that with awssqs://".to_owned()
        }
        Some((_, feature)) => {
            format!("{scheme}:// comes with the cargo feature {feature}, which this build does not have")
        }
        None => format!("{scheme}:// is no scheme of a {wanted}"),
    };
    Error::new(Kind::Invalid, format!("{what}; here are {here}"))
}

#[cfg(test)]
mod tests {
    use autopgo_core::clock::System;

    use super::*;

    async fn refused(url: &str) -> [String; 2] {
        let environment = Environment::new(Arc::new(System));
        let topic = topic(url, &environment).await.err();
        let subscription = subscription(url, &environment).await.err();
        [topic, subscription].map(|error| {
            let error = error.unwrap_or_else(|| panic!("{url} was opened"));
            assert_eq!(error.kind(), Kind::Invalid, "{error}");
            error.to_string()
        })
    }

    #[tokio::test]
    async fn schemes_that_are_not_here_say_so() {
        #[cfg(not(feature = "aws"))]
        {
            for error in refused("awssqs://sqs.eu-west-1.amazonaws.com/1/q").await {
                assert!(error.contains("comes with the cargo feature aws"), "{error}");
            }
            let [topic, _] = refused("awssns:///arn:aws:sns:eu-west-1:1:pgo").await;
            assert!(topic.contains("feature aws"), "{topic}");
        }
        let others: &[(&str, &str)] = &[
            #[cfg(not(feature = "azure"))]
            ("azuresb://pgo?subscription=worker", "azure"),
            #[cfg(not(feature = "gcp"))]
            ("gcppubsub://projects/p/topics/t", "gcp"),
            #[cfg(not(feature = "kafka"))]
            ("kafka://pgo", "kafka"),
            #[cfg(not(feature = "nats"))]
            ("nats://profile?queue=worker", "nats"),
        ];
        for (url, feature) in others {
            for error in refused(url).await {
                assert!(error.contains(&format!("comes with the cargo feature {feature}")), "{error}");
            }
        }
        let environment = Environment::new(Arc::new(System));
        let read = subscription("awssns:///arn:aws:sns:eu-west-1:1:pgo", &environment).await;
        assert!(read.err().expect("a topic").what().contains("topic only"));
        let [topic, subscription] = refused("rabbit://exchange").await;
        assert!(topic.starts_with("rabbit:// is no scheme of a topic; here are mem://"), "{topic}");
        let says = "rabbit:// is no scheme of a subscription; here are mem://";
        assert!(subscription.starts_with(says), "{subscription}");
        assert!(refused("blob+mem://x").await[0].contains("opens no topic"));
    }
}
