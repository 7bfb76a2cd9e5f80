//! The `autopgo` command: people and CI jobs call it, and it is the long-running form of everything else.

mod args;
mod command;
#[cfg(all(feature = "scrape", feature = "serve"))]
mod demo;
mod output;

use std::process::ExitCode;

use autopgo_http::process::logging;

use args::{Cli, Command};
use output::Failure;

fn main() -> ExitCode {
    autopgo_alloc::init();
    match Cli::read(std::env::args_os()) {
        Ok(cli) => output::exit(run(cli)),
        // `--help` and `--version` too: it prints each where it belongs and knows its code.
        Err(usage) => usage.exit(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    logging::init(cli.log.log_level, cli.log.log_format.unwrap_or_default())?;
    match cli.command {
        #[cfg(feature = "scrape")]
        Command::Scrape(args) => command::scrape::run(args),
        #[cfg(not(feature = "scrape"))]
        Command::Scrape(_) => Err(Failure::not_built("scrape", "scrape")),
        #[cfg(feature = "serve")]
        Command::Server(args) => command::server::run(args),
        #[cfg(not(feature = "serve"))]
        Command::Server(_) => Err(Failure::not_built("server", "serve")),
        #[cfg(feature = "serve")]
        Command::Worker(args) => command::worker::run(args),
        #[cfg(not(feature = "serve"))]
        Command::Worker(_) => Err(Failure::not_built("worker", "serve")),
        #[cfg(feature = "serve")]
        Command::Local(args) => command::local::run(args),
        #[cfg(not(feature = "serve"))]
        Command::Local(_) => Err(Failure::not_built("local", "serve")),
        Command::Upload(args) => command::upload::run(&args),
        Command::Download(args) => command::download::run(&args),
        Command::List(args) => command::list::run(&args),
        Command::Delete(args) => command::delete::run(&args),
        Command::Clean(args) => command::clean::run(&args),
        Command::Merge(args) => command::merge::run(&args),
        Command::Compact(args) => command::compact::run(&args),
        Command::Prune(args) => command::prune::run(&args),
        Command::Inspect(args) => command::inspect::run(&args),
        Command::Token(args) => command::token::run(args),
        Command::Completions(args) => command::completions::run(&args),
    }
}
