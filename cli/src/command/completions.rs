//! `autopgo completions`: a completion script for a shell, on standard output.

use crate::args::command;
use crate::args::files::Completions;
use crate::output::{self, Failure};

pub(crate) fn run(args: &Completions) -> Result<(), Failure> {
    // Written to memory first: a pipe that closes early is no failure, and clap would make it a panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "autopgo", &mut script);
    output::bytes(&script)
}
