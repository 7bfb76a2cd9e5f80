//! `autopgo prune`: a worker's prune rules, tried on a profile file.

use autopgo_core::error::{Error, Kind};
use autopgo_core::rules::Rules;
use autopgo_pprof::{Edges, Profile};

use crate::args::files::Prune;
use crate::output::{self, Failure, file, human, replace};

pub(crate) fn run(args: &Prune) -> Result<(), Failure> {
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
    let before = edges(&profile);
    rules.apply(&args.app, &mut profile);
    replace::write(&args.output, &profile.write())?;
    if !file::is_standard(&args.output) {
        let (path, after) = (args.output.display(), edges(&profile));
        output::note(format_args!("wrote {path}: {after} call edges that the compiler reads, from {before}"));
    }
    Ok(())
}

/// Samples stay when their stacks are cut, so edges are what shows that a rule did something.
fn edges(profile: &Profile) -> String {
    Edges::of(profile).map_or_else(|_| "no".to_owned(), |edges| human::count(edges.len()))
}
