//! Rewrites a profile to what the compiler takes from it: one entry a call edge. A far smaller profile
//! of which `go tool preprofile` makes byte for byte the same, and which merges with full ones:
//! `compact(merge(a, b))` equals `compact(merge(compact(a), compact(b)))`.
//!
//! The layout: for each edge one sample of two locations, of one line each: the callee's (line 0, at address 1), called from where in
//! the caller that is (line 1 + offset, at address 2), every function starting at line 1. Edges in the compiler's order, functions by
//! name, locations of callees by function, then those of callers by function and offset: it depends on the edges only, and
//! compresses well. As both lie at different addresses they are different nodes to the compiler, and so a function that calls itself
//! keeps its edge.

use crate::cores::Core;
use crate::edges::{Call, Calls, NamedCalls, Take};
use crate::error::Error;
use crate::merge::{headers, merge};
use crate::profile::{Function, Header, Kind, Line, Location, Profile, Span, index};
use crate::strings::{Selection, Str};

/// The compact form of a profile. Deep stacks, its addresses, files and labels are gone; header and comments
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
    let place = |name: Str| places[name.at()];
    let calls: Vec<NumberedCall> = order
        .iter()
        .map(|&at| {
            let Call { caller, callee, offset } = calls.call(at);
            NumberedCall { callee: place(callee), caller: place(caller), offset }
        })
        .collect();
    let Locations { all, lines, frames } = Locations::of(functions.len(), &calls);
    let mut compact =
        Profile { functions, locations: all, lines, ..Profile::with_header(strings.done(), header) };
    compact.samples.stacks.reserve_exact(calls.len());
    (0..calls.len()).for_each(|at| compact.samples.stacks.push(Span::since(2 * at, 2 * at + 2)));
    compact.samples.frames = frames;
    compact
}

/// The addresses of what is called and of what calls.
const CALLED: u64 = 1;
const CALLING: u64 = 2;

/// A call between functions of the compact form.
struct NumberedCall {
    callee: u32,
    caller: u32,
    offset: i64,
}

/// Locations of one line each, and those of all calls, two and two.
struct Locations {
    all: Vec<Location>,
    lines: Vec<Line>,
    frames: Vec<u32>,
}

impl Locations {
    fn of(functions: usize, calls: &[NumberedCall]) -> Self {
        let mut is_called = vec![false; functions];
        calls.iter().for_each(|call| is_called[call.callee as usize] = true);
        let by_site = by_site(functions, calls);
        let sites = || by_site.chunk_by(|a, b| (a.caller, a.offset) == (b.caller, b.offset));
        let count = is_called.iter().filter(|&&is_called| is_called).count() + sites().count();
        let mut locations = Self {
            all: Vec::with_capacity(count),
            lines: Vec::with_capacity(count),
            frames: vec![0; 2 * calls.len()],
        };
        let callee = |(callee, is_called)| {
            if is_called { locations.add(CALLED, index(callee), 0) } else { 0 }
        };
        let callees: Vec<u32> = is_called.into_iter().enumerate().map(callee).collect();
        for (frames, call) in locations.frames.chunks_exact_mut(2).zip(calls) {
            frames[0] = callees[call.callee as usize];
        }
        for site in sites() {
            let location = locations.add(CALLING, site[0].caller, site[0].offset.wrapping_add(1));
            site.iter().for_each(|call| locations.frames[2 * call.at as usize + 1] = location);
        }
        locations
    }

    fn add(&mut self, address: u64, function: u32, line: i64) -> u32 {
        let at = self.all.len();
        self.lines.push(Line { function, line, column: 0 });
        let lines = Span::since(at, at + 1);
        self.all.push(Location { id: at as u64 + 1, mapping: None, address, lines, folded: false });
        index(at)
    }
}

/// From where a call is made, and which that is.
#[derive(Clone, Copy, Default)]
struct SiteOfCall {
    caller: u32,
    at: u32,
    offset: i64,
}

/// All calls by caller and offset.
fn by_site(functions: usize, calls: &[NumberedCall]) -> Vec<SiteOfCall> {
    // By caller first, of which all numbers are known: where the calls of each begin, and as they are put there, end.
    let mut ends = vec![0; functions];
    calls.iter().for_each(|call| ends[call.caller as usize] += 1_usize);
    let mut start = 0;
    for end in &mut ends {
        (*end, start) = (start, start + *end);
    }
    let mut by_site = vec![SiteOfCall::default(); calls.len()];
    for (at, &NumberedCall { caller, offset, .. }) in calls.iter().enumerate() {
        let end = &mut ends[caller as usize];
        by_site[*end] = SiteOfCall { caller, at: index(at), offset };
        *end += 1;
    }
    let mut start = 0;
    for end in ends {
        by_site[start..end].sort_unstable_by_key(|call| call.offset);
        start = end;
    }
    by_site
}

/// How many calls are worth being laid out by two threads.
const PARTED: usize = 1 << 16;

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
        assert_eq!(stacks(&small), ["3: z;caller", "3: leaf;z"]);
        assert_eq!((small.function_count(), small.location_count(), small.mapping_count()), (3, 4, 0));
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
    fn a_function_is_one_callee_and_each_place_of_its_calls_one_caller() {
        let mut profile = cpu(&["9: a;z", "8: b;z", "7: a;m", "6: z;a", "5: a;z/m"]);
        // One of z's calls is at another line.
        let last = profile.lines.len() - 2;
        profile.lines[last].line = 11;
        let small = compact(&profile).unwrap();
        assert_eq!(stacks(&small), ["9: a;z", "8: b;z", "7: a;m", "6: z;a", "5: z;m", "5: a;z"]);
        let locations: Vec<_> = small.locations.iter().map(|it| (it.id, it.address)).collect();
        let callees = [1, 2, 3].map(|id| (id, 1));
        let callers = [4, 5, 6, 7].map(|id| (id, 2));
        assert_eq!(locations, [&callees[..], &callers].concat());
        let lines: Vec<_> = small.lines.iter().map(|it| (it.function, it.line)).collect();
        // The functions are a, b, m and z.
        assert_eq!(lines, [(0, 0), (1, 0), (3, 0), (0, 3), (2, 3), (3, 2), (3, 3)]);
        assert_eq!(small.samples.frames, [0, 6, 1, 6, 0, 4, 2, 3, 2, 4, 0, 5]);
        assert_eq!(identity(&small), identity(&profile));
    }

    /// As compact forms were laid out before: for each edge one location, the callee's line inlined into the caller's.
    fn old_layout(small: &Profile) -> Profile {
        let mut old = small.clone();
        (old.locations, old.lines) = (Vec::new(), Vec::new());
        for at in 0..small.samples.len() {
            let [callee, caller] = [0, 1].map(|frame| {
                let location = &small.locations[small.samples.stack(at)[frame] as usize];
                small.lines_of(location)[0]
            });
            let line = i64::from(callee.function == caller.function && caller.line == 0);
            old.lines.extend([Line { line, ..callee }, caller]);
            let lines = Span::since(2 * at, 2 * at + 2);
            old.locations.push(Location {
                id: at as u64 + 1,
                mapping: None,
                address: 0,
                lines,
                folded: false,
            });
        }
        old.samples.frames = (0..index(small.samples.len())).collect();
        old.samples.stacks = (0..small.samples.len()).map(|at| Span::since(at, at + 1)).collect();
        old
    }

    #[test]
    fn what_was_laid_out_before_is_the_same_to_the_compiler_and_in_merges() {
        let mut a = cpu(&["3: leaf;z/caller;main", "2: f/f;main", "1: f;f/main"]);
        a.lines[3].line = 9;
        let b = cpu(&["4: z/caller;main", "5: leaf;f;main"]);
        let [small_a, small_b] = [&a, &b].map(|it| compact(it).unwrap());
        let [old_a, old_b] = [&small_a, &small_b].map(old_layout);
        assert_eq!((identity(&old_a), identity(&old_b)), (identity(&a), identity(&b)));
        assert_eq!(compact(&old_a).unwrap().encode(), small_a.encode());
        let expected = compact(&merge(&[&a, &b]).unwrap()).unwrap().encode();
        for [a, b] in [[&old_a, &old_b], [&old_a, &small_b], [&small_a, &old_b], [&a, &old_b], [&old_a, &b]] {
            assert_eq!(compact_all(&[a, b]).unwrap().encode(), expected);
            assert_eq!(compact(&merge(&[a, b]).unwrap()).unwrap().encode(), expected);
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
