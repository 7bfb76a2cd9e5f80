//! What `autopgo local` does, whoever plays the host: the same steps and the same assertions for the plain process and
//! for every cloud's functions, on any store and bus. What a cloud cannot do is in [`Host`], with the reason, and nowhere
//! else.

mod cap;
mod chunks;
mod commands;
mod end;
mod once;
mod poison;
mod refusals;
mod scrape;
mod sweep;
mod trouble;

mod host;
#[cfg(feature = "services")]
mod nats;
mod shelf;
mod stage;

pub use host::Host;
#[cfg(feature = "services")]
pub use nats::Wire;
pub use shelf::Shelf;
pub use stage::Stage;

/// Everything, one step after the other.
///
/// # Panics
/// When anything is not as it should be.
pub async fn perform(stage: Stage) {
    // What only a sweep finds is old enough for it by the end.
    let unseen = sweep::begin(&stage).await;
    commands::perform(&stage).await;
    refusals::perform(&stage).await;
    chunks::perform(&stage).await;
    once::perform(&stage).await;
    cap::perform(&stage).await;
    poison::perform(&stage).await;
    trouble::perform(&stage).await;
    scrape::perform(&stage).await;
    sweep::end(&stage, unseen).await;
    end::perform(stage).await;
}
