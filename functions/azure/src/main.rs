//! `autopgo-azure`: the custom handler as the Functions host starts it. README.md says how it is deployed.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use autopgo_azure::Options;
use autopgo_boot::{Config, Ports, Reach, Served, access, log, rules, server, worker};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_http::Api;
use autopgo_http::process::logging::Format;
use autopgo_http::process::{listen, shutdown};

fn main() -> ExitCode {
    autopgo_alloc::init();
    let config = Config::from_environment(&[]);
    // The host keeps what comes on standard error.
    match log(config.as_ref().ok(), Format::default()).and(config).and_then(|config| run(&config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.chain(), "the handler cannot go on");
            ExitCode::from(if error.kind() == Kind::Invalid { 2 } else { 1 })
        }
    }
}

fn run(config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Error::new(Kind::Internal, "starting the runtime").because(error))?;
    let done = runtime.block_on(serve(config));
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    done
}

async fn serve(config: &Config) -> Result<()> {
    let port = config.handler_port.ok_or_else(|| {
        let what = "no port: FUNCTIONS_CUSTOMHANDLER_PORT is set by the Functions host, which starts this";
        Error::new(Kind::Invalid, what)
    })?;
    let rules = rules(config)?;
    // It listens on loopback, but for a host that lets everybody in.
    let access = access(config, Reach::Beyond)?;
    let ports = Ports::for_fed_worker(config).await?;
    let listener = listen::bind((Ipv4Addr::LOCALHOST, port).into()).await?;
    let stop = shutdown::on_signal()?;
    let host = ports.host(config);
    let worker = worker(config, rules, host.clone());
    let Served { server, checks } = server(&ports, host);
    let options =
        Options { sweep_after: config.sweep_after, timeout: config.function_timeout, stop: stop.clone() };
    let router = autopgo_azure::router(Api::new(server, checks, access).router(), worker, options);
    // Longer than what is in hand may take: its answer is what hands it back.
    let grace = config.limits.drain + listen::GRACE;
    listen::run(listener, router, &config.limits, stop.cancelled_owned(), grace).await;
    Ok(())
}
