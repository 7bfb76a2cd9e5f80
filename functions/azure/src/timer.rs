//! A tick of the timer: the sweep. What the host says of its schedule changes nothing about it.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use tokio::time::Instant;

use crate::{Work, answer};

/// Sweeps until all is done or the time is short; the next tick goes on.
pub(crate) async fn handle(State(work): State<Work>, _schedule: Bytes) -> Response {
    let start = Instant::now();
    let options = &work.options;
    let enough = || options.stop.is_cancelled() || start.elapsed() >= options.begin();
    let swept = tokio::select! {
        swept = work.worker.sweep(options.sweep_after, &enough) => swept,
        () = work.out_of_time() => {
            tracing::warn!("a sweep was left undone; the next one goes on");
            return answer::failure("the sweep took too long and was given up; the next one goes on".to_owned());
        }
    };
    match swept {
        Ok(swept) => answer::success(format!(
            "merged {}, set aside {}, aged out {}, failed {}{}",
            swept.merged,
            swept.rejected,
            swept.aged_out,
            swept.failed,
            if swept.unfinished { "; there is more for the next sweep" } else { "" }
        )),
        Err(error) => {
            tracing::error!(
                error = error.chain(),
                "the store could not be swept; trying again at the next tick"
            );
            answer::failure("the store could not be swept; the handler's log says why".to_owned())
        }
    }
}
