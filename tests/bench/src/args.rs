//! What the command takes. People call `tests/bench/versus-go` and its neighbours, which fill in what is hidden here.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::job::Job;

/// Measures the profile engine against google/pprof.
#[derive(Debug, Parser)]
#[command(name = "versus-go")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the Go reference and the engine in turns and print how they compare.
    #[command(override_usage = "tests/bench/versus-go [--quick] [--write] [ROW]")]
    VersusGo(VersusGo),
    /// Count what the pipeline asks of a store.
    #[command(override_usage = "tests/bench/store-calls [--write]")]
    StoreCalls(StoreCalls),
    /// Put a steady load on a server and two workers for minutes and tell what they hold.
    #[cfg(feature = "services")]
    #[command(override_usage = "tests/bench/soak [--minutes N] [--rate N] [--apps N] [--write]")]
    Soak(Soak),
    /// Start the functions of AWS Lambda, ask them, and tell how long they take and what they weigh.
    #[cfg(feature = "services")]
    #[command(override_usage = "tests/bench/functions [--write]")]
    Functions(Functions),
    /// Do one job and report its time and peak memory: what is measured.
    #[command(hide = true)]
    Job {
        /// Do it once before it is timed.
        #[arg(long)]
        warm: bool,
        #[command(subcommand)]
        job: Job,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct VersusGo {
    /// Only the rows whose name has this in it: `fold`, `chain/10`, `hostile/all`.
    pub(crate) row: Option<String>,
    /// Fewer repetitions: enough to see that it works and about where it stands.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write the whole table into RESULTS.md, if the machine is quiet.
    #[arg(long, conflicts_with_all = ["quick", "row"])]
    pub(crate) write: bool,

    /// The Go reference, built.
    #[arg(long, hide = true)]
    pub(crate) go: PathBuf,
    /// The folder of the recorded profiles.
    #[arg(long, hide = true)]
    pub(crate) profiles: PathBuf,
    /// An empty folder for what is measured, which the caller removes.
    #[arg(long, hide = true)]
    pub(crate) scratch: PathBuf,
    /// Where results are published.
    #[arg(long, hide = true)]
    pub(crate) results: PathBuf,
    /// The load average over one minute from before anything was built.
    #[arg(long, hide = true)]
    pub(crate) load: f64,
    /// Today.
    #[arg(long, hide = true)]
    pub(crate) date: String,
    /// The compiler the engine was built with.
    #[arg(long, hide = true)]
    pub(crate) rustc: String,
    /// The gzip crates it was built with.
    #[arg(long, hide = true)]
    pub(crate) gzip: String,
    /// The commit it was built from.
    #[arg(long, hide = true)]
    pub(crate) revision: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StoreCalls {
    /// Write the table into RESULTS.md.
    #[arg(long)]
    pub(crate) write: bool,
    /// The folder of the recorded profiles.
    #[arg(long, hide = true)]
    pub(crate) profiles: PathBuf,
    /// Where results are published.
    #[arg(long, hide = true)]
    pub(crate) results: PathBuf,
    /// Today.
    #[arg(long, hide = true)]
    pub(crate) date: String,
    /// The commit it was built from.
    #[arg(long, hide = true)]
    pub(crate) revision: String,
}

#[cfg(feature = "services")]
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// How long: the last minute is compared with the third.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(4..))]
    pub(crate) minutes: u64,
    /// Uploads a second.
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    pub(crate) rate: usize,
    /// How many applications.
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    pub(crate) apps: usize,
    /// Write the table into RESULTS.md.
    #[arg(long)]
    pub(crate) write: bool,
    /// Where results are published.
    #[arg(long, hide = true)]
    pub(crate) results: PathBuf,
    /// What was measured on and with.
    #[arg(long, hide = true)]
    pub(crate) date: String,
    /// The commit it was built from.
    #[arg(long, hide = true)]
    pub(crate) revision: String,
}

#[cfg(feature = "services")]
#[derive(Debug, clap::Args)]
pub(crate) struct Functions {
    /// Write the table into RESULTS.md, if the machine is quiet.
    #[arg(long)]
    pub(crate) write: bool,
    /// What `cargo lambda build` made: a folder for each program, with the program and its zip.
    #[arg(long, hide = true)]
    pub(crate) bootstraps: PathBuf,
    /// The folder of the recorded profiles.
    #[arg(long, hide = true)]
    pub(crate) profiles: PathBuf,
    /// Where results are published.
    #[arg(long, hide = true)]
    pub(crate) results: PathBuf,
    /// The load average over one minute from before anything was built.
    #[arg(long, hide = true)]
    pub(crate) load: f64,
    /// Today.
    #[arg(long, hide = true)]
    pub(crate) date: String,
    /// The commit it was built from.
    #[arg(long, hide = true)]
    pub(crate) revision: String,
}

#[cfg(feature = "services")]
fn at_least_one(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn only_a_whole_table_is_published() {
        let parse = |option: &str| {
            let facts = ["go", "profiles", "scratch", "results", "load", "date", "rustc", "gzip", "revision"];
            let facts = facts.iter().flat_map(|fact| [format!("--{fact}"), "0".to_owned()]);
            let words = ["versus-go", "versus-go", "--write", option].map(str::to_owned);
            Args::try_parse_from(words.into_iter().filter(|word| !word.is_empty()).chain(facts)).is_ok()
        };
        assert!(parse(""));
        assert!(!parse("--quick"));
        assert!(!parse("fold"));
    }
}
