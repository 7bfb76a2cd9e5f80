//! The worker as a function: messages that a queue or a stream brings, and sweeps by a schedule.

use std::time::{Duration, SystemTime};

use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::worker::{Outcome, Swept, Worker};
use bytes::Bytes;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::trigger::Trigger;
use crate::{diagnostic, kafka, schedule};

/// How long before its end an invocation gives up what it has not done: it still has to say so.
const MARGIN: Duration = Duration::from_secs(1);

/// The longest that the platform lets one take
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The worker as a function.
#[derive(Clone)]
pub struct Function {
    worker: Worker,
    sweep_after: Duration,
}

impl Function {
    /// A function in which `worker` works, and sweeps what was staged so long ago.
    pub fn new(worker: Worker, sweep_after: Duration) -> Self {
        Self { worker, sweep_after }
    }

    /// Does what an event tells, and gives the answer's JSON: for a queue, what of its batch must come again.
    ///
    /// # Errors
    /// The event is none of a trigger that this worker has, or all that it brought must come again.
    pub async fn call(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        self.work(payload, end(&context)).await.map_err(|error| diagnostic(&error))
    }

    /// The same from JSON to JSON, as the runtime does it.
    ///
    /// # Errors
    /// Those of [`Function::call`].
    pub async fn call_json(&self, event: &[u8], context: Context) -> Result<Vec<u8>, Diagnostic> {
        crate::write(&self.call(LambdaEvent::new(crate::read(event)?, context)).await?)
    }

    async fn work(&self, event: Value, end: Instant) -> Result<Value> {
        match Trigger::read(event)? {
            Trigger::Queue(batch) => {
                let outcomes = self.handle(&batch.bodies(), end).await;
                let answer = batch.answer(&outcomes)?;
                serde_json::to_value(answer).map_err(|error| {
                    Error::new(Kind::Internal, "the answer cannot be written as JSON").because(error)
                })
            }
            Trigger::Stream(batch) => {
                kafka::Batch::answer(&self.handle(batch.bodies(), end).await)?;
                // With partial answers for the mapping or without, this is that all is done.
                Ok(json!({"batchItemFailures": []}))
            }
            Trigger::Schedule => Ok(schedule::answer(&self.sweep(end).await?)),
        }
    }

    async fn handle(&self, batch: &[Bytes], end: Instant) -> Vec<Outcome> {
        self.worker.handle_until(batch, sleep_until(end)).await
    }

    /// Sweeps until the end. A merge that is under way then is left: it is whole or it is not, and the next sweep sees.
    async fn sweep(&self, end: Instant) -> Result<Swept> {
        let enough = || Instant::now() >= end;
        match timeout_at(end, self.worker.sweep(self.sweep_after, &enough)).await {
            Ok(swept) => swept,
            Err(_) => {
                tracing::warn!("a sweep was left undone at the end of its time; the next one goes on");
                Ok(Swept { unfinished: true, ..Swept::default() })
            }
        }
    }
}

/// When an invocation should have answered: a little before it is cut off. One that is over before it begins is one of
/// which nobody knows when it ends: `cargo lambda watch` says the time at which it was called.
fn end(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).ok().filter(|left| !left.is_zero());
    let left = left.unwrap_or(LONGEST);
    Instant::now() + left.saturating_sub(MARGIN.min(left / 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    /// How long an invocation works whose deadline is so far from now.
    fn works(ahead: Option<Duration>) -> Duration {
        let deadline = ahead.map_or(UNIX_EPOCH, |ahead| SystemTime::now() + ahead);
        let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970");
        let mut context = Context::default();
        context.deadline = u64::try_from(deadline.as_millis()).expect("milliseconds");
        end(&context) - Instant::now()
    }

    #[test]
    fn an_invocation_ends_before_it_is_cut_off() {
        for (ahead, most) in [(120, 119_000), (4, 3_000), (2, 1_500)] {
            let works = works(Some(Duration::from_secs(ahead)));
            let most = Duration::from_millis(most);
            assert!(works <= most && most - works < Duration::from_secs(1), "{ahead}: {works:?}");
        }
        // Whoever says that it is over has not said when it is.
        let unknown = works(None);
        assert!(unknown > Duration::from_secs(14 * 60) && unknown < LONGEST, "{unknown:?}");
    }
}
