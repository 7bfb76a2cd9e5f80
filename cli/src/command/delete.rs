//! `autopgo delete`: an application's profile and all that waits to be merged into it.

use autopgo_core::app::App;
use serde::Serialize;

use super::wait;
use crate::args::api::Delete;
use crate::output::{self, Failure};

#[derive(Serialize)]
struct Deleted<'a> {
    deleted: [&'a App; 1],
}

pub(crate) fn run(args: &Delete) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::of_options)?;
    wait(client.delete(&args.app))?;
    if args.output.json {
        return output::json(&Deleted { deleted: [&args.app] });
    }
    output::note(format_args!("deleted the profile of {}", args.app));
    Ok(())
}
