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
    let place = |name: Str| places[name.at()];
    let calls: Vec<Between> = order
        .iter()
        .map(|&at| {
            let Call { caller, callee, offset } = calls.call(at);
            Between { callee: place(callee), caller: place(caller), offset }
        })
        .collect();
    let mut locations = Locations::default();
    let callees = locations.callees(functions.len(), &calls);
    let sites = locations.sites(functions.len(), &calls);
    let mut compact = Profile { functions, ..Profile::with_header(strings.done(), header) };
    compact.samples.frames.reserve_exact(2 * order.len());
    compact.samples.stacks.reserve_exact(order.len());
    for (call, site) in calls.iter().zip(sites) {
        let start = compact.samples.frames.len();
        compact.samples.frames.extend([callees[call.callee as usize], site]);
        compact.samples.close(start, 0);
    }
    Profile { locations: locations.all, lines: locations.lines, ..compact }
}

/// The addresses of what is called and of what calls.
const CALLED: u64 = 1;
const CALLING: u64 = 2;

/// A call between functions of the compact form.
struct Between {
    callee: u32,
    caller: u32,
    offset: i64,
}

/// Locations of one line each.
#[derive(Default)]
struct Locations {
    all: Vec<Location>,
    lines: Vec<Line>,
}

impl Locations {
    fn add(&mut self, address: u64, function: usize, line: i64) -> u32 {
        let at = self.all.len();
        self.lines.push(Line { function: index(function), line, column: 0 });
        let lines = Span::since(at, at + 1);
        self.all.push(Location { id: at as u64 + 1, mapping: None, address, lines, folded: false });
        index(at)
    }

    /// Adds one for each of so many functions that is called. The locations by function; others say nothing.
    fn callees(&mut self, functions: usize, calls: &[Between]) -> Vec<u32> {
        let mut is_called = vec![false; functions];
        calls.iter().for_each(|call| is_called[call.callee as usize] = true);
        let location = |(callee, is_called)| if is_called { self.add(CALLED, callee, 0) } else { 0 };
        is_called.into_iter().enumerate().map(location).collect()
    }

    /// Adds one for each place from which calls are made, by function and offset. Those of all calls.
    fn sites(&mut self, functions: usize, calls: &[Between]) -> Vec<u32> {
        // By function, of which all numbers are known.
        let mut ends = vec![0; functions + 1];
        calls.iter().for_each(|call| ends[call.caller as usize + 1] += 1_usize);
        let mut sum = 0;
        ends.iter_mut().for_each(|end| {
            sum += *end;
            *end = sum;
        });
        let mut by_caller = vec![(0, 0); sum];
        for (at, call) in calls.iter().enumerate() {
            let end = &mut ends[call.caller as usize];
            by_caller[*end] = (call.offset, index(at));
            *end += 1;
        }
        let mut sites = vec![0; sum];
        let mut start = 0;
        for (caller, &end) in ends[..functions].iter().enumerate() {
            let all = &mut by_caller[start..end];
            all.sort_unstable();
            for same in all.chunk_by(|a, b| a.0 == b.0) {
                let site = self.add(CALLING, caller, same[0].0.wrapping_add(1));
                same.iter().for_each(|&(_, at)| sites[at as usize] = site);
            }
            start = end;
        }
        sites
    }
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
