//! `autopgo download`: the merged profile, whole and checked, or nothing at all.

use std::path::Path;

use autopgo_client::{Download, Downloaded};
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind};
use autopgo_pprof::gzip;
use jiff::Timestamp;
use serde::Serialize;

use super::wait;
use crate::args::api;
use crate::output::progress::Bar;
use crate::output::{self, Failure, file, human};

/// The result, as `--json` shows it. Without a profile only the application is there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    app: &'a App,
    output: Option<&'a Path>,
    size: Option<usize>,
    samples: Option<usize>,
    etag: Option<String>,
    last_modified: Option<Timestamp>,
}

pub(crate) fn run(args: &api::Download) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::Usage)?;
    let form = if args.compact { Form::Compact } else { Form::Full };
    let app = &args.app;
    let bar = Bar::new(format!("downloading {app}"));
    let answer = wait(client.download(app, form, None, Some(bar.progress())));
    drop(bar);
    let download = match answer {
        Ok(Downloaded::Profile(download)) => download,
        Ok(Downloaded::Unchanged) => {
            let what =
                format!("downloading the profile of {app}: the server says that it has not changed, unasked");
            return Err(Error::new(Kind::Internal, what).into());
        }
        Err(Failure::Error(error)) if args.allow_missing && error.kind() == Kind::NotFound => {
            return nothing(args);
        }
        Err(failure) => return Err(failure),
    };
    let samples = checked(app, &download)?;
    file::write(&args.output, &download.bytes)?;
    if file::is_standard(&args.output) {
        // The profile is all that belongs there.
        return Ok(());
    }
    let size = download.bytes.len();
    if args.json.json {
        return output::json(&Written {
            app,
            output: Some(&args.output),
            size: Some(size),
            samples: Some(samples),
            etag: download.etag,
            last_modified: download.modified,
        });
    }
    let (path, size) = (args.output.display(), human::size(size as u64));
    output::note(format_args!("wrote {path}: {size}, {} samples of {app}", human::count(samples)));
    Ok(())
}

/// How many samples it has, if it is what `go build` can take.
fn checked(app: &App, download: &Download) -> Result<usize, Error> {
    let doing = || format!("downloading the profile of {app}");
    if !gzip::is_gzip(&download.bytes) {
        let what =
            "what came is no profile (not gzip); check --api-url and what stands in front of the server";
        return Err(Error::new(Kind::Unusable, what).during(doing()));
    }
    let profile =
        file::parse(&download.bytes, "what came cannot be used").map_err(|error| error.during(doing()))?;
    Ok(profile.sample_count())
}

fn nothing(args: &api::Download) -> Result<(), Failure> {
    let app = &args.app;
    if args.json.json && !file::is_standard(&args.output) {
        let none = Written { app, output: None, size: None, samples: None, etag: None, last_modified: None };
        return output::json(&none);
    }
    let stays = match std::fs::exists(&args.output) {
        Ok(true) => format!(", and {} stays as it is", args.output.display()),
        _ => String::new(),
    };
    output::note(format_args!("there is no profile of {app} yet: nothing was written{stays}"));
    Ok(())
}
