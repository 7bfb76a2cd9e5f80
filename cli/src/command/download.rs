//! `autopgo download`: the merged profile, whole and checked, or nothing at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use autopgo_client::{Client, Download, Downloaded, Saved, Target};
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{Outline, Profile, check, gzip};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::wait;
use crate::args::api;
use crate::output::progress::Bar;

use crate::output::replace::{self, Replacement};
use crate::output::{self, Failure, file, human};

/// The result, as `--json` shows it. Without a profile only the application is there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    app: &'a App,
    output: Option<&'a Path>,
    size: Option<u64>,
    samples: Option<u64>,
    etag: Option<String>,
    last_modified: Option<Timestamp>,
}

/// A profile up to this size, in bytes, is checked to its last frame; a larger one only as far as memory need not hold it.
const HELD: u64 = 4 << 20;

pub(crate) fn run(args: &api::Download) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::of_options)?;
    let written = if replace::is_stream(&args.output) {
        let held = found(args, held(args, &client))?;
        if let Some((_, bytes)) = &held {
            replace::write(&args.output, bytes)?;
        }
        if held.is_some() && file::is_standard(&args.output) {
            // The profile is all that belongs there.
            return Ok(());
        }
        held.map(|(written, _)| written)
    } else {
        found(args, onto_disk(args, &client))?
    };
    let Some(written) = written else { return nothing(args) };
    if args.json.json {
        return output::json(&written);
    }
    let (path, size) = (args.output.display(), human::size(written.size.unwrap_or_default()));
    let samples = human::count(written.samples.unwrap_or_default());
    output::note(format_args!("wrote {path}: {size}, {samples} samples of {}", args.app));
    Ok(())
}

/// What there is; nothing, where that is allowed.
fn found<T>(args: &api::Download, asked: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Error(error)) if args.allow_missing && error.kind() == Kind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn form(args: &api::Download) -> Form {
    if args.compact { Form::Compact } else { Form::Full }
}

fn doing(app: &App) -> String {
    format!("downloading the profile of {app}")
}

fn unasked(app: &App) -> Error {
    Error::new(Kind::Internal, "the server says that it has not changed, unasked").during(doing(app))
}

/// Downloads into a file beside the target, made when the profile comes, and puts it in place once it was checked.
fn onto_disk<'a>(args: &'a api::Download, client: &Client) -> Result<Written<'a>, Failure> {
    let app = &args.app;
    let mut target = None;
    let mut make = || match &target {
        Some(target) => Replacement::file(target),
        None => target.insert(Replacement::of(&args.output)?).file(),
    };
    let bar = Bar::new(format!("downloading {app}"));
    let into = Target::new(args.output.display().to_string(), &mut make);
    let saved = wait(client.download_to(into, app, form(args), None, Some(bar.progress())));
    drop(bar);
    let saved = saved?;
    let (Some(Saved { size, etag, modified }), Some(target)) = (saved, target) else {
        return Err(unasked(app).into());
    };
    let samples = checked(target.file()?, size, &args.output).map_err(|error| error.during(doing(app)))?;
    target.finish()?;
    Ok(Written {
        app,
        output: Some(&args.output),
        size: Some(size),
        samples: Some(samples),
        etag,
        last_modified: modified,
    })
}

/// Downloads into memory, for what is written to as it is: nothing goes out that was not checked.
fn held<'a>(args: &'a api::Download, client: &Client) -> Result<(Written<'a>, Bytes), Failure> {
    let app = &args.app;
    let bar = Bar::new(format!("downloading {app}"));
    let answer = wait(client.download(app, form(args), None, Some(bar.progress())));
    drop(bar);
    let Downloaded::Profile(Download { bytes, etag, modified }) = answer? else {
        return Err(unasked(app).into());
    };
    let samples = whole(&bytes).map_err(|error| error.during(doing(app)))?;
    let written = Written {
        app,
        output: Some(&args.output),
        size: Some(bytes.len() as u64),
        samples: Some(samples),
        etag,
        last_modified: modified,
    };
    Ok((written, bytes))
}

/// How many samples the profile in `file`, which is to be `path`, has, if it is what `go build` can take.
fn checked(mut file: File, size: u64, path: &Path) -> Result<u64, Error> {
    const BUFFER: usize = 64 << 10;
    let unread = |error: io::Error| {
        let what = format!("reading again what was written for {}", path.display());
        Error::new(Kind::Internal, what).because(error)
    };
    if size <= HELD {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unread)?;
        return whole(&bytes);
    }
    let mut input = BufReader::with_capacity(BUFFER, file);
    must_be_gzip(input.fill_buf().map_err(unread)?)?;
    let outline = Outline::read(input, &file::limits()).map_err(unusable)?;
    check::outline(&outline).map_err(unusable)?;
    Ok(outline.samples())
}

fn whole(bytes: &[u8]) -> Result<u64, Error> {
    must_be_gzip(bytes)?;
    Ok(Profile::parse(bytes, &file::limits()).map_err(unusable)?.sample_count() as u64)
}

fn unusable(error: autopgo_pprof::Error) -> Error {
    Error::from(error).during("what came cannot be used")
}

fn must_be_gzip(bytes: &[u8]) -> Result<(), Error> {
    if gzip::is_gzip(bytes) {
        return Ok(());
    }
    let what = "what came is no profile (not gzip); check --api-url and what stands in front of the server";
    Err(Error::new(Kind::Unusable, what))
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
