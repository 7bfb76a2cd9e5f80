//! `autopgo merge`: profile files into one, as google/pprof merges them.

use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{Profile, compatible, merge};

use crate::args::files::Merge;
use crate::output::{self, Failure, file, human};

pub(crate) fn run(args: &Merge) -> Result<(), Failure> {
    if args.profiles.iter().filter(|path| file::is_standard(path)).count() > 1 {
        return Err(Failure::Usage(Error::new(
            Kind::Invalid,
            "standard input (`-`) can be merged only once",
        )));
    }
    let mut profiles: Vec<Profile> = Vec::with_capacity(args.profiles.len());
    for path in &args.profiles {
        let profile = file::profile(path)?;
        if let Some(first) = profiles.first() {
            compatible(first, &profile).map_err(|error| Error::from(error).during(file::name(path)))?;
        }
        profiles.push(profile);
    }
    let merged = merge(&profiles.iter().collect::<Vec<_>>()).map_err(Error::from)?;
    file::write(&args.output, &merged.write())?;
    if !file::is_standard(&args.output) {
        output::note(format_args!(
            "wrote {}: {} samples of {} profiles",
            args.output.display(),
            human::count(merged.sample_count()),
            profiles.len()
        ));
    }
    Ok(())
}
