//! The HTTP API as a function of AWS Lambda, behind an HTTP API of API Gateway or a Function URL.

use std::process::ExitCode;

use autopgo_boot::{Config, Ports, Reach, Served, access, server};
use autopgo_core::error::Result;
use autopgo_http::Api;
use autopgo_lambda::http::Function;
use autopgo_lambda::process;

fn main() -> ExitCode {
    autopgo_alloc::init();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    process::run(open, |function, event| async move { function.call(event).await }).await
}

/// Opens what the first request needs and asks nothing of it: a store that does not answer is the request's to tell.
async fn open(config: Config) -> Result<Function> {
    let access = access(&config, Reach::Beyond)?;
    let ports = Ports::for_server(&config).await?;
    let Served { server, checks } = server(&ports, ports.host(&config));
    Ok(Function::new(Api::new(server, checks, access).router()))
}
