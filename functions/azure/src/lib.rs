//! The server and the worker as a custom handler of Azure Functions: a web server on the loopback address that the
//! Functions host starts, and to which it hands on what triggers a function
//! (<https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>).
//!
//! | request of the host | what it is |
//! |---|---|
//! | `GET /` | whether the handler listens: any answer will do |
//! | the API as it stands, `/api/...` | an HTTP trigger with `enableProxyingHttpRequest` or `enableForwardingHttpRequest` |
//! | `POST /server` | an HTTP trigger without either, as JSON (`envelope.rs`) |
//! | `POST /worker` | a message of Service Bus ([`trigger`]) |
//! | `POST /sweep` | a tick of the timer (`timer.rs`) |
//!
//! The last three are the names of the functions, which are those of the folders that hold their `function.json`. From
//! outside nobody gets there: the host lets in what is below its route prefix, `/api`, and nothing else.
//!
//! What is cited as the host's is <https://github.com/Azure/azure-functions-host>, below `src/WebJobs.Script/Workers/Http`.

mod answer;
mod envelope;
mod length;
mod timer;
pub mod trigger;

use std::time::Duration;

use autopgo_core::worker::Worker;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

/// The most of a function's time that is kept for answering.
const MARGIN: Duration = Duration::from_secs(60);

/// What the handler is told beside the server and the worker.
#[derive(Clone, Debug)]
pub struct Options {
    /// How old a staged upload is before a sweep takes it.
    pub sweep_after: Duration,
    /// How long the host lets a function run: `functionTimeout` of `host.json`.
    pub timeout: Duration,
    /// When it is cancelled, what is in hand is finished or handed back.
    pub stop: CancellationToken,
}

/// A worker for the functions without HTTP.
#[derive(Clone)]
pub(crate) struct Work {
    worker: Worker,
    options: Options,
}

/// The whole handler: what `server` serves, and what `worker` is called for.
pub fn router(server: Router, worker: Worker, options: Options) -> Router {
    let server = server.layer(from_fn(length::needed));
    let called = Router::new()
        .route("/worker", post(trigger::handle))
        .route("/sweep", post(timer::handle))
        .with_state(Work { worker, options })
        .merge(Router::new().route("/server", post(envelope::handle)).with_state(server.clone()))
        .layer(from_fn(answer::filled));
    Router::new().route("/", get(answer::ready)).merge(called).fallback_service(server)
}

impl Options {
    /// After how long nothing new is begun.
    fn begin(&self) -> Duration {
        self.timeout.saturating_sub(self.margin())
    }

    /// After how long what was begun is given up.
    fn end(&self) -> Duration {
        self.timeout.saturating_sub(self.margin() / 2)
    }

    fn margin(&self) -> Duration {
        MARGIN.min(self.timeout / 5)
    }
}

impl Work {
    /// Resolves when the host will not wait much longer, or when the process is to end and has had its time.
    async fn out_of_time(&self) {
        let stopped = async {
            self.options.stop.cancelled().await;
            tokio::time::sleep(self.worker.host().limits.drain).await;
        };
        tokio::select! {
            () = tokio::time::sleep(self.options.end()) => {}
            () = stopped => {}
        }
    }
}
