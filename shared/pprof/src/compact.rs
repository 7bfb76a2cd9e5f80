//! Rewrites a profile to what the compiler takes from it: one entry a call edge. A far smaller profile
//! of which `go tool preprofile` makes byte for byte the same, and which merges with full ones:
//! `compact(merge(a, b))` equals `compact(merge(compact(a), compact(b)))`.
//!
//! The layout: for each edge one sample of one location with two lines, the callee's (line 0) inlined
//! into the caller's (line 1 + offset), every function starting at line 1. Edges in the compiler's order,
//! functions by name: it depends on the edges only, and compresses well.

use crate::cores::Core;
use crate::edges::{Call, Calls, NamedCalls, Take};
use crate::error::Error;
use crate::merge::{headers, merge};
use crate::profile::{Function, Header, Kind, Line, Location, Profile, Span, index};
use crate::strings::{Selection, Str};

/// The compact form of a profile. Deep stacks, addresses, files and labels are gone; header and comments
/// stay. Prune first: rules need whole stacks.
///
/// # Errors
/// `Unusable` as for [`Edges::of`](crate::Edges::of).
pub fn compact(profile: &Profile) -> Result<Profile, Error> {
    let calls = Calls::of(profile, Take::All)?;
    Ok(laid_out(calls, &profile.header, profile.samples.len()))
}

/// The compact form of what [`merge`](crate::merge()) makes of these: the same bytes. Of profiles that are compact themselves
/// only the edges are added up, which takes a fraction of merging them first.
///
/// ```
/// use autopgo_pprof::{Profile, compact, compact_all, merge};
///
/// let (a, b) = (Profile::empty_cpu(), Profile::empty_cpu());
/// assert_eq!(compact_all(&[&a, &b])?.encode(), compact(&merge(&[&a, &b])?)?.encode());
/// # Ok::<(), autopgo_pprof::Error>(())
/// ```
///
/// # Errors
/// As [`merge`](crate::merge()), then as [`compact`].
pub fn compact_all(profiles: &[&Profile]) -> Result<Profile, Error> {
    let Profile { header, mut strings, .. } = headers::of_all(profiles)?;
    // A merge moves locations along with their mappings, and so may make one node of two.
    let stay = profiles.iter().all(|profile| profile.mappings.is_empty());
    match stay.then(|| Calls::of_all(profiles, &mut strings)) {
        Some(Ok(calls)) => {
            let samples = profiles.iter().map(|profile| profile.samples.len()).sum();
            Ok(laid_out(calls, &header, samples))
        }
        // In one profile something may be wrong that in the sum is not.
        _ => compact(&merge(profiles)?),
    }
}

/// A profile of these calls and this header, whose texts are in the calls' table. If there were no fewer samples, what there is twice
/// for a while is no larger than their values.
fn laid_out(calls: Calls<'_>, from: &Header, samples: usize) -> Profile {
    let (calls, values) = calls.into_parts();
    let lay = |order: &[u32]| without_values(&calls, from, order);
    let (values, mut compact) = match (values.order().len() >= PARTED).then(Core::take).flatten() {
        Some(core) => values.values_and(core, samples, lay),
        // One after the other, so that what they need is not there at once.
        None => {
            let order = values.order().to_vec();
            (values.values(), lay(&order))
        }
    };
    compact.samples.values = values;
    compact
}

/// All of it but the samples' values.
fn without_values(calls: &NamedCalls<'_>, from: &Header, order: &[u32]) -> Profile {
    let mut strings = Selection::of(calls.strings);
    let header = header(from, &mut strings);
    let (functions, places) = functions(calls, &mut strings);
    let mut compact = Profile { functions, ..Profile::with_header(strings.done(), header) };
    compact.lines.reserve_exact(2 * order.len());
    compact.locations.reserve_exact(order.len());
    compact.samples.frames.reserve_exact(order.len());
    compact.samples.stacks.reserve_exact(order.len());
    for &call in order {
        let call = calls.call(call);
        let [callee, caller] = [call.callee, call.caller].map(|name| places[name.at()]);
        let start = compact.lines.len();
        let caller_line = call.offset.wrapping_add(1);
        let lines = [(callee, callee_line(call, caller_line)), (caller, caller_line)];
        compact.lines.extend(lines.map(|(function, line)| Line { function, line, column: 0 }));
        let lines = Span::since(start, compact.lines.len());

        let at = compact.locations.len();
        let id = at as u64 + 1;
        compact.locations.push(Location { id, mapping: None, address: 0, lines, folded: false });
        compact.samples.frames.push(index(at));
        compact.samples.close(at, 0);
    }
    compact
}

/// How many calls are worth being laid out by two threads.
const PARTED: usize = 1 << 16;

/// The compiler draws no edge from a node to itself, and a node is name and line (all start lines are
/// alike here): of a function that calls itself the two lines must differ.
fn callee_line(call: Call, caller_line: i64) -> i64 {
    i64::from(call.caller == call.callee && caller_line == 0)
}

/// A function for each name in the calls, in their order; and where each name's function is.
fn functions(calls: &NamedCalls<'_>, strings: &mut Selection<'_>) -> (Vec<Function>, Vec<u32>) {
    let mut places = vec![0; calls.strings.len()];
    let function = |(at, &name): (usize, &Str)| {
        places[name.at()] = index(at);
        let [system_name, filename] = [Str::EMPTY; 2];
        Function { id: at as u64 + 1, name: strings.take(name), system_name, filename, start_line: 1 }
    };
    (calls.names.iter().enumerate().map(function).collect(), places)
}

fn header(from: &Header, strings: &mut Selection<'_>) -> Header {
    let mut kind = |kind: Kind| Kind { kind: strings.take(kind.kind), unit: strings.take(kind.unit) };
    Header {
        sample_types: from.sample_types.iter().map(|&it| kind(it)).collect(),
        period_type: kind(from.period_type),
        default_sample_type: strings.take(from.default_sample_type),
        drop_frames: strings.take(from.drop_frames),
        keep_frames: strings.take(from.keep_frames),
        doc_url: strings.take(from.doc_url),
        comments: from.comments.iter().map(|&comment| strings.take(comment)).collect(),
        ..*from
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edges;
    use crate::example::{cpu, stacks};

    fn identity(profile: &Profile) -> crate::Identity {
        Edges::of(profile).unwrap().identity()
    }

    #[test]
    fn one_sample_an_edge() {
        let profile = cpu(&["1: leaf;z/caller;main", "2: leaf;z/caller;other", "4: main"]);
        let small = compact(&profile).unwrap();
        assert_eq!(stacks(&small), ["3: z/caller", "3: leaf/z"]);
        assert_eq!((small.function_count(), small.mapping_count()), (3, 0));
        assert_eq!(small.totals(), [6, 60]);
        assert_eq!(identity(&small), identity(&profile));
    }

    #[test]
    fn a_function_that_calls_itself_keeps_its_edge() {
        for line in [9, 10, 11, 12, i64::MIN, i64::MAX] {
            let mut profile = cpu(&["3: f/f;main"]);
            profile.lines[1].line = line;
            profile.lines[0].line = 1000;
            let small = compact(&profile).unwrap();
            assert_eq!(Edges::of(&small).unwrap().len(), 2, "{line}");
            assert_eq!(identity(&small), identity(&profile), "{line}");
        }
    }

    #[test]
    fn the_header_stays() {
        let mut profile = cpu(&["1: leaf;main"]);
        profile.set_comments(["from here", "to there"]);
        profile.header.duration_nanos = 5;
        let texts = ["a", "b", "c", "leaf"].map(|text| profile.strings.intern(text.as_bytes()));
        let header = &mut profile.header;
        [header.drop_frames, header.keep_frames, header.doc_url, header.default_sample_type] = texts;
        let small = compact(&profile).unwrap();
        let header = &small.header;
        let taken = [header.drop_frames, header.keep_frames, header.doc_url, header.default_sample_type];
        assert_eq!(taken.map(|text| small.strings.text(text).into_owned()), ["a", "b", "c", "leaf"]);
        assert!(small.sample_types().eq(profile.sample_types()));
        assert_eq!(small.comments().collect::<Vec<_>>(), ["from here", "to there"]);
        assert_eq!((small.duration_nanos(), small.period_type()), (5, profile.period_type()));
    }

    #[test]
    fn what_is_a_comment_and_a_name_is_one_text() {
        let [mut a, mut b] = [cpu(&["1: leaf;main"]), cpu(&["2: x;leaf"])].map(|it| compact(&it).unwrap());
        a.set_comments(["x", "main"]);
        b.set_comments(["leaf", "x"]);
        let all = compact_all(&[&a, &b]).unwrap();
        assert_eq!(all.encode(), compact(&merge(&[&a, &b]).unwrap()).unwrap().encode());
        assert_eq!(all.comments().collect::<Vec<_>>(), ["x", "main", "leaf"]);
    }

    #[test]
    fn values_without_weight_are_not_lost() {
        // Merged with a profile that has the weight, they count: compacting must not come between.
        let (mut a, b) = (cpu(&["0: leaf;main"]), cpu(&["1: leaf;main"]));
        a.samples.values_mut(0)[1] = 7;
        let small = compact(&a).unwrap();
        assert_eq!(small.totals(), [0, 7]);
        let both = crate::merge(&[&small, &compact(&b).unwrap()]).unwrap();
        assert_eq!(both.totals(), [1, 17]);
    }
}
