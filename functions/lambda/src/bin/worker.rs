//! The worker as a function of AWS Lambda, called by a queue of SQS or a topic of Kafka, and by a schedule.

use std::process::ExitCode;

use autopgo_boot::{Config, Ports, rules, worker};
use autopgo_core::error::Result;
use autopgo_lambda::process;
use autopgo_lambda::worker::Function;

fn main() -> ExitCode {
    autopgo_alloc::init();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    process::run(open, |function, event| async move { function.call(event).await }).await
}

/// Opens what the first batch needs.
async fn open(config: Config) -> Result<Function> {
    let rules = rules(&config)?;
    let ports = Ports::for_called_worker(&config).await?;
    Ok(Function::new(worker(&config, rules, ports.host(&config)), config.sweep_after))
}
