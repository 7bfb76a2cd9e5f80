//! The quick way to tell that an upload is fine: its samples are looked at one by one and not stored. What it is not sure
//! of, the whole way has the words for.

use crate::decode::Outward;
use crate::error::{Error, Fault};
use crate::limits::Limits;
use crate::{check, gzip};

/// What was seen of an upload that is fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    totals: [i128; 2],
    comments: usize,
}

impl Sound {
    /// Looks at a profile, gzip or not. `Some` says that [`Profile::parse`](crate::Profile::parse) takes it under these
    /// limits and that [`check::upload`] takes what that gives. `None` says nothing: ask these two.
    ///
    /// Of its comments those are counted that `counts` says.
    #[must_use]
    pub fn look(bytes: &[u8], limits: &Limits, counts: impl Fn(&[u8]) -> bool) -> Option<Self> {
        if !gzip::is_gzip(bytes) {
            return Self::of(bytes, limits, counts).ok();
        }
        let raw = gzip::inflate(bytes, limits.raw_bytes).ok()?;
        Self::of(&raw, limits, counts).ok()
    }

    /// The sum of the values of each sample type.
    #[must_use]
    pub fn totals(&self) -> [i128; 2] {
        self.totals
    }

    /// How many comments counted.
    #[must_use]
    pub fn comments(&self) -> usize {
        self.comments
    }

    fn of(raw: &[u8], limits: &Limits, counts: impl Fn(&[u8]) -> bool) -> Result<Self, Error> {
        let mut totals = [0_i128; 2];
        // No more than the weights of all edges together.
        let mut edges = 0_i128;
        let mut start_line = None;
        let mut start_lines = StartLines::default();
        let outward = Outward::read(raw, limits, |outward, stack, values| {
            let &[count, time] = values else { return Err(unsure()) };
            if count < 0 || time < 0 {
                return Err(unsure());
            }
            totals[0] += i128::from(count);
            totals[1] += i128::from(time);
            if count == 0 {
                return Ok(());
            }
            let mut top = stack.iter().take(2).map(|&at| at as usize);
            // The calls inlined at both places, and the one between them.
            let lines = |at: usize| outward.locations[at].lines.len() as i128;
            edges += i128::from(count) * (1 + top.clone().map(lines).sum::<i128>());
            if start_line != Some(true) {
                start_line = Some(top.any(|at| start_lines.has(outward, at)));
            }
            Ok(())
        })?;
        let types = outward.sample_types();
        if !types.eq(check::CPU.map(|(kind, unit)| (kind.as_bytes(), unit.as_bytes()))) {
            return Err(unsure());
        }
        let fits = |sum: i128| i64::try_from(sum).is_ok();
        if start_line == Some(false) || !totals.iter().all(|&total| fits(total)) || !fits(edges) {
            return Err(unsure());
        }
        let comments = outward.comments().filter(|comment| counts(comment)).count();
        Ok(Self { totals, comments })
    }
}

/// Which error it is does not matter: the whole way has the right one.
fn unsure() -> Error {
    Fault::NoStartLine.into()
}

/// Which locations have a line of a function with a start line: each is looked at once, however many samples name it.
#[derive(Default)]
struct StartLines(Vec<Option<bool>>);

impl StartLines {
    fn has(&mut self, outward: &Outward<'_>, location: usize) -> bool {
        self.0.resize(outward.locations.len(), None);
        *self.0[location].get_or_insert_with(|| {
            let lines = &outward.lines[outward.locations[location].lines.range()];
            lines.iter().any(|line| outward.functions[line.function as usize].start_line != 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;
    use crate::{Profile, merge};

    fn look(profile: &Profile) -> Option<Sound> {
        let all = |_: &[u8]| true;
        let plain = Sound::look(&profile.encode(), &Limits::default(), all);
        assert_eq!(plain, Sound::look(&profile.write(), &Limits::default(), all));
        plain
    }

    #[test]
    fn a_good_one_is_seen_through() {
        let mut profile = cpu(&["3: leaf;main", "2: main"]);
        profile.set_comments(["a", "b", "a"]);
        let sound = look(&profile).unwrap();
        assert_eq!(sound.totals().to_vec(), profile.totals());
        assert_eq!(sound.comments(), 3);
        look(&Profile::empty_cpu()).unwrap();
        look(&cpu(&["0: leaf;main"])).unwrap();
        look(&merge(&[&profile, &profile]).unwrap()).unwrap();
    }

    #[test]
    fn of_what_is_refused_it_says_nothing() {
        let with = |change: &dyn Fn(&mut Profile)| {
            let mut profile = cpu(&["1: leaf;caller;main"]);
            change(&mut profile);
            assert_eq!(look(&profile).is_some(), check::upload(&profile).is_ok());
            look(&profile).is_some()
        };
        assert!(with(&|_| {}));
        assert!(!with(&|profile| profile.samples.values_mut(0)[1] = -1));
        assert!(!with(&|profile| profile.header.sample_types.reverse()));
        assert!(!with(&|profile| profile.functions.iter_mut().for_each(|it| it.start_line = 0)));
        // One that has values, but the first none.
        assert!(with(&|profile| {
            profile.functions.iter_mut().for_each(|it| it.start_line = 0);
            profile.samples.values_mut(0)[0] = 0;
        }));
        let twice = gzip::deflate(&cpu(&["1: main"]).write());
        assert_eq!(Sound::look(&twice, &Limits::default(), |_| true), None);
        assert_eq!(Sound::look(b"", &Limits::default(), |_| true), None);
    }
}
