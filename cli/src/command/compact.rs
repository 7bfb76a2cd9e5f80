//! `autopgo compact`: a profile file reduced to what the Go compiler reads of it.

use autopgo_core::error::Error;
use autopgo_pprof::compact;

use crate::args::files::Compact;
use crate::output::{self, Failure, file, human, replace};

pub(crate) fn run(args: &Compact) -> Result<(), Failure> {
    let bytes = file::read(&args.profile)?;
    let name = file::name(&args.profile);
    let profile = file::parse(&bytes, &name)?;
    let small = compact(&profile).map_err(|error| Error::from(error).during(name))?.write();
    replace::write(&args.output, &small)?;
    if !file::is_standard(&args.output) {
        let (old, new) = (human::size(bytes.len() as u64), human::size(small.len() as u64));
        output::note(format_args!("wrote {}: {new}, from {old}", args.output.display()));
    }
    Ok(())
}
