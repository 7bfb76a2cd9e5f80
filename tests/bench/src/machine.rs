//! What was measured on and with: figures without that say little.

use std::fs;
use std::path::Path;
use std::thread;

use crate::args::VersusGo;
use crate::error::Error;
use crate::program::{Program, Words};

/// The load average over one minute below which figures are worth publishing.
pub(crate) const QUIET: f64 = 0.5;

/// Whether the machine had nothing else to do. An unknown load (not a number) is not quiet.
pub(crate) fn is_quiet(load: f64) -> bool {
    load < QUIET
}

/// Lines for people: what, and on what.
pub(crate) fn facts(args: &VersusGo, go: &Program) -> Result<Vec<String>, Error> {
    Ok(vec![
        format!("{}, revision {}, load average before {}", args.date, args.revision, args.load),
        machine()?,
        format!("reference: {}, GOGC default", go.ask(&Words::new("version"))?),
        format!("engine: {}, release; gzip by {}", args.rustc, args.gzip),
    ])
}

/// The processor, and how many cores of it there are.
pub(crate) fn machine() -> Result<String, Error> {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    Ok(format!("{}, {cores} cores, {}", cpu()?, std::env::consts::ARCH))
}

/// What Linux calls the processor (proc(5)); not every architecture has a name there.
fn cpu() -> Result<String, Error> {
    let path = Path::new("/proc/cpuinfo");
    Ok(model(&fs::read_to_string(path).map_err(Error::file(path))?).to_owned())
}

fn model(cpuinfo: &str) -> &str {
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    name.map_or("a processor without a name", |name| name.trim_start_matches([' ', '\t', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_a_name() {
        let x86 = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.80GHz\nflags\t: fpu\n";
        assert_eq!(model(x86), "Some CPU @ 2.80GHz");
        assert_eq!(model("processor\t: 0\nCPU part\t: 0xd0c\n"), "a processor without a name");
    }

    #[test]
    fn quiet_is_below() {
        assert!(is_quiet(0.49));
        assert!(!is_quiet(0.5));
        assert!(!is_quiet(f64::NAN));
    }
}
