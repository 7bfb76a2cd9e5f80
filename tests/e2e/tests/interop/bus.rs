//! The buses that both know, each with a server of its own or names of its own on one.
//!
//! A further one is a function here that gives a [`Bus`], and a line in `stories.rs`.

use std::any::Any;

use autopgo_conformance::brokers::Nats;
use autopgo_e2e::original::Original;
use autopgo_e2e::skip;
use autopgo_e2e::sns::Aws;

/// Who writes where and reads from where. On most buses all that is written comes to everybody who reads, so that these
/// are one topic and two subscriptions; a queue hands each message to one reader alone, so that each side has its own.
pub(crate) struct Bus {
    /// Where the original publishes for us.
    pub(crate) their_writer: String,
    /// Where we read that.
    pub(crate) our_reader: String,
    /// Where we publish for the original.
    pub(crate) our_writer: String,
    /// Where the original reads that.
    pub(crate) their_reader: String,
    /// Where the original publishes what it reads again itself.
    pub(crate) their_own: String,
    /// Whether a message still has its key when it arrives.
    pub(crate) keyed: bool,
    /// What the original finds beside the body of ours, which it makes nothing of.
    pub(crate) beside: &'static [&'static str],
    /// What the URLs do not say.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// What ends with the story.
    needs: Option<Box<dyn Any + Send + Sync>>,
}

impl Bus {
    /// One that takes both in at one end and gives both everything at the other.
    fn of(topic: &str, our_reader: &str, their_reader: &str) -> Self {
        Self {
            their_writer: topic.to_owned(),
            our_reader: our_reader.to_owned(),
            our_writer: topic.to_owned(),
            their_reader: their_reader.to_owned(),
            their_own: topic.to_owned(),
            keyed: false,
            beside: &[],
            variables: Vec::new(),
            needs: None,
        }
    }

    fn on(mut self, server: Nats) -> Self {
        self.variables.push(("NATS_SERVER_URL", server.url()));
        self.needs = Some(Box::new(server));
        self
    }
}

/// Core NATS as the original's documents set it up.
pub(crate) async fn nats() -> Option<Bus> {
    let server = Nats::start()?;
    Some(Bus::of("nats://profile", "nats://profile?queue=ours", "nats://profile?queue=theirs").on(server))
}

/// The same in the second version of the encoding.
pub(crate) async fn nats_v2() -> Option<Bus> {
    let server = Nats::start()?;
    let (ours, theirs) = ("nats://profile?natsv2=true&queue=ours", "nats://profile?natsv2&queue=theirs");
    Some(Bus::of("nats://profile?natsv2=true", ours, theirs).on(server))
}

/// The original in the one version, we in the other.
pub(crate) async fn nats_mixed() -> Option<Bus> {
    let bus = Bus::of("nats://profile", "nats://profile?natsv2=true&queue=ours", "nats://profile");
    let bus = Bus { our_writer: "nats://profile?natsv2=true".to_owned(), ..bus };
    Some(bus.on(Nats::start()?))
}

/// We keep in a stream what the original says without knowing of it.
pub(crate) async fn jetstream() -> Option<Bus> {
    let stream = "nats://profile?jetstream=PROFILE";
    let bus = Bus { our_writer: stream.to_owned(), ..Bus::of("nats://profile", stream, "nats://profile") };
    Some(bus.on(Nats::start()?))
}

/// The same; in the second version of the encoding it sees how we mark what we publish.
pub(crate) async fn jetstream_v2() -> Option<Bus> {
    let (stream, theirs) = ("nats://profile?jetstream=PROFILE", "nats://profile?natsv2=true");
    let bus = Bus { our_writer: stream.to_owned(), ..Bus::of(theirs, stream, theirs) };
    Some(Bus { beside: &["Nats-Expected-Stream", "Nats-Msg-Id"], ..bus }.on(Nats::start()?))
}

async fn topic(fifo: bool, raw: bool) -> Option<Bus> {
    let aws = Aws::new(fifo).await?;
    let topic = aws.topic().await;
    let (ours, theirs) = (aws.subscribed("ours", raw).await, aws.subscribed("theirs", raw).await);
    let (proxy, over) = aws.line().await;
    Some(Bus {
        their_writer: over(&topic),
        their_reader: over(&theirs),
        their_own: over(&topic),
        // The topic hands on what orders a message.
        keyed: true,
        needs: Some(Box::new(proxy)),
        ..Bus::of(&topic, &ours, "")
    })
}

/// Kafka, with a group for each side. The original's default, the newest, would miss what was said before it joined.
pub(crate) async fn kafka() -> Option<Bus> {
    kafka_of(3).await
}

/// The same with a topic of so many partitions.
pub(crate) async fn kafka_of(partitions: u32) -> Option<Bus> {
    let variable = ("KAFKA_BROKERS", skip::variable("kafka", "AUTOPGO_TEST_KAFKA_BROKERS")?);
    let topic = format!("story-{:016x}", fastrand::u64(..));
    let make = ["make", "kafka", &topic, &partitions.to_string()];
    Original::new()?.with(variable.0, &variable.1).run(&make, b"").await;
    let reader = |group: &str| format!("kafka://{topic}-{group}?topic={topic}&offset=oldest");
    let bus = Bus::of(&format!("kafka://{topic}"), &reader("ours"), &reader("theirs"));
    Some(Bus { keyed: true, variables: vec![variable], ..bus })
}

/// Pub/Sub, with subscriptions that keep the order.
pub(crate) async fn gcppubsub() -> Option<Bus> {
    let server = skip::server("pstest")?.trim_start_matches("http://").to_owned();
    let variable = ("PUBSUB_EMULATOR_HOST", server);
    let project = format!("story-{:016x}", fastrand::u64(..));
    let make = ["make", "gcppubsub", &project, "profile", "ordered", "ours", "theirs"];
    Original::new()?.with(variable.0, &variable.1).run(&make, b"").await;
    let reader = |name: &str| format!("gcppubsub://{project}/{name}");
    let topic = format!("gcppubsub://projects/{project}/topics/profile");
    Some(Bus {
        keyed: true,
        variables: vec![variable],
        ..Bus::of(&topic, &reader("ours"), &reader("theirs"))
    })
}

/// A topic before standard queues, which wraps what it hands on.
pub(crate) async fn sns() -> Option<Bus> {
    topic(false, false).await
}

/// One that does not.
pub(crate) async fn sns_raw() -> Option<Bus> {
    topic(false, true).await
}

/// A FIFO topic before FIFO queues.
pub(crate) async fn sns_fifo() -> Option<Bus> {
    topic(true, false).await
}

/// Standard queues alone; to FIFO ones the original cannot write.
pub(crate) async fn sqs() -> Option<Bus> {
    let aws = Aws::new(false).await?;
    let (ours, theirs) = (aws.queue("ours").await, aws.queue("theirs").await);
    let (proxy, over) = aws.line().await;
    Some(Bus {
        their_own: over(&theirs),
        our_writer: theirs.clone(),
        needs: Some(Box::new(proxy)),
        ..Bus::of(&over(&ours), &format!("{ours}&waittime=1s"), &format!("{}&waittime=1s", over(&theirs)))
    })
}
