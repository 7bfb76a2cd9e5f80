//! The Rust side of `tests/bench/versus-go`, which builds everything and calls this: it runs the Go reference and the
//! engine in turns, each job in a process of its own, and prints how they compare. Those processes of ours are this
//! same binary with another command. And of its neighbours.

mod args;
mod calls;
mod contest;
mod counting;
mod error;
#[cfg(feature = "services")]
mod functions;
mod hostile;
mod job;
mod machine;
mod program;
mod results;
mod row;
#[cfg(feature = "services")]
mod soak;
mod table;
mod target;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command, StoreCalls, VersusGo};
use crate::error::Error;
use crate::row::Bench;

fn main() -> ExitCode {
    autopgo_alloc::init();
    let done = match Args::parse().command {
        Command::VersusGo(args) => versus_go(&args),
        Command::StoreCalls(args) => store_calls(&args),
        #[cfg(feature = "services")]
        Command::Soak(args) => soak(args),
        #[cfg(feature = "services")]
        Command::Functions(args) => functions(&args),
        Command::Job { warm, job } => job::run(&job, warm).map(|report| println!("{report}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what was asked for, prints it, and publishes it if the machine was quiet.
fn versus_go(args: &VersusGo) -> Result<(), Error> {
    let quiet = Quiet::new(args.write, args.load);
    let bench = Bench::new(args)?;
    let lines = row::measure(&bench, args.row.as_deref())?;
    let report = results::Report { facts: machine::facts(args, &bench.go)?, lines };
    print!("{report}");
    quiet.publish("versus-go", &report, &args.results)
}

/// Whether what is measured is to be published: not without being asked to, and not from a machine that was busy.
struct Quiet {
    write: bool,
    warning: Option<String>,
}

impl Quiet {
    fn new(write: bool, load: f64) -> Self {
        let busy = write && !machine::is_quiet(load);
        let warning = busy.then(|| {
            format!(
                "the load average was {load} when this began, not below {}: what is measured now is not published",
                machine::QUIET
            )
        });
        if let Some(warning) = &warning {
            eprintln!("{warning}");
        }
        Self { write, warning }
    }

    fn publish(&self, name: &str, report: &impl fmt::Display, results: &Path) -> Result<(), Error> {
        if let Some(warning) = &self.warning {
            eprintln!("{} is as it was: {warning}", results.display());
        } else if self.write {
            results::publish(name, report, results)?;
            eprintln!("{} is written", results.display());
        }
        Ok(())
    }
}

/// Starts and asks the functions, prints what was found, and publishes it if the machine was quiet.
#[cfg(feature = "services")]
fn functions(args: &args::Functions) -> Result<(), Error> {
    let quiet = Quiet::new(args.write, args.load);
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let report = runtime.block_on(functions::run(args))?;
    let facts = format!("{}, revision {}, load average before {}", args.date, args.revision, args.load);
    let text = format!("- {facts}\n- {}\n\n{report}", machine::machine()?);
    print!("{text}");
    quiet.publish("functions", &text, &args.results)?;
    let missed: Vec<String> = report.missed().collect();
    if missed.is_empty() { Ok(()) } else { Err(Error::Missed(missed.join("; "))) }
}

/// Counts, prints, and publishes if that is asked for.
fn store_calls(args: &StoreCalls) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    let table = runtime.block_on(calls::count(&args.profiles))?;
    let report = format!("- {}, revision {}\n\n{table}", args.date, args.revision);
    print!("{report}");
    if args.write {
        results::publish("store-calls", &report, &args.results)?;
        eprintln!("{} is written", args.results.display());
    }
    let missed: Vec<&str> = table.missed().collect();
    if missed.is_empty() { Ok(()) } else { Err(Error::TooMany(missed.join("; "))) }
}

/// Puts the load on, prints what was seen, and publishes it if that is asked for.
#[cfg(feature = "services")]
fn soak(args: args::Soak) -> Result<(), Error> {
    let (write, results) = (args.write, args.results.clone());
    let facts = format!("{}, revision {}", args.date, args.revision);
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let report = runtime.block_on(soak::run(args))?;
    let text = format!("- {facts}\n- {}\n\n{report}", machine::machine()?);
    print!("{text}");
    if write {
        results::publish("soak", &text, &results)?;
        eprintln!("{} is written", results.display());
    }
    if report.missed.is_empty() { Ok(()) } else { Err(Error::Missed(report.missed.join("; "))) }
}
