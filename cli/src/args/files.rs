//! The commands that work on files, without a server.

use std::path::PathBuf;

use autopgo_core::app::App;
use clap::Args;
use clap_complete::Shell;

#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The profiles to merge; one of them can be `-`, standard input
    #[arg(value_name = "PROFILE", required = true)]
    pub(crate) profiles: Vec<PathBuf>,

    /// Where to write the merged profile; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Compact {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub(crate) profile: PathBuf,

    /// Where to write the compacted profile; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub(crate) profile: PathBuf,

    /// The prune file: [{"app": "...", "rules": [{"drop": "regexp", "keep": "regexp"}]}], comments allowed
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: PathBuf,

    /// The application whose rules to apply
    #[arg(long, value_name = "APP")]
    pub(crate) app: App,

    /// Where to write the pruned profile; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub(crate) profile: PathBuf,

    /// Write the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}
