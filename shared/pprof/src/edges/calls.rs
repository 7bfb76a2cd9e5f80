//! Counts call edges as the compiler does, with all values of the samples at once.
//!
//! The rules are those of internal/profile/graph.go (`NewGraph`) and cmd/internal/pgo/pprof.go. A node is
//! a function's name, start line and line at an address. Of a stack only the leaf's location and its
//! caller's count, with their inlined lines; from each node to the next goes an edge, once a sample, and
//! none from a node to itself. Edges are then added up by caller, callee and the line's offset.
//!
//! Go walks over the lines for every sample. Here each location's own edges are found once and get the
//! sum of its samples, and so does the link between each pair of locations, so that the work follows the
//! size of the profile and not samples times lines.

use std::hash::Hash;

use super::index;
use crate::error::{Error, Fault};
use crate::index::Numbers;
use crate::profile::{Profile, Span};
use crate::strings::Str;

/// What the compiler tells edges apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) caller: Str,
    pub(crate) callee: Str,
    /// The line of the call less the start line of the caller.
    pub(crate) offset: i64,
}

/// The edges of a profile with the sums of their samples' values.
pub(crate) struct Calls<'a> {
    profile: &'a Profile,
    /// Which value is the weight.
    weight: usize,
    /// Sorted as the compiler sorts them; those without weight are last.
    calls: Vec<Call>,
    /// As many for each call as there are sample types.
    values: Vec<i64>,
    total: i64,
}

impl<'a> Calls<'a> {
    pub(crate) fn of(profile: &'a Profile) -> Result<Self, Error> {
        let none = Self { profile, weight: 0, calls: Vec::new(), values: Vec::new(), total: 0 };
        if profile.samples.len() == 0 {
            return Ok(none);
        }
        let weight = weight_index(profile)?;
        check_weights(profile, weight)?;
        let mut counter = Counter::new(profile);
        for sample in (0..profile.samples.len()).filter(|&sample| !profile.samples.is_zero(sample)) {
            counter.add(sample, profile.samples.values(sample)[weight] != 0);
        }
        if counter.weighed && !counter.start_line {
            return Err(Fault::NoStartLine.into());
        }
        let (calls, values) = counter.finish();
        Self { weight, calls, values, ..none }.ordered()
    }

    fn ordered(mut self) -> Result<Self, Error> {
        let width = self.profile.samples.width;
        let total: i128 =
            self.values.iter().skip(self.weight).step_by(width).map(|&value| i128::from(value)).sum();
        self.total = i64::try_from(total).map_err(|_| overflow(self.profile, self.weight))?;
        let ranks = self.profile.strings.ranks(self.calls.iter().flat_map(|call| [call.caller, call.callee]));
        let rank = |name: Str| ranks[name.at()];
        let mut order: Vec<usize> =
            (0..self.calls.len()).filter(|&at| self.values_at(at).iter().any(|&v| v != 0)).collect();
        order.sort_unstable_by_key(|&at| {
            let call = self.calls[at];
            (
                std::cmp::Reverse(self.values_at(at)[self.weight]),
                rank(call.caller),
                rank(call.callee),
                call.offset,
            )
        });
        let calls = order.iter().map(|&at| self.calls[at]).collect();
        let values = order.iter().flat_map(|&at| self.values_at(at)).copied().collect();
        Ok(Self { calls, values, ..self })
    }

    /// The values of the call at this place.
    fn values_at(&self, at: usize) -> &[i64] {
        let width = self.profile.samples.width;
        &self.values[at * width..(at + 1) * width]
    }

    /// Every call with its values, in the compiler's order. The last ones may have no weight.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (Call, &[i64])> {
        self.calls.iter().enumerate().map(|(at, &call)| (call, self.values_at(at)))
    }

    /// The calls that the compiler sees, with their weights.
    pub(crate) fn weighted(&self) -> Vec<(Call, i64)> {
        let weighted = self.iter().map(|(call, values)| (call, values[self.weight]));
        weighted.take_while(|&(_, weight)| weight > 0).collect()
    }

    pub(crate) fn total(&self) -> i64 {
        self.total
    }
}

/// The first sample type that the compiler takes as a weight.
fn weight_index(profile: &Profile) -> Result<usize, Error> {
    let usable = |kind: &crate::ValueType<'_>| {
        matches!((kind.kind, kind.unit), ("samples", "count") | ("cpu", "nanoseconds"))
    };
    let wanted = "samples/count or cpu/nanoseconds";
    profile
        .sample_types()
        .position(|kind| usable(&kind))
        .ok_or_else(|| crate::check::wrong_types(profile, wanted))
}

/// No weight may be negative, and all together must fit: then so does every edge's sum.
fn check_weights(profile: &Profile, weight: usize) -> Result<(), Error> {
    let mut sum = 0_i64;
    for sample in 0..profile.samples.len() {
        let value = profile.samples.values(sample)[weight];
        if value < 0 {
            return Err(crate::check::negative(profile, sample, weight));
        }
        sum = sum.checked_add(value).ok_or_else(|| overflow(profile, weight))?;
    }
    Ok(())
}

fn overflow(profile: &Profile, weight: usize) -> Error {
    let sample_type = profile.value_type(profile.header.sample_types[weight]).to_string();
    Fault::Overflow { sample_type }.into()
}

/// A node of the compiler's graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    address: u64,
    name: Str,
    start_line: i64,
    line: i64,
}

/// A location as the compiler sees it.
#[derive(Clone, Copy)]
struct Chain {
    outermost: u32,
    innermost: u32,
    /// Its own edges, in `Counter::chain_edges`: each once, in ascending order.
    edges: Span,
    start_line: bool,
}

struct Counter<'a> {
    profile: &'a Profile,
    nodes: Numbers<Node>,
    /// Edges between nodes, not yet added up.
    edges: Numbers<(u32, u32)>,
    chains: Vec<Option<Chain>>,
    chain_edges: Vec<u32>,
    /// Sums by location, and by pair of caller's and leaf's location.
    alone: Vec<i64>,
    linked: Sums<(u32, u32)>,
    /// Whether any sample had a weight, and whether one of these had a start line.
    weighed: bool,
    start_line: bool,
}

impl<'a> Counter<'a> {
    fn new(profile: &'a Profile) -> Self {
        let width = profile.samples.width;
        Self {
            profile,
            nodes: Numbers::new(),
            edges: Numbers::new(),
            chains: vec![None; profile.locations.len()],
            chain_edges: Vec::new(),
            alone: vec![0; profile.locations.len() * width],
            linked: Sums::new(width),
            weighed: false,
            start_line: false,
        }
    }

    fn add(&mut self, sample: usize, weighed: bool) {
        self.weighed |= weighed;
        let profile = self.profile;
        let (stack, values) = (profile.samples.stack(sample), profile.samples.values(sample));
        let top = &stack[..stack.len().min(2)];
        for &location in top {
            let chain = self.chain(location);
            self.start_line |= weighed && chain.start_line;
        }
        match *top {
            [leaf, caller] => {
                self.linked.add((caller, leaf), values);
                self.add_alone(leaf, values);
                if caller != leaf {
                    self.add_alone(caller, values);
                }
            }
            [leaf] => self.add_alone(leaf, values),
            _ => {}
        }
    }

    fn add_alone(&mut self, location: u32, values: &[i64]) {
        let at = location as usize * values.len();
        combine_each(&mut self.alone[at..at + values.len()], values, i64::wrapping_add);
    }

    fn chain(&mut self, at: u32) -> Chain {
        if let Some(chain) = self.chains[at as usize] {
            return chain;
        }
        let location = &self.profile.locations[at as usize];
        let address = location.address;
        let start = self.chain_edges.len();
        let mut chain = Chain { outermost: 0, innermost: 0, edges: Span::default(), start_line: false };
        let mut before = None;
        let lines = self.profile.lines_of(location);
        let known = lines.iter().rev().map(|line| {
            let function = &self.profile.functions[line.function as usize];
            Node { address, name: function.name, start_line: function.start_line, line: line.line }
        });
        // A location that was not symbolized is one node without a name.
        let unknown = lines.is_empty().then_some(Node { address, name: Str::EMPTY, start_line: 0, line: 0 });
        for node in known.chain(unknown) {
            chain.start_line |= node.start_line != 0;
            let node = self.node(node);
            match before {
                None => chain.outermost = node,
                Some(before) if before != node => {
                    let edge = self.edge(before, node);
                    self.chain_edges.push(edge);
                }
                Some(_) => {}
            }
            before = Some(node);
            chain.innermost = node;
        }
        self.chain_edges[start..].sort_unstable();
        let own = start + dedup(&mut self.chain_edges[start..]);
        self.chain_edges.truncate(own);
        chain.edges = Span::since(start, own);
        self.chains[at as usize] = Some(chain);
        chain
    }

    fn node(&mut self, node: Node) -> u32 {
        index(self.nodes.of(node))
    }

    fn edge(&mut self, from: u32, to: u32) -> u32 {
        index(self.edges.of((from, to)))
    }

    /// The calls and their values.
    fn finish(mut self) -> (Vec<Call>, Vec<i64>) {
        let width = self.profile.samples.width;
        let linked = std::mem::replace(&mut self.linked, Sums::new(width));
        let links: Vec<Option<u32>> = linked.keys().iter().map(|&pair| self.link(pair)).collect();
        // First by edge between nodes, then by call: there are far fewer of these.
        let mut edges = vec![0; self.edges.things().len() * width];
        let mut add = |edge: u32, values: &[i64], combine: fn(i64, i64) -> i64| {
            let at = edge as usize * width;
            combine_each(&mut edges[at..at + width], values, combine);
        };
        for (chain, values) in self.chains.iter().zip(self.alone.chunks_exact(width)) {
            let Some(chain) = chain else { continue };
            for &edge in &self.chain_edges[chain.edges.range()] {
                add(edge, values, i64::wrapping_add);
            }
        }
        for ((at, &(caller, leaf)), link) in linked.keys().iter().enumerate().zip(links) {
            let values = linked.values(at);
            // The link's own edge, where neither location has it already.
            if let Some(edge) = link {
                add(edge, values, i64::wrapping_add);
            }
            if caller != leaf {
                // An edge that both locations have counts once.
                for edge in common(self.own_edges(caller), self.own_edges(leaf)) {
                    add(edge, values, i64::wrapping_sub);
                }
            }
        }
        let mut sums = Sums::new(width);
        for (edge, values) in edges.chunks_exact(width).enumerate() {
            sums.add(self.call(edge), values);
        }
        (sums.keys.things().to_vec(), sums.values)
    }

    fn link(&mut self, (caller, leaf): (u32, u32)) -> Option<u32> {
        let (from, to) = (self.chain(caller).innermost, self.chain(leaf).outermost);
        if from == to {
            return None;
        }
        let edge = self.edge(from, to);
        let has = |location| self.own_edges(location).binary_search(&edge).is_ok();
        (!has(caller) && !has(leaf)).then_some(edge)
    }

    fn own_edges(&self, location: u32) -> &[u32] {
        self.chains[location as usize].map_or(&[], |chain| &self.chain_edges[chain.edges.range()])
    }

    fn call(&self, edge: usize) -> Call {
        let (from, to) = self.edges.things()[edge];
        let [from, to] = [from, to].map(|node| self.nodes.things()[node as usize]);
        Call { caller: from.name, callee: to.name, offset: from.line.wrapping_sub(from.start_line) }
    }
}

/// Moves the distinct ones of a sorted slice to its front; how many they are.
fn dedup(sorted: &mut [u32]) -> usize {
    let mut kept = 0;
    for at in 0..sorted.len() {
        if at == 0 || sorted[at] != sorted[kept - 1] {
            sorted[kept] = sorted[at];
            kept += 1;
        }
    }
    kept
}

/// What two ascending slices have in common.
fn common<'a>(mut a: &'a [u32], mut b: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
    std::iter::from_fn(move || {
        while let (Some((&x, rest_a)), Some((&y, rest_b))) = (a.split_first(), b.split_first()) {
            match x.cmp(&y) {
                std::cmp::Ordering::Less => a = rest_a,
                std::cmp::Ordering::Greater => b = rest_b,
                std::cmp::Ordering::Equal => {
                    (a, b) = (rest_a, rest_b);
                    return Some(x);
                }
            }
        }
        None
    })
}

fn combine_each(sums: &mut [i64], values: &[i64], combine: fn(i64, i64) -> i64) {
    sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum = combine(*sum, value));
}

/// Sums of value vectors by key, in the order in which keys came.
struct Sums<K> {
    width: usize,
    keys: Numbers<K>,
    values: Vec<i64>,
}

impl<K: Copy + Eq + Hash> Sums<K> {
    fn new(width: usize) -> Self {
        Self { width, keys: Numbers::new(), values: Vec::new() }
    }

    fn keys(&self) -> &[K] {
        self.keys.things()
    }

    fn values(&self, at: usize) -> &[i64] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    fn add(&mut self, key: K, values: &[i64]) {
        let at = self.keys.of(key) * self.width;
        if at == self.values.len() {
            self.values.extend_from_slice(values);
        } else {
            combine_each(&mut self.values[at..at + self.width], values, i64::wrapping_add);
        }
    }
}
