//! Topics and queues on the MiniStack that `tests/services` starts, made past autopgo.

use autopgo_conformance::proxy::Proxy;
use aws_config::BehaviorVersion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_sdk_sqs::config::Region;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::skip;

/// The profile with the credentials, in the files that `tests/services env` names.
const PROFILE: &str = "ministack";
const REGION: &str = "us-east-1";
/// The account of whoever has no other.
const ACCOUNT: &str = "000000000000";

/// The server, and names of a story's own.
pub struct Aws {
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    /// `http://IP:PORT`
    endpoint: String,
    name: String,
    fifo: bool,
}

impl Aws {
    /// The server, where what is made is FIFO or is not; `None`, said aloud, where there is none.
    pub async fn new(fifo: bool) -> Option<Self> {
        Some(Self::at(skip::server("ministack")?, fifo).await)
    }

    /// Another server, at this `http://IP:PORT`.
    pub async fn at(endpoint: String, fifo: bool) -> Self {
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(PROFILE).build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&endpoint)
            .credentials_provider(credentials)
            .load()
            .await;
        let name = format!("story-{:016x}", fastrand::u64(..));
        let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        Self { sns, sqs, endpoint, name, fifo }
    }

    fn named(&self, what: &str) -> String {
        format!("{}-{what}{}", self.name, if self.fifo { ".fifo" } else { "" })
    }

    fn access(&self) -> String {
        format!("region={REGION}&endpoint={}&profile={PROFILE}", self.endpoint)
    }

    fn topic_arn(&self) -> String {
        format!("arn:aws:sns:{REGION}:{ACCOUNT}:{}", self.named("topic"))
    }

    /// A line to the server for a client of Go's, and what turns a URL into one that goes over it.
    ///
    /// As soon as an answer's head is there, AWS's SDK for Go closes the request; if net/http has not noticed by then that
    /// the request is sent, it closes the connection, and the answer's body is lost if it comes in a piece of its own. That
    /// takes a server that is near, answers in two pieces and is on a busy machine, as here; so answers go over in one.
    ///
    /// # Panics
    /// When there is no port for it, or the server's address is no `http://IP:PORT`.
    pub async fn line(&self) -> (Proxy, impl Fn(&str) -> String) {
        let server = self.endpoint.trim_start_matches("http://").parse().expect("http://IP:PORT");
        let proxy = Proxy::before(server).await.expect("a port");
        let from = format!("endpoint={}", self.endpoint);
        let to = format!("endpoint=http://{}", proxy.address());
        (proxy, move |url: &str| url.replace(&from, &to))
    }

    /// The ARN of a queue that was made here.
    pub fn queue_arn(&self, what: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.named(what))
    }

    /// Makes the topic and gives its URL. A FIFO one tells repetitions by itself, for the original does not.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn topic(&self) -> String {
        let mut topic = self.sns.create_topic().name(self.named("topic"));
        if self.fifo {
            topic = topic.attributes("FifoTopic", "true").attributes("ContentBasedDeduplication", "true");
        }
        topic.send().await.expect("a topic");
        format!("awssns:///{}?{}", self.topic_arn(), self.access())
    }

    /// Makes a queue and gives its URL, with no parameters that a reader alone may have.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn queue(&self, what: &str) -> String {
        let name = self.named(what);
        let arn = self.queue_arn(what);
        let allowed = serde_json::json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        }]});
        let mut queue = self.sqs.create_queue().queue_name(&name);
        queue = queue.attributes(QueueAttributeName::Policy, allowed.to_string());
        if self.fifo {
            queue = queue.attributes(QueueAttributeName::FifoQueue, "true");
        }
        queue.send().await.expect("a queue");
        let host = self.endpoint.trim_start_matches("http://");
        format!("awssqs://{host}/{ACCOUNT}/{name}?{}", self.access())
    }

    /// Makes a queue that has what the topic is told, and gives its URL as a reader's.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn subscribed(&self, what: &str, raw: bool) -> String {
        let url = self.queue(what).await;
        let queue = self.queue_arn(what);
        let subscribe = self.sns.subscribe().topic_arn(self.topic_arn()).protocol("sqs").endpoint(queue);
        let subscribe = subscribe.attributes("RawMessageDelivery", raw.to_string());
        subscribe.send().await.expect("a subscription");
        format!("{url}&waittime=1s&raw={raw}")
    }
    /// Publishes to the topic of this ARN, wherever it comes from, within a group that keeps its order.
    ///
    /// # Panics
    /// When it cannot be published.
    pub async fn publish(&self, topic: &str, group: &str, message: &str) {
        let publish = self.sns.publish().topic_arn(topic).message(message);
        let publish = if self.fifo { publish.message_group_id(group) } else { publish };
        publish.send().await.expect("published");
    }
}
