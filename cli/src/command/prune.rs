//! `autopgo prune`: a worker's prune rules, tried on a profile file.

use autopgo_core::error::{Error, Kind};
use autopgo_core::rules::Rules;

use crate::args::files::Prune;
use crate::output::{self, Failure, file, human};

pub(crate) fn run(args: Prune) -> Result<(), Failure> {
    let name = args.rules.display().to_string();
    let text = String::from_utf8(file::read(&args.rules)?).map_err(|error| {
        Error::new(Kind::Invalid, format!("reading {name}: it is not UTF-8")).because(error)
    })?;
    let rules = Rules::parse(&text, &name)?;
    for warning in rules.warnings() {
        output::warn(warning);
    }
    if rules.for_app(&args.app).is_empty() {
        let what = format!("{name} has no rules for {}: there is nothing to prune by", args.app);
        return Err(Error::new(Kind::Invalid, what).into());
    }
    let mut profile = file::profile(&args.profile)?;
    let before = profile.sample_count();
    rules.apply(&args.app, &mut profile);
    file::write(&args.output, &profile.write())?;
    if !file::is_standard(&args.output) {
        output::note(format_args!(
            "wrote {}: {} samples, from {}",
            args.output.display(),
            human::count(profile.sample_count()),
            human::count(before)
        ));
    }
    Ok(())
}
