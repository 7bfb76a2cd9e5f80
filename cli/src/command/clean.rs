//! `autopgo clean`: deletes every profile that is old enough or large enough.

use autopgo_client::Client;
use autopgo_core::api::Listed;
use autopgo_core::app::App;
use autopgo_core::clock::since;
use autopgo_core::error::{Error, Kind};
use jiff::Timestamp;
use serde::Serialize;

use super::wait;
use crate::args::api::Clean;
use crate::output::{self, Failure, human};

/// The result, as `--json` shows it.
#[derive(Default, Serialize)]
struct Cleaned {
    deleted: Vec<Listed>,
    /// Gone before it was their turn.
    vanished: Vec<App>,
    failed: Vec<App>,
}

pub(crate) fn run(args: &Clean) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::of_options)?;
    let (cleaned, failure) = wait(async { clean(&client, args).await })?;
    if args.output.json {
        output::json(&cleaned)?;
    } else if cleaned.deleted.is_empty() && failure.is_none() {
        output::note("no profile is that old or that large: nothing was deleted");
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Deletes one after the other. One that cannot be deleted does not keep the next from it; the first error is given.
async fn clean(client: &Client, args: &Clean) -> Result<(Cleaned, Option<Error>), Error> {
    let now = Timestamp::now();
    let mut cleaned = Cleaned::default();
    let mut first = None;
    for line in client.list().await?.profiles.into_iter().filter(|line| goes(line, args, now)) {
        match client.delete(&line.key).await {
            Ok(()) => {
                if !args.output.json {
                    let (size, age) = (human::size(line.size), human::age(since(line.last_modified, now)));
                    output::note(format_args!("deleted the profile of {}: {size}, updated {age}", line.key));
                }
                cleaned.deleted.push(line);
            }
            Err(error) if error.kind() == Kind::NotFound => cleaned.vanished.push(line.key),
            Err(error) => {
                if first.is_some() {
                    output::warn(error.chain());
                }
                first.get_or_insert(error);
                cleaned.failed.push(line.key);
            }
        }
    }
    Ok((cleaned, first))
}

fn goes(line: &Listed, args: &Clean, now: Timestamp) -> bool {
    let old = args.older_than.is_some_and(|age| since(line.last_modified, now) >= age.0);
    let large = args.larger_than.is_some_and(|size| line.size >= size);
    old || large
}
