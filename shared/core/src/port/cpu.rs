//! Where work that only computes is done: off the async threads in production, inline in tests.

use std::sync::Arc;
use std::thread::available_parallelism;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::{Error, Kind, Result};

/// A piece of work that only computes.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs [`Job`]s.
#[async_trait]
pub trait Cpu: Send + Sync {
    /// Runs `job` to its end. Dropping the future may leave the job running, never half done.
    async fn run(&self, job: Job);

    /// Takes up to `most` of the cores that no job uses now, for a job that can do with more than one.
    fn spare(&self, most: usize) -> Spare {
        let _ = most;
        Spare::NONE
    }
}

/// Cores that were taken for a job beside its own, until this is dropped.
pub struct Spare(Option<OwnedSemaphorePermit>);

impl Spare {
    const NONE: Self = Self(None);

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

/// Runs `work` on `cpu` and gives its result.
///
/// # Errors
/// `Internal` if the work panicked or the process is ending.
pub async fn offload<T: Send + 'static>(
    cpu: &dyn Cpu,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (give, take) = oneshot::channel();
    cpu.run(Box::new(move || {
        // Nobody waits any more: the result is not wanted.
        let _ = give.send(work());
    }))
    .await;
    take.await
        .map_err(|_| Error::new(Kind::Internal, "the computation ended without a result; see the log above"))
}

/// Threads of their own, never more at once than the machine has cores: profiles are large when unpacked, so this
/// bounds memory as much as time.
#[derive(Clone, Debug)]
pub struct Threads(Arc<Semaphore>);

impl Threads {
    /// As many jobs at once as there are cores.
    pub fn per_core() -> Self {
        Self::new(available_parallelism().map_or(2, usize::from))
    }

    /// At most `most` jobs at once.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.max(1))))
    }
}

#[async_trait]
impl Cpu for Threads {
    async fn run(&self, job: Job) {
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        let ended = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            job();
        })
        .await;
        if let Err(error) = ended {
            tracing::error!(error = %error, "a computation panicked");
        }
    }

    fn spare(&self, most: usize) -> Spare {
        let count = self.0.available_permits().min(most);
        // Somebody may have come in between: then there are none.
        let permits = u32::try_from(count).ok().filter(|count| *count > 0);
        Spare(permits.and_then(|count| Arc::clone(&self.0).try_acquire_many_owned(count).ok()))
    }
}

/// On the calling thread: for tests and small tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

#[async_trait]
impl Cpu for Inline {
    async fn run(&self, job: Job) {
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cores_are_used_by_one_at_a_time() {
        let cpu = Arc::new(Threads::new(4));
        let asked = Arc::clone(&cpu);
        let job = move || {
            let (two, rest) = (asked.spare(2), asked.spare(9));
            (two.count(), rest.count(), asked.spare(1).count())
        };
        assert_eq!(offload(&*cpu, job).await.expect("three beside its own"), (2, 1, 0));
        assert_eq!(cpu.spare(9).count(), 4, "all came back");
        assert_eq!(Inline.spare(9).count(), 0);
    }

    #[tokio::test]
    async fn a_panic_becomes_an_error() {
        let error = offload(&Threads::new(1), || -> u8 { panic!("boom") }).await.expect_err("it panicked");
        assert_eq!(error.kind(), Kind::Internal);
        assert_eq!(offload(&Threads::new(1), || 7).await.expect("the permit came back"), 7);
        assert_eq!(offload(&Inline, || 8).await.expect("inline"), 8);
    }
}
