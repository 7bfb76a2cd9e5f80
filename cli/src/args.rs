//! The manual: every command, flag, variable and default. What is written here is what `--help` shows.
//!
//! A flag wins over its variable, a variable over the default; a variable that is set to nothing is not set.

pub(crate) mod api;
pub(crate) mod files;
pub(crate) mod serve;
pub(crate) mod token;

use std::ffi::OsString;

use autopgo_http::process::logging::{Format, Level};
use clap::builder::{OsStr, PossibleValuesParser, Resettable, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use api::{Clean, Delete, Download, List, Upload};
use files::{Compact, Completions, Inspect, Merge, Prune};
use serve::{Local, Scrape, Server, Worker};
use token::Token;

/// Profile-guided optimization for Go, on autopilot: collects CPU profiles of running services, merges them per
/// application, and serves the result to `go build -pgo`.
#[derive(Debug, Parser)]
#[command(name = "autopgo", version, propagate_version = true, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: Log,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Data goes to standard output, logs and progress to standard error. Durations are written as in Go: 90s, 1h30m, 500ms.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied, 5 unavailable (try again later).";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Profile targets at an interval and upload what they give
    Scrape(Scrape),
    /// Receive, check and store profiles, and serve the merged ones
    Server(Server),
    /// Merge uploaded profiles into each application's base profile
    Worker(Worker),
    /// Run server and worker in one process, on this machine, with nothing else needed
    Local(Local),
    /// Upload a profile, to be merged into its application's base profile
    Upload(Upload),
    /// Download an application's merged profile for `go build -pgo`
    Download(Download),
    /// List the merged profiles
    List(List),
    /// Delete an application's profile, and every upload that waits to be merged into it
    Delete(Delete),
    /// Delete profiles that are old or large
    Clean(Clean),
    /// Merge profile files, without a server
    Merge(Merge),
    /// Reduce a profile file to what the Go compiler reads of it
    Compact(Compact),
    /// Apply prune rules to a profile file, to see what they do before a worker uses them
    Prune(Prune),
    /// Show what a profile file holds, and whether PGO can use it
    Inspect(Inspect),
    /// Make a token that lets its holder use a server
    Token(Token),
    /// Write a completion script for a shell
    Completions(Completions),
}

const LOGGING: &str = "Logging";

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Log {
    /// Which log lines to write: those of this level and above it
    #[arg(
        long,
        short = 'l',
        global = true,
        help_heading = LOGGING,
        env = "AUTOPGO_LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    #[arg(value_parser = PossibleValuesParser::new(Level::NAMES).try_map(|name| name.parse::<Level>()))]
    pub(crate) log_level: Level,

    /// How to write log lines [default: text on a terminal, json otherwise]
    #[arg(long, global = true, help_heading = LOGGING, env = "AUTOPGO_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(value_parser = PossibleValuesParser::new(Format::NAMES).try_map(|name| name.parse::<Format>()))]
    pub(crate) log_format: Option<Format>,
}

impl Cli {
    /// Reads the command line and the environment.
    ///
    /// # Errors
    /// What clap has to say, `--help` and `--version` included: it knows where that goes and how to exit.
    pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = command();
        let mut matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

/// The whole command line, as clap has it.
pub(crate) fn command() -> clap::Command {
    environment(Cli::command())
}

/// An empty variable is as good as none, and the help shows the name of a variable but never its value.
fn environment(command: clap::Command) -> clap::Command {
    let empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| {
            let arg = arg.hide_env_values(true);
            if arg.get_env().is_some_and(empty) { arg.env(Resettable::<OsStr>::Reset) } else { arg }
        })
        .mut_subcommands(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_is_explained_and_has_its_variable() {
        for command in command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in
                command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
            {
                let name = format!("{} {}", command.get_name(), arg.get_id());
                assert!(arg.get_help().is_some(), "{name} is not explained");
                // Offline commands work on what is named on their command line and nothing else.
                let offline = ["merge", "compact", "prune", "inspect", "token", "completions"]
                    .contains(&command.get_name());
                assert!(offline || arg.is_positional() || arg.get_env().is_some(), "{name} has no variable");
            }
        }
    }
}
