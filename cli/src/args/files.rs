//! The commands that work on files, without a server.

use std::path::PathBuf;

use autopgo_core::app::App;
use clap::Args;
use clap_complete::Shell;

#[derive(Args, Debug)]
pub struct Merge {
    /// The profiles to merge; one of them can be `-`, standard input
    #[arg(value_name = "PROFILE", required = true)]
    pub profiles: Vec<PathBuf>,

    /// Where to write the merged profile; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Args, Debug)]
pub struct Compact {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,

    /// Where to write the compacted profile; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Args, Debug)]
pub struct Prune {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,

    /// The prune file: [{"app": "...", "rules": [{"drop": "regexp", "keep": "regexp"}]}], comments allowed
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,

    /// The application whose rules to apply
    #[arg(long, value_name = "APP")]
    pub app: App,

    /// Where to write the pruned profile; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Args, Debug)]
pub struct Inspect {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,

    /// Write the findings as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}
