//! `autopgo upload`: one profile, checked here as far as memory need not hold it whole, sent once however often it takes.

use std::fs::File;
use std::io::{self, BufReader, Seek};

use autopgo_client::Content;
use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{ErrorKind, Outline, Profile, check, gzip};

use super::wait;
use crate::args::api::Upload;
use crate::output::file::{Input, OnDisk};
use crate::output::progress::Bar;
use crate::output::{self, Failure, file, human};

/// A profile up to this size, in bytes, is checked as a server will; of a larger one that is left to the server, which
/// takes it by way of its store and answers when it has looked at it.
const HELD: u64 = 4 << 20;

pub(crate) fn run(args: &Upload) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::Usage)?;
    let name = file::name(&args.profile);
    // Kept until it is sent: dropped, a copy on disk goes.
    let (content, _kept) = match file::input(&args.profile, HELD)? {
        Input::Held(bytes) => (ready(bytes, &name)?, None),
        Input::OnDisk(input) => {
            let (content, kept) = ready_on_disk(input, &name)?;
            (content, Some(kept))
        }
    };
    let size = content.size();
    let bar = Bar::new(format!("uploading {name}"));
    let uploaded = wait(client.upload(&args.app, content, Some(bar.progress())));
    drop(bar);
    let uploaded = uploaded?;
    if args.output.json {
        return output::json(&uploaded);
    }
    output::note(format_args!("uploaded {} for {}, staged as", human::size(size), args.app));
    output::write(uploaded.key)
}

/// What is sent for `bytes` of `name`: as they are, or in gzip if they are not yet.
///
/// A profile that no server would take is refused here, with the words it would use: that saves the way, and the
/// servers of the Go original take some that then stop the merging of their application for good. How large a profile
/// may be is for the server to say.
fn ready(bytes: Vec<u8>, name: &str) -> Result<Content, Error> {
    let checked = Profile::parse(&bytes, &file::limits()).and_then(|profile| check::upload(&profile));
    allowed(checked, name)?;
    Ok(if gzip::is_gzip(&bytes) { bytes.into() } else { gzip::deflate(&bytes).into() })
}

/// The same for one that stays on disk: seen from outside.
fn ready_on_disk(input: OnDisk, name: &str) -> Result<(Content, OnDisk), Error> {
    const BUFFER: usize = 64 << 10;
    let unread =
        |error: io::Error| Error::new(Kind::Invalid, format!("reading {name} a second time")).because(error);
    let mut reader = BufReader::with_capacity(BUFFER, File::open(input.path()).map_err(unread)?);
    let checked = Outline::read(&mut reader, &file::limits());
    allowed(checked.and_then(|outline| check::outline(&outline)), name)?;
    reader.rewind().map_err(unread)?;
    let zipped = gzip::is_gzip(io::BufRead::fill_buf(&mut reader).map_err(unread)?);
    let input = if zipped {
        input
    } else {
        OnDisk::made(|file| gzip::deflate_all(reader, file)).map_err(|error| {
            Error::new(Kind::Internal, format!("packing {name} into a temporary file")).because(error)
        })?
    };
    Ok((Content::file(input.path())?, input))
}

/// Too large is for the server to say.
fn allowed(checked: Result<(), autopgo_pprof::Error>, name: &str) -> Result<(), Error> {
    match checked {
        Err(error) if error.kind() != ErrorKind::Limit => {
            Err(Error::new(Kind::Unusable, format!("{name} was not sent: {error}")))
        }
        _ => Ok(()),
    }
}
