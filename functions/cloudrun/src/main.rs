//! `autopgo-cloudrun server` and `autopgo-cloudrun worker`: one image for two services.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use autopgo_boot::config::{PUSH_AUDIENCE, PUSH_EMAIL, missing};
use autopgo_boot::{Config, Ports, Reach, Served, access, log, rules, server, worker};
use autopgo_cloudrun::worker::{Options, router};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_http::Api;
use autopgo_http::process::logging::Format;
use autopgo_http::process::{listen, shutdown};
use axum::Router;
use tokio_util::sync::CancellationToken;

/// What is not as everywhere. Cloud Run cuts answers off at 32 MiB over HTTP/1
/// (<https://cloud.google.com/run/quotas#request_limits>) and ends a process ten seconds after it was asked to
/// (<https://cloud.google.com/run/docs/container-contract#instance-shutdown>); a schedule waits for three minutes
/// (<https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs>).
const DEFAULTS: &[(&str, &str)] = &[
    ("AUTOPGO_DOWNLOAD_CAP_BYTES", "33554432"),
    ("AUTOPGO_DRAIN_TIMEOUT", "5s"),
    ("AUTOPGO_FUNCTION_TIMEOUT", "3m"),
];
/// What is in hand at the end is finished or handed back in less, and then there is a second left.
const GRACE: Duration = Duration::from_secs(9);

fn main() -> ExitCode {
    autopgo_alloc::init();
    let config = Config::from_environment(DEFAULTS);
    // Lines as Google reads them where Google does: there the service has a name
    // (<https://cloud.google.com/run/docs/container-contract#services-env-vars>).
    let format = if missing(&["K_SERVICE"]).is_none() { Format::Google } else { Format::default() };
    match log(config.as_ref().ok(), format).and(config).and_then(|config| run(&config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.chain(), "the service cannot go on");
            ExitCode::from(if error.kind() == Kind::Invalid { 2 } else { 1 })
        }
    }
}

fn run(config: &Config) -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let is_worker = match (arguments.next().as_deref(), arguments.next()) {
        (Some("server"), None) => false,
        (Some("worker"), None) => true,
        _ => {
            let usage = "say what to be: autopgo-cloudrun server, or autopgo-cloudrun worker";
            return Err(Error::new(Kind::Invalid, usage));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Internal, "starting the runtime").because(error))?;
    let ended = runtime.block_on(async {
        let stop = shutdown::on_signal()?;
        let router = if is_worker { work(config, stop.clone()).await } else { serve(config).await }?;
        let listener = listen::bind((Ipv4Addr::UNSPECIFIED, config.port).into()).await?;
        listen::run(listener, router, &config.limits, stop.cancelled_owned(), GRACE).await;
        Ok(())
    });
    // What nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn serve(config: &Config) -> Result<Router> {
    let access = access(config, Reach::Beyond)?;
    let ports = Ports::for_server(config).await?;
    ports.check().await?;
    let Served { server, checks } = server(&ports, ports.host(config));
    Ok(Api::new(server, checks, access).router())
}

async fn work(config: &Config, stop: CancellationToken) -> Result<Router> {
    let rules = rules(config)?;
    let options = Options::new(config, stop)?;
    if options.tokens.is_none() {
        tracing::warn!(
            "whoever reaches this service can have profiles merged and swept: let only those call it who may (roles/run.invoker), or set {PUSH_AUDIENCE} and {PUSH_EMAIL}"
        );
    }
    let ports = Ports::for_fed_worker(config).await?;
    ports.check().await?;
    Ok(router(worker(config, rules, ports.host(config)), ports.checks(), options))
}
