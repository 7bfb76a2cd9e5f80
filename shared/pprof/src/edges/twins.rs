//! Leaves and callers at one address, where a node of the one may be a node of the other: recursion, and
//! profiles without addresses. An edge that both have, or that one has and that also leads from one to the
//! other, counts once a sample. So these pairs are added up first, and their edges found once a pair.

use super::key::Key;
use super::plan::{Line, NAMELESS, lines_of, own_edges, site};
use super::sums::{Sums, add_each};
use crate::index::Numbers;
use crate::profile::Profile;

/// The pairs of a profile with the sums of their samples.
pub(super) struct Twins<'a> {
    profile: &'a Profile,
    width: usize,
    /// Caller and leaf.
    pairs: Numbers<(u32, u32)>,
    by_pair: Vec<i64>,
    locations: Numbers<u32>,
    by_location: Vec<i64>,
}

/// A location's lines, and its own edges in ascending order, as numbers that all locations share: they are
/// compared for many pairs.
struct Twin {
    outermost: u32,
    innermost: u32,
    edges: Vec<u32>,
}

impl<'a> Twins<'a> {
    pub(super) fn of(profile: &'a Profile, width: usize) -> Self {
        Self {
            profile,
            width,
            pairs: Numbers::new(),
            by_pair: Vec::new(),
            locations: Numbers::new(),
            by_location: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, caller: u32, leaf: u32, values: &[i64]) {
        add_at(self.pairs.of((caller, leaf)), &mut self.by_pair, values);
        add_at(self.locations.of(leaf), &mut self.by_location, values);
        if caller != leaf {
            add_at(self.locations.of(caller), &mut self.by_location, values);
        }
    }

    /// Adds all of these up by call, of those callers that the sums are of: to each location's own edges what its samples have, to the edge from
    /// one to the other what the pair's have; and an edge that both have was counted once too often.
    pub(super) fn finish(&mut self, sums: &mut Sums) {
        let (mut nodes, mut edges) = (Numbers::new(), Numbers::new());
        let twins: Vec<Twin> = self
            .locations
            .things()
            .iter()
            .map(|&at| Twin::of(self.profile, at, &mut nodes, &mut edges))
            .collect();
        // Of each edge the place of its sums, if it was asked for and its caller's calls are counted.
        let mut places: Vec<Option<Option<u32>>> = Vec::new();
        let mut add = |edge: u32, (from, to): (u32, u32), values: &[i64]| {
            places.resize(places.len().max(edge as usize + 1), None);
            let place = places[edge as usize].get_or_insert_with(|| {
                let [from, to]: [Line; 2] = [from, to].map(|at| nodes.things()[at as usize]);
                site(from, sums).map(|site| sums.place(Key::new(site, to.0)))
            });
            if let Some(place) = *place {
                sums.add_at(place, values);
            }
        };
        for (twin, values) in twins.iter().zip(self.by_location.chunks_exact(self.width)) {
            twin.edges.iter().for_each(|&edge| add(edge, edges.things()[edge as usize], values));
        }
        let pairs = self.pairs.things().iter().zip(self.by_pair.chunks_exact(self.width));
        let mut less = Vec::with_capacity(self.width);
        for (&(caller, leaf), values) in pairs {
            let [from, to] = [caller, leaf].map(|at| &twins[self.locations.of(at)]);
            if from.innermost != to.outermost {
                let ends = (from.innermost, to.outermost);
                let link = edges.of(ends) as u32;
                if ![from, to].iter().any(|twin| twin.edges.binary_search(&link).is_ok()) {
                    add(link, ends, values);
                }
            }
            if caller != leaf {
                less.clear();
                less.extend(values.iter().map(|value| value.wrapping_neg()));
                for edge in common(&from.edges, &to.edges) {
                    add(edge, edges.things()[edge as usize], &less);
                }
            }
        }
    }
}

impl Twin {
    fn of(profile: &Profile, at: u32, nodes: &mut Numbers<Line>, edges: &mut Numbers<(u32, u32)>) -> Self {
        let lines: Vec<Line> = lines_of(profile, &profile.locations[at as usize]).collect();
        let mut number = |line: Line| nodes.of(line) as u32;
        let mut own = Vec::new();
        own_edges(&lines, &mut own);
        let mut own: Vec<u32> =
            own.into_iter().map(|(from, to)| edges.of((number(from), number(to))) as u32).collect();
        own.sort_unstable();
        Self {
            outermost: number(*lines.first().unwrap_or(&NAMELESS)),
            innermost: number(*lines.last().unwrap_or(&NAMELESS)),
            edges: own,
        }
    }
}

fn add_at(at: usize, sums: &mut Vec<i64>, values: &[i64]) {
    let at = at * values.len();
    if at == sums.len() {
        sums.extend(values);
    } else {
        add_each(&mut sums[at..at + values.len()], values);
    }
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
