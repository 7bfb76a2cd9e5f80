//! The laws of a blob store: what `autopgo_core::port::blobs` promises, tried from outside.

mod basics;
mod conditions;
mod copies;
mod listing;
mod races;
mod signing;
mod sizes;
mod trouble;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Object, Version, When};
use bytes::Bytes;

use crate::verdict::{Broken, Gap, Verdict, ensure};

/// What an adapter gives to have the laws tried on it: one store, empty when the harness is made.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the store of this harness. Every call opens it anew, as another process would, and all see the same
    /// objects.
    async fn open(&self) -> Result<Arc<dyn Blobs>>;

    /// A store whose bucket or folder is not there, and the name that the error must hold.
    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)>;

    /// Whether the store signs requests. One that does not must say so when it is asked.
    fn signs(&self) -> bool;

    /// The same store, opened with credentials that are none of it. `None`: it asks nobody who they are.
    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>>;

    /// Where on the network the store is, in plain HTTP. `None`: it is in this process or on this machine's disk.
    fn remote(&self) -> Option<SocketAddr>;

    /// The same store, reached by this address instead of [`Harness::remote`].
    async fn open_at(&self, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        Err(Error::new(Kind::Internal, format!("there is no network to this store, so none over {address}")))
    }

    /// Why the store cannot be had on this machine, if so: then no law is tried. Whoever says so has said it aloud (see
    /// [`crate::skip`]).
    fn lacking(&self) -> Option<String> {
        None
    }

    /// The laws that this adapter does not keep.
    fn gaps(&self) -> &[Gap] {
        &[]
    }

    /// How far the clocks of the store and of the tests may differ.
    fn skew(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// How long a law may take. Every wait in a law ends with it.
    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }
}

/// From the table of the laws: their names, the way from a name to its law, and the macro that makes tests of them.
/// A law that is not in the table is dead code, which the lints refuse.
macro_rules! laws {
    ($dollar:tt $($area:ident: $($law:ident)+;)+) => {
        /// The name of every law.
        pub const LAWS: &[&str] = &[$($(stringify!($law),)+)+];

        async fn run(law: &str, harness: &dyn Harness) -> Verdict {
            match law {
                $($(stringify!($law) => $area::$law(harness).await,)+)+
                other => Err(Broken::new(format!("there is no law {other}"))),
            }
        }

        /// One test a law, in a module of the given name, each with a harness of its own.
        #[macro_export]
        macro_rules! blob_laws {
            ($dollar adapter:ident: $dollar harness:expr) => {
                mod $dollar adapter {
                    #[allow(unused_imports, reason = "the harness may be spelt in full")]
                    use super::*;
                    $($(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $law() -> $crate::Verdict {
                            $crate::blobs::prove(stringify!($law), &$dollar harness).await
                        }
                    )+)+
                }
            };
        }
    };
}

laws! { $
    basics:
        what_is_written_is_read nothing_there_is_none a_second_write_replaces any_bytes_are_kept
        keys_mean_themselves it_is_there_when_opened_again a_deleted_object_is_gone deleting_nothing_is_fine
        a_look_agrees_with_a_read times_are_sane check_answers a_missing_store_is_named;
    sizes: an_empty_object_is_an_object a_large_object_is_whole the_limit_of_a_read_is_exact;
    conditions:
        absent_creates_once absent_creates_again_after_a_delete is_replaces_the_version_it_names
        is_on_nothing_is_a_conflict a_stale_version_is_a_conflict a_version_of_another_key_is_a_conflict
        every_write_of_other_bytes_is_another_version;
    copies:
        a_copy_is_the_same_bytes a_copy_goes_over_what_is_there copying_nothing_is_false
        a_copy_is_another_version_of_its_target a_copy_onto_itself_changes_nothing;
    listing:
        a_listing_is_in_the_order_of_bytes prefix_and_after_narrow_a_listing a_listing_goes_past_a_page
        a_listing_lives_with_deletes a_listing_agrees_with_a_look;
    races:
        one_of_many_creators_wins one_of_many_replacers_wins no_increment_is_lost
        readers_see_whole_objects a_replacer_never_brings_back_the_deleted;
    signing:
        a_signed_put_is_anybodys a_signed_get_is_anybodys a_signature_ends a_signature_is_for_what_it_says
        a_signed_put_has_the_length_it_says;
    trouble:
        a_stranger_is_denied a_short_fault_is_ridden_out a_long_fault_ends a_silent_store_is_given_up_on
        a_conditional_write_is_sent_once a_call_that_is_dropped_ends;
}

/// Tries the law of this name on `harness`, and judges by its gaps.
pub async fn prove(law: &str, harness: &dyn Harness) -> Verdict {
    if harness.lacking().is_some() {
        return Ok(());
    }
    crate::verdict::prove(law, LAWS, harness.gaps(), harness.patience(), run(law, harness)).await
}

/// A limit that no object of the laws reaches.
const AMPLE: u64 = 64 << 20;

/// Writes without a condition.
async fn put(store: &dyn Blobs, key: &str, bytes: impl Into<Bytes> + Send) -> Result<Version, Broken> {
    Ok(store.write(key, bytes.into(), When::Always).await?)
}

/// Reads what must be there.
async fn read(store: &dyn Blobs, key: &str) -> Result<Object, Broken> {
    store.read(key, AMPLE).await?.ok_or_else(|| Broken::new(format!("{key} is not there")))
}

/// The bytes at `key` are these.
async fn holds(store: &dyn Blobs, key: &str, bytes: &[u8]) -> Verdict {
    let object = read(store, key).await?;
    ensure(object.bytes == bytes, || format!("{key} holds {} and not {}", shown(&object.bytes), shown(bytes)))
}

/// There is nothing at `key`, whoever asks.
async fn holds_nothing(store: &dyn Blobs, key: &str) -> Verdict {
    let (object, stat) = (store.read(key, AMPLE).await?, store.stat(key).await?);
    ensure(object.is_none() && stat.is_none(), || {
        format!("{key} should not be there: read gives {object:?}, stat gives {stat:?}")
    })
}

/// The write was refused because its condition did not hold.
fn is_conflict(what: &str, outcome: Result<Version>) -> Verdict {
    match outcome {
        Ok(version) => Err(Broken::new(format!("{what}: it was written, as {version:?}, and not refused"))),
        Err(error) => is_kind(what, Kind::Conflict, &error),
    }
}

fn is_kind(what: &str, kind: Kind, error: &Error) -> Verdict {
    ensure(error.kind() == kind, || {
        format!("{what}: the error is {:?} and not {kind:?}: {}", error.kind(), error.chain())
    })
}

fn shown(bytes: &[u8]) -> String {
    match bytes.get(..64) {
        Some(start) => format!("{} bytes beginning {:?}", bytes.len(), String::from_utf8_lossy(start)),
        None => format!("{:?}", String::from_utf8_lossy(bytes)),
    }
}
