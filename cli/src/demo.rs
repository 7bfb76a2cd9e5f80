//! The demo: the local process gets a few targets and a scraper, and somebody who says how the profile grows.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use autopgo_client::{Client, Identity, Options as ClientOptions};
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::Result;
use autopgo_core::limits::Limits;
use autopgo_core::server::{Downloaded, Server};
use autopgo_http::access::Pattern;
use autopgo_local::{Local, demo};
use autopgo_pprof::{Edges, Profile};
use autopgo_scraper::source::Fixed;
use autopgo_scraper::{Options, Target};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Short, so that a newcomer sees something happen.
const FREQUENCY: Duration = Duration::from_secs(3);
const DURATION: Duration = Duration::from_secs(1);
/// The compiler's hot set: what makes up this share of the weight, in percent.
const HOT: f64 = 99.0;

/// The demo at work. It ends with the process.
pub(crate) struct Demo(JoinSet<()>);

/// Starts targets, a scraper that uploads to `local`, whose API is at `url`, and the one who tells.
pub(crate) async fn start(local: &mut Local, url: &str, stop: &CancellationToken) -> Result<Demo> {
    let app = App::parse(demo::APP)?;
    let token = local.lend("demo", Pattern::parse(app.as_str())?)?;
    let identity = token.as_ref().map_or(Ok(Identity::Open), |token| Identity::bearer(token.reveal()))?;
    let client = Client::new(url, ClientOptions { identity, ..ClientOptions::default() })?;
    let server = local.server().clone();
    let targets = demo::targets(stop).await?;
    let targets = targets
        .iter()
        .map(|target| Target::new(&format!("http://{target}"), Target::DEFAULT_PATH, app.clone()))
        .collect::<Result<Vec<_>>>()?;
    let options = Options {
        client,
        listen: None,
        sample_size: NonZeroUsize::new(targets.len()).unwrap_or(NonZeroUsize::MIN),
        frequency: FREQUENCY,
        duration: DURATION,
        limits: Limits::default(),
    };
    let mut tasks = JoinSet::new();
    let stopped = stop.clone();
    tasks.spawn(async move {
        if let Err(error) = autopgo_scraper::run(options, Arc::new(Fixed::new(targets)), stopped).await {
            tracing::error!(error = error.chain(), "the demo's scraper ended");
        }
    });
    let with = if token.is_some() { ", with a token of yours in AUTOPGO_API_TOKEN" } else { "" };
    tracing::info!(
        app = %app,
        "the demo is running: in another terminal, `autopgo list --api-url {url}` and `autopgo download {app} --api-url {url}`{with}"
    );
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stopped.cancelled() => {}
            () = tell(&server, &app) => {}
        }
    });
    Ok(Demo(tasks))
}

impl Demo {
    /// Waits for its end, after the stop.
    pub(crate) async fn end(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

/// Says how the base profile grows, for as long as it is asked.
async fn tell(server: &Server, app: &App) {
    let mut known = String::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let answer = server.download(app, Form::Compact, &|etag| etag == known).await;
        // Otherwise nothing was merged yet, or nothing since.
        let Ok(Downloaded::Profile(download)) = answer else { continue };
        known = download.etag;
        let edges = Profile::parse(&download.bytes, &server.host().limits.base())
            .and_then(|profile| Edges::of(&profile));
        match edges {
            Ok(edges) => tracing::info!(
                app = %app,
                edges = edges.len(),
                hot = edges.hot(HOT),
                weight = edges.total_weight(),
                "the base profile has grown"
            ),
            Err(error) => tracing::warn!(%error, "the base profile cannot be read"),
        }
    }
}
