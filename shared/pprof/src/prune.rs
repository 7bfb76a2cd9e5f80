//! Takes frames out of stacks by the names of their functions, as google/pprof's `Profile.Prune` does
//! (profile/prune.go). What to match is the caller's business: a rule is two questions about a name.

use crate::profile::{Profile, Span};

/// Which form of a function's name is matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Names {
    /// As [`simplify`] leaves it, which is what google/pprof matches: Go's `http.(*conn).serve` is `http.`.
    #[default]
    Simplified,
    /// As it stands in the profile.
    Full,
}

/// Cuts each stack below the frame nearest the root whose name `drop` matches and `keep` does not, that
/// frame included. Frames at the root that match are left alone: cutting starts below the first frame
/// that does not match, so no stack becomes empty by a rule that matches its root. Whether anything was
/// cut is returned.
///
/// As in google/pprof: a location of several inlined calls is cut at its outermost match, and for every
/// sample at once; samples that become equal stay apart and unused entries stay, until the next
/// [`merge`](crate::merge()) or [`Accumulator`](crate::Accumulator). Names that are empty never match. Each name is asked for once; bytes that
/// are not UTF-8 are shown as U+FFFD.
///
/// ```
/// use autopgo_pprof::{Profile, prune};
///
/// let mut profile = Profile::empty_cpu();
/// prune::prune(&mut profile, prune::Names::Simplified, &|name| name.starts_with("log."), None);
/// ```
pub fn prune(
    profile: &mut Profile,
    names: Names,
    drop: &dyn Fn(&str) -> bool,
    keep: Option<&dyn Fn(&str) -> bool>,
) -> bool {
    let mut rule = Rule { names, drop, keep, known: vec![None; profile.strings.len()] };
    let cuts: Vec<Cut> = (0..profile.locations.len()).map(|at| cut_lines(at, profile, &mut rule)).collect();
    let samples = &mut profile.samples;
    let mut changed = cuts.contains(&Cut::Beneath);
    for stack in &mut samples.stacks {
        let before = stack.len();
        cut_stack(stack, &samples.frames, &cuts);
        changed |= stack.len() < before;
    }
    changed
}

/// The part of a function's name that rules are matched against: without one leading dot, and up to the
/// first `(` that does not belong to `(anonymous namespace)` or `operator()`.
///
/// ```
/// use autopgo_pprof::prune::simplify;
///
/// assert_eq!(simplify("net/http.(*conn).serve"), "net/http.");
/// assert_eq!(simplify("sort.Slice[...]"), "sort.Slice[...]");
/// assert_eq!(simplify("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
/// ```
#[must_use]
pub fn simplify(name: &str) -> &str {
    let name = name.strip_prefix('.').unwrap_or(name);
    let mut at = 0;
    while let Some(found) = name[at..].find(['(', 'o']) {
        at += found;
        let rest = &name[at..];
        match ["(anonymous namespace)", "operator()"].iter().find(|reserved| rest.starts_with(**reserved)) {
            Some(reserved) => at += reserved.len(),
            None if rest.starts_with('(') => return &name[..at],
            None => at += 1,
        }
    }
    name
}

/// What a rule does to one location.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nothing,
    /// Its inner lines are gone, its outer ones stay.
    Beneath,
    /// Its outermost line matches: it goes with all below.
    Whole,
}

struct Rule<'a> {
    names: Names,
    drop: &'a dyn Fn(&str) -> bool,
    keep: Option<&'a dyn Fn(&str) -> bool>,
    /// The answer for each name, by its place in the string table.
    known: Vec<Option<bool>>,
}

/// Looks for a match from the outermost call inwards, and drops the lines from the match on.
fn cut_lines(at: usize, profile: &mut Profile, rule: &mut Rule<'_>) -> Cut {
    let Profile { locations, lines, functions, strings, .. } = profile;
    let Span { start, end } = locations[at].lines;
    for line in (start..end).rev() {
        let name = functions[lines[line as usize].function as usize].name;
        let matches = *rule.known[name.at()].get_or_insert_with(|| {
            let text = strings.text(name);
            let text = match rule.names {
                Names::Simplified => simplify(&text),
                Names::Full => &text,
            };
            !strings.bytes(name).is_empty() && (rule.drop)(text) && !rule.keep.is_some_and(|keep| keep(text))
        });
        if !matches {
            continue;
        }
        if line + 1 == end {
            return Cut::Whole;
        }
        locations[at].lines.start = line + 1;
        return Cut::Beneath;
    }
    Cut::Nothing
}

/// From the root to the leaf: the first marked location below an unmarked one is where the stack is cut.
fn cut_stack(stack: &mut Span, frames: &[u32], cuts: &[Cut]) {
    let mut found_user = false;
    for at in (stack.start..stack.end).rev() {
        match cuts[frames[at as usize] as usize] {
            Cut::Nothing => found_user = true,
            _ if !found_user => {}
            Cut::Whole => {
                stack.start = at + 1;
                return;
            }
            Cut::Beneath => {
                stack.start = at;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_simplified_as_in_go() {
        for (name, expected) in [
            ("", ""),
            (".", ""),
            ("..f", ".f"),
            (".f(int)", "f"),
            ("main.main", "main.main"),
            ("http.(*conn).serve", "http."),
            ("main.f[...](x)", "main.f[...]"),
            ("operator()", "operator()"),
            ("a::operator()(int)", "a::operator()"),
            ("ooperator()(", "ooperator()"),
            ("operator(", "operator"),
            ("(anonymous namespace)(", "(anonymous namespace)"),
            ("(anonymous namespace", ""),
            ("f\u{e9}o(x)", "f\u{e9}o"),
        ] {
            assert_eq!(simplify(name), expected, "{name}");
        }
    }
}
