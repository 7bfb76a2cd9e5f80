//! Locations as the compiler sees them: each is looked at once, however many samples name it.

use super::calls::{Sums, add_each, sums_key};
use crate::profile::{Location, Profile, Span};
use crate::strings::Str;

/// How many pairs of lines are compared each with each; more are sorted.
const FEW: usize = 8;

const UNKNOWN: u32 = u32::MAX;

/// A node at the address of one location.
pub(super) type Line = (Str, i64, i64);

/// What a location is to a call.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) address: u64,
    /// Its outermost function, as a callee.
    pub(super) name: Str,
    /// Its sums in `Places::values`, if it has edges of its own.
    own: Option<u32>,
    pub(super) start_line: bool,
}

/// The places of a profile, found as they are asked for.
pub(super) struct Places<'a> {
    profile: &'a Profile,
    width: usize,
    places: Vec<Option<Place>>,
    /// What locations are numbered by as callers.
    sites: Vec<u32>,
    /// The calls from line to line within a location, of each that has any.
    edges: Vec<Span>,
    keys: Vec<u64>,
    values: Vec<i64>,
}

impl<'a> Places<'a> {
    pub(super) fn of(profile: &'a Profile, width: usize) -> Self {
        let places = vec![None; profile.locations.len()];
        let sites = vec![UNKNOWN; profile.locations.len()];
        Self { profile, width, places, sites, edges: Vec::new(), keys: Vec::new(), values: Vec::new() }
    }

    #[inline(always)]
    pub(super) fn at(&mut self, location: u32, sums: &mut Sums) -> Place {
        match self.places[location as usize] {
            Some(place) => place,
            None => self.find(location, sums),
        }
    }

    /// Adds values to the edges that a place has of its own.
    #[inline(always)]
    pub(super) fn add(&mut self, place: Place, values: &[i64]) {
        if let Some(own) = place.own {
            let at = own as usize * self.width;
            add_each(&mut self.values[at..at + self.width], values);
        }
    }

    /// Adds all of these up by call.
    pub(super) fn finish(self, sums: &mut Sums) {
        for (edges, values) in self.edges.iter().zip(self.values.chunks_exact(self.width)) {
            self.keys[edges.range()].iter().for_each(|&key| sums.add(key, values));
        }
    }

    /// The number of where the innermost function of a location calls from.
    #[inline(always)]
    pub(super) fn site(&mut self, at: u32, sums: &mut Sums) -> u32 {
        let known = &mut self.sites[at as usize];
        if *known == UNKNOWN {
            let innermost = self.profile.lines_of(&self.profile.locations[at as usize]).first();
            *known = site(innermost.map_or(NAMELESS, |it| line(self.profile, it)), sums);
        }
        *known
    }

    #[inline(never)]
    fn find(&mut self, at: u32, sums: &mut Sums) -> Place {
        let profile = self.profile;
        let location = &profile.locations[at as usize];
        let all = profile.lines_of(location);
        let own = if all.len() > 1 { self.own_edges(&lines(profile, location), sums) } else { None };
        let place = Place {
            address: location.address,
            name: all.last().map_or(NAMELESS, |it| line(profile, it)).0,
            own,
            start_line: all.iter().any(|it| line(profile, it).1 != 0),
        };
        self.places[at as usize] = Some(place);
        place
    }

    /// Makes room for the sums of these lines' edges, if there are any.
    fn own_edges(&mut self, lines: &[Line], sums: &mut Sums) -> Option<u32> {
        let start = self.keys.len();
        for (caller, callee) in own_edges(lines) {
            let site = site(caller, sums);
            self.keys.push(sums_key(site, callee.0));
        }
        let edges = Span::since(start, self.keys.len());
        (edges.len() > 0).then(|| {
            self.edges.push(edges);
            self.values.resize(self.edges.len() * self.width, 0);
            self.edges.len() as u32 - 1
        })
    }
}

/// A location that was not symbolized is one node without a name.
pub(super) const NAMELESS: Line = (Str::EMPTY, 0, 0);

fn line(profile: &Profile, line: &crate::profile::Line) -> Line {
    let function = &profile.functions[line.function as usize];
    (function.name, function.start_line, line.line)
}

/// A location's lines, the outermost first.
pub(super) fn lines(profile: &Profile, location: &Location) -> Vec<Line> {
    profile.lines_of(location).iter().rev().map(|it| line(profile, it)).collect()
}

/// Where a line calls from.
pub(super) fn site((name, start_line, line): Line, sums: &mut Sums) -> u32 {
    sums.site(name, line.wrapping_sub(start_line))
}

/// The edges from line to line of a location: each once, none from a node to itself.
pub(super) fn own_edges(lines: &[Line]) -> Vec<(Line, Line)> {
    let pairs = lines.iter().zip(lines.iter().skip(1)).map(|(&from, &to)| (from, to));
    let mut edges: Vec<(Line, Line)> = Vec::new();
    if lines.len() > FEW {
        edges.extend(pairs.filter(|(from, to)| from != to));
        edges.sort_unstable();
        edges.dedup();
        return edges;
    }
    for pair in pairs.filter(|(from, to)| from != to) {
        if !edges.contains(&pair) {
            edges.push(pair);
        }
    }
    edges
}
