//! `autopgo merge`: profile files into one. What is in it is what google/pprof's merge has, in our own order.

use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{Accumulator, Profile};

use crate::args::files::Merge;
use crate::output::{self, Failure, file, human, replace};

pub(crate) fn run(args: &Merge) -> Result<(), Failure> {
    if args.profiles.iter().filter(|path| file::is_standard(path)).count() > 1 {
        return Err(Failure::Usage(Error::new(
            Kind::Invalid,
            "standard input (`-`) can be merged only once",
        )));
    }
    let mut sum: Option<Accumulator> = None;
    for path in &args.profiles {
        let profile = file::profile(path)?;
        match &mut sum {
            Some(sum) => sum.add(&profile).map_err(|error| Error::from(error).during(file::name(path)))?,
            None => sum = Some(Accumulator::new(profile)),
        }
    }
    let merged = sum.map(Accumulator::finish).unwrap_or_else(Profile::empty_cpu);
    replace::write(&args.output, &merged.write())?;
    if !file::is_standard(&args.output) {
        output::note(format_args!(
            "wrote {}: {} samples of {} profiles",
            args.output.display(),
            human::count(merged.sample_count()),
            args.profiles.len()
        ));
    }
    Ok(())
}
