//! Where work that only computes is done: off the async threads in production, inline in tests.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, available_parallelism};

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
///
/// A thread stays for the next job, and the one that ended last is the next to begin. An allocator keeps memory by thread:
/// what many have had in turn stays with each of them.
#[derive(Clone, Debug)]
pub struct Threads {
    permits: Arc<Semaphore>,
    idle: Arc<Idle>,
}

/// Where the threads that have no job now are given one. Without these they end.
type Idle = Mutex<Vec<Sender<Call>>>;

/// A job for a thread.
struct Call {
    work: Work,
    /// Where the thread gets its next one.
    next: Sender<Call>,
}

struct Work {
    job: Job,
    permit: Option<OwnedSemaphorePermit>,
    ended: oneshot::Sender<()>,
}

impl Threads {
    /// As many jobs at once as there are cores.
    pub fn per_core() -> Self {
        Self::new(available_parallelism().map_or(2, usize::from))
    }

    /// At most `most` jobs at once.
    pub fn new(most: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(most.max(1))), idle: Arc::default() }
    }

    /// Gives `work` to a thread that has none, or to a new one.
    fn begin(&self, work: Work) {
        let idle = idle(&self.idle).pop();
        let next = idle.map_or_else(|| self.start(), Ok);
        let work = match next {
            Ok(next) => match next.clone().send(Call { work, next }) {
                Ok(()) => return,
                Err(SendError(Call { work, .. })) => work,
            },
            Err(error) => {
                tracing::warn!(error = %error, "no thread could be had to compute on; requests wait meanwhile");
                work
            }
        };
        work.run(|| {});
    }

    fn start(&self) -> io::Result<Sender<Call>> {
        let (next, calls) = channel::<Call>();
        let home = Arc::downgrade(&self.idle);
        let work = move || {
            for Call { work, next } in calls {
                work.run(|| {
                    // Before the permit is given back, so that whoever gets it finds this thread.
                    if let Some(home) = home.upgrade() {
                        idle(&home).push(next);
                    }
                });
            }
        };
        Builder::new().name("autopgo-cpu".to_owned()).spawn(work)?;
        Ok(next)
    }
}

impl Work {
    /// Does it, then `rest`, gives back the permit, and tells whoever waits.
    fn run(self, rest: impl FnOnce()) {
        let Self { job, permit, ended } = self;
        // What a job was at is nobody's after its panic, which the log has.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a computation panicked");
        }
        rest();
        drop(permit);
        // Nobody waits any more: then nobody need know.
        let _ = ended.send(());
    }
}

fn idle(idle: &Idle) -> MutexGuard<'_, Vec<Sender<Call>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Cpu for Threads {
    async fn run(&self, job: Job) {
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (ended, end) = oneshot::channel();
        self.begin(Work { job, permit, ended });
        // It ends in any case.
        let _ = end.await;
    }

    fn spare(&self, most: usize) -> Spare {
        let count = self.permits.available_permits().min(most);
        // Somebody may have come in between: then there are none.
        let permits = u32::try_from(count).ok().filter(|count| *count > 0);
        Spare(permits.and_then(|count| Arc::clone(&self.permits).try_acquire_many_owned(count).ok()))
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
    use std::collections::HashSet;

    use futures_util::future::join_all;

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

    #[tokio::test]
    async fn one_after_the_other_has_the_same_thread() {
        let cpu = Threads::new(4);
        let mut threads = HashSet::new();
        for _ in 0..20 {
            threads.insert(offload(&cpu, || std::thread::current().id()).await.expect("done"));
        }
        assert_eq!(threads.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn there_are_never_more_threads_than_jobs_at_once() {
        let cpu = Threads::new(3);
        let jobs = (0..200).map(|_| offload(&cpu, || std::thread::current().id()));
        let threads: HashSet<_> =
            join_all(jobs).await.into_iter().map(|thread| thread.expect("done")).collect();
        assert!(threads.len() <= 3, "{}", threads.len());
    }
}
