//! What the stores that tests run on do not keep, each with its reason. The list of a store of ours is empty; these are
//! other people's.

use crate::verdict::Gap;

/// Azurite 3.35.0. That no length is signed is a gap of Azure itself.
pub const AZURITE: &[Gap] = &[Gap::always(
    "a_signed_put_has_the_length_it_says",
    "a shared access signature covers no header, so that the length of what is put cannot be a part of it",
)];

/// MinIO.
pub const MINIO: &[Gap] = &[];

/// s3s-fs 0.14.1, a file-backed S3 that checks signatures and little else.
pub const S3S_FS: &[Gap] = &[
    Gap::by_chance(
        "one_of_many_creators_wins",
        "it looks whether the object is there and then writes, and between the two others write",
    ),
    Gap::by_chance("one_of_many_replacers_wins", "it compares and then writes, without a lock"),
    Gap::by_chance("a_replacer_never_brings_back_the_deleted", "it compares and then writes, without a lock"),
    Gap::by_chance("no_increment_is_lost", "it compares and then writes, without a lock"),
    Gap::always("nothing_there_is_none", "a key below an object is an internal error of its, not an absence"),
    Gap::always(
        "deleting_nothing_is_fine",
        "a key below an object is an internal error of its, not an absence",
    ),
    Gap::always(
        "keys_mean_themselves",
        "keys are paths of a folder, so that those with // or a slash at the end are others",
    ),
    Gap::always("prefix_and_after_narrow_a_listing", "the prefix // is taken for none, as if it were a path"),
];

/// fake-gcs-server 1.55.1.
pub const FAKE_GCS_SERVER: &[Gap] = &[Gap::by_chance(
    "a_replacer_never_brings_back_the_deleted",
    "a deletion looks which generation is there and then removes that one, and between the two another is written",
)];

/// MiniStack 1.5.33, as SNS and SQS.
pub const MINISTACK: &[Gap] = &[];

/// pstest, of cloud.google.com/go/pubsub/v2 2.9.0. It keeps all in memory, so that its restarts are a cable that is cut
/// (`brokers::Cable`): that what it has outlives a restart is not tried.
pub const PSTEST: &[Gap] = &[];

/// The same, with message ordering.
pub const PSTEST_ORDERED: &[Gap] = &[Gap::always(
    "poison_blocks_nothing",
    "of a key it gives one message at a time, and what was handed back before what is behind it; Pub/Sub itself gives \
     several",
)];

/// Google's emulator of Pub/Sub, 0.8.20. Its restarts are cut cables as well.
pub const PUBSUB_EMULATOR: &[Gap] = &[];

/// Kafka 4.1.1, as it is everywhere. Who joins a group may be given nothing, so that `a_killed_consumer_loses_nothing` kills one
/// that may have none; `groups.rs` of its tests kills a process that has some.
pub const KAFKA: &[Gap] = &[
    Gap::by_chance(
        "long_work_is_held",
        "a consumer that joins the group gets partitions of others, and their records that are not done with them",
    ),
    Gap::always(
        "a_message_comes_back_after_a_lost_ack",
        "a record comes back when its consumer ends, and not after a time",
    ),
    Gap::always(
        "a_late_ack_is_harmless",
        "a record comes back when its consumer ends, and not after a time, so that no ack is late",
    ),
    Gap::by_chance(
        "what_is_held_no_more_comes_back",
        "a record comes back when its consumer ends, or its partition is given to another one, which one that comes may bring \
         about, and not after a time",
    ),
    Gap::by_chance(
        "a_message_comes_back_to_whoever_still_waits",
        "a record comes to the consumer that has its partition, and to another one only when that ends",
    ),
];
