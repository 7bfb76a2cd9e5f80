//! `autopgo upload`: one profile, checked here as far as memory need not hold it whole, sent once however often it takes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

use autopgo_client::Content;
use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{ErrorKind, Outline, Profile, Sound, check, gzip};

use super::wait;
use crate::args::api::Upload;
use crate::output::file::Input;
use crate::output::progress::Bar;
use crate::output::{self, Failure, file, human};

/// A profile up to this size, in bytes as it comes, is read at once.
const HELD: u64 = 4 << 20;
/// One up to this size, in bytes unpacked, is checked to its last frame. No usual one is larger.
const CHECKED: u64 = 64 << 20;

pub(crate) fn run(args: &Upload) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::of_options)?;
    let name = file::name(&args.profile);
    let content = match file::input(&args.profile, HELD)? {
        Input::Held(bytes) => ready(bytes, &name)?,
        Input::OnDisk(file) => ready_on_disk(file, &name)?,
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
    let limits = file::limits();
    if Sound::look(&bytes, &limits, |_| false).is_none() {
        let checked = Profile::parse(&bytes, &limits).and_then(|profile| check::upload(&profile));
        allowed(checked, name)?;
    }
    Ok(if gzip::is_gzip(&bytes) { bytes.into() } else { gzip::deflate(&bytes).into() })
}

/// The same for one on disk, which is checked from outside if it is very large. A server of ours looks at the rest.
fn ready_on_disk(file: File, name: &str) -> Result<Content, Error> {
    const BUFFER: usize = 64 << 10;
    let unread = |error: io::Error| Error::new(Kind::Invalid, format!("reading {name}")).because(error);
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let whole = |mut reader: BufReader<File>| {
        let mut bytes = Vec::new();
        reader.rewind().and_then(|()| reader.read_to_end(&mut bytes)).map_err(unread)?;
        ready(bytes, name)
    };
    let outline = Outline::read(&mut reader, &file::limits());
    if outline.as_ref().is_ok_and(|outline| outline.raw_bytes() <= CHECKED) {
        return whole(reader);
    }
    allowed(outline.and_then(|outline| check::outline(&outline)), name)?;
    reader.rewind().map_err(unread)?;
    if gzip::is_gzip(reader.fill_buf().map_err(unread)?) {
        return Content::file(reader.into_inner(), name);
    }
    let Ok(mut packed) = tempfile::tempfile() else { return whole(reader) };
    gzip::deflate_all(reader, &mut packed).map_err(|error| {
        let what = format!("packing {name} into a temporary file; TMPDIR says where");
        Error::new(Kind::Internal, what).because(error)
    })?;
    Content::file(packed, name)
}

/// Too large is for the server to say.
fn allowed(checked: Result<(), autopgo_pprof::Error>, name: &str) -> Result<(), Error> {
    match checked {
        Err(error) if error.kind() == ErrorKind::Limit => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unreadable => Err(Error::from(error).during(name)),
        Err(error) => Err(Error::new(Kind::Unusable, format!("{name} was not sent: {error}"))),
        Ok(()) => Ok(()),
    }
}
