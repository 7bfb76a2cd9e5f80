//! `autopgo upload`: one profile, checked here as the server will, sent once however often it takes.

use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{ErrorKind, Profile, check, gzip};
use bytes::Bytes;

use super::wait;
use crate::args::api::Upload;
use crate::output::progress::Bar;
use crate::output::{self, Failure, file, human};

pub(crate) fn run(args: &Upload) -> Result<(), Failure> {
    let client = args.api.client().map_err(Failure::Usage)?;
    let body = ready(file::read(&args.profile)?, &file::name(&args.profile))?;
    let size = body.len() as u64;
    let bar = Bar::new(format!("uploading {}", file::name(&args.profile)));
    let uploaded = wait(client.upload(&args.app, body, Some(bar.progress())))?;
    drop(bar);
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
fn ready(bytes: Vec<u8>, name: &str) -> Result<Bytes, Error> {
    let checked = Profile::parse(&bytes, &file::limits()).and_then(|profile| check::upload(&profile));
    if let Err(error) = checked
        && error.kind() != ErrorKind::Limit
    {
        return Err(Error::new(Kind::Unusable, format!("{name} was not sent: {error}")));
    }
    if gzip::is_gzip(&bytes) { Ok(bytes.into()) } else { Ok(gzip::deflate(&bytes).into()) }
}
