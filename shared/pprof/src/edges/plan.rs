//! What locations are to calls, before anything is counted: each is looked at once.

use std::ops::Range;

use super::alike::Alike;
use super::key::{Key, Site};
use super::own::Own;
use super::part::Part;
use super::sums::Sums;
use crate::profile::{Location, Profile};
use crate::strings::Str;

/// How many pairs of lines are compared each with each; more are sorted.
const FEW: usize = 8;

pub(super) const NONE: u32 = u32::MAX;

/// The sums that are added to for those that have none of their own: samples name these and others in no order, and asking each
/// would mostly be guessed wrong.
const NOBODYS: u32 = 0;

/// A node at the address of one location.
pub(super) type Line = (Str, i64, i64);

/// What a location is to calls. All of it in one place, as samples name locations all over.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) address: u64,
    /// Its outermost function, as a callee.
    pub(super) name: Str,
    /// Its row in `Places::rows`, perhaps with others: the first, which is nobody's, if it has no edges of its own, or another adds to them.
    pub(super) own: u32,
    /// Where its innermost function calls from, or `NONE` if its calls are not counted.
    pub(super) site: Site,
    /// From one place one function is called, mostly: that one.
    pub(super) callee: Str,
    /// Where the sums of that call are, or `NONE` yet.
    pub(super) sums: u32,
}

/// The places of locations, used or not, and the edges that some have of their own.
pub(super) struct Plan {
    pub(super) places: Vec<Place>,
    pub(super) own: Own,
    /// Which rows are had here.
    pub(super) part: Part,
}

impl Plan {
    /// Of some locations of a profile. Those of callers that the sums are of have their calls counted; of locations, this part has its
    /// rows.
    pub(super) fn of(profile: &Profile, locations: Range<usize>, part: Part, sums: &mut Sums) -> Self {
        let start = locations.start;
        let mut places: Vec<Place> = Vec::with_capacity(locations.len());
        let mut own = Own::new();
        let mut alike = Alike::of(profile);
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        // One after the other, as they lie: samples name them in any order.
        for at in locations {
            let location = &profile.locations[at];
            let first = alike.first(at);
            if first < at {
                places.push(Place { address: location.address, ..places[first - start] });
                continue;
            }
            let lines = profile.lines_of(location);
            let name = lines.last().map_or(NAMELESS, |it| line(profile, it)).0;
            let innermost = lines.first().map_or(NAMELESS, |it| line(profile, it));
            let mut place = Place {
                address: location.address,
                name,
                own: NOBODYS,
                site: site(innermost, sums).unwrap_or(Site::NONE),
                callee: Str::EMPTY,
                sums: NONE,
            };
            if lines.len() > 1 {
                nodes.clear();
                nodes.extend(lines_of(profile, location));
                own_edges(&nodes, &mut edges);
                if !edges.is_empty() {
                    let key = |&(from, to): &(Line, Line)| Some(Key::new(site(from, sums)?, to.0));
                    let row = own.add(part.holder_of(at), edges.iter().filter_map(key));
                    if part.has(at) {
                        place.own = row;
                    }
                }
            }
            places.push(place);
        }
        Self { places, own, part }
    }

    /// Those of all locations, of which each has a half.
    pub(super) fn joined([first, behind]: &[Self; 2]) -> Self {
        let mut own = first.own.clone();
        let rows = own.append(&behind.own)[first.part.holder()];
        let mut places = Vec::with_capacity(first.places.len() + behind.places.len());
        places.extend_from_slice(&first.places);
        places.extend(behind.places.iter().map(|&place| match place.own {
            NOBODYS => place,
            row => Place { own: row + rows, ..place },
        }));
        Self { places, own, part: first.part }
    }
}

/// A location that was not symbolized is one node without a name.
pub(super) const NAMELESS: Line = (Str::EMPTY, 0, 0);

fn line(profile: &Profile, line: &crate::profile::Line) -> Line {
    let function = &profile.functions[line.function as usize];
    (function.name, function.start_line, line.line)
}

/// A location's lines, the outermost first.
pub(super) fn lines_of(profile: &Profile, location: &Location) -> impl Iterator<Item = Line> {
    profile.lines_of(location).iter().rev().map(|it| line(profile, it))
}

/// Where a line calls from, if its calls are counted.
pub(super) fn site((name, start_line, line): Line, sums: &mut Sums) -> Option<Site> {
    sums.site(name, line.wrapping_sub(start_line))
}

/// The edges from line to line of a location: each once, none from a node to itself.
pub(super) fn own_edges(lines: &[Line], edges: &mut Vec<(Line, Line)>) {
    edges.clear();
    let pairs = lines.iter().zip(lines.iter().skip(1)).map(|(&from, &to)| (from, to));
    let pairs = pairs.filter(|(from, to)| from != to);
    if lines.len() > FEW {
        edges.extend(pairs);
        edges.sort_unstable();
        edges.dedup();
        return;
    }
    for pair in pairs {
        if !edges.contains(&pair) {
            edges.push(pair);
        }
    }
}
