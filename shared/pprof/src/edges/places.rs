//! Locations as the compiler sees them: each is looked at once, however many samples name it.

use std::hint::black_box;
use std::iter::repeat_n;

use super::alike::Alike;
use super::key::{Key, Site};
use super::own::Own;
use super::part::Part;
use super::sums::{FAR, Sums, add_each};
use crate::profile::{Location, Profile};
use crate::strings::Str;

/// How many pairs of lines are compared each with each; more are sorted.
const FEW: usize = 8;

const NONE: u32 = u32::MAX;

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
    own: u32,
    /// Where its innermost function calls from, or `NONE` if its calls are not counted.
    site: Site,
    /// From one place one function is called, mostly: that one.
    callee: Str,
    /// Where the sums of that call are, or `NONE` yet.
    sums: u32,
}

/// A call from one location to another.
pub(super) enum Link {
    /// Of which the sums are here.
    At(u32),
    New(Key),
    NotCounted,
}

/// The places of all locations of a profile, used or not, with rows of sums for the edges that some have of their own.
pub(super) struct Places<'a> {
    profile: &'a Profile,
    width: usize,
    places: Vec<Place>,
    /// Those that were found to have no start line, as long as that is asked for.
    startless: Vec<bool>,
    own: Own,
    rows: Vec<i64>,
}

impl<'a> Places<'a> {
    /// Those of callers that the sums are of have their calls counted; of locations, this part has its rows here.
    pub(super) fn of(profile: &'a Profile, width: usize, part: Part, sums: &mut Sums) -> Self {
        let count = profile.locations.len();
        let mut places = Vec::with_capacity(count);
        let mut own = Own::new();
        let mut alike = Alike::of(profile);
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        // One after the other, as they lie: samples name them in any order.
        for (at, location) in profile.locations.iter().enumerate() {
            let first = alike.first(at);
            if first < at {
                places.push(Place { address: location.address, ..places[first] });
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
        drop(alike);
        // Zeroes that are written. A page of memory that comes as zeroes would be mapped twice, for reading and then for
        // writing, and for the second time other cores are interrupted.
        let rows = repeat_n(0, own.rows(part.holder()) * width).collect();
        Self { profile, width, places, startless: Vec::new(), own, rows }
    }

    #[inline(always)]
    pub(super) fn at(&self, location: u32) -> Place {
        self.places[location as usize]
    }

    /// Looks at locations that will be asked for, if there are so many that they are far away: waiting for many takes about as long
    /// as for one.
    #[inline(always)]
    pub(super) fn look<'l>(&self, locations: impl Iterator<Item = &'l u32>) {
        if self.places.len() >= FAR {
            let seen = |seen, &at: &u32| seen ^ self.places[at as usize].address;
            black_box(locations.fold(0, seen));
        }
    }

    /// Whether a function of a location has a start line.
    pub(super) fn has_start_line(&mut self, at: u32) -> bool {
        // Samples name a location again and again.
        self.startless.resize(self.places.len(), false);
        if self.startless[at as usize] {
            return false;
        }
        let location = &self.profile.locations[at as usize];
        let has = self.profile.lines_of(location).iter().any(|it| line(self.profile, it).1 != 0);
        self.startless[at as usize] = !has;
        has
    }

    /// Adds values to the row of a place.
    #[inline(always)]
    pub(super) fn add(&mut self, place: Place, values: &[i64]) {
        let at = place.own as usize * self.width;
        add_each(&mut self.rows[at..at + self.width], values);
    }

    /// All samples were seen: the edges of locations, and the rows of those that had them here.
    pub(super) fn into_own(self) -> (Own, Vec<i64>) {
        (self.own, self.rows)
    }

    /// The call from the innermost function of a location to another function.
    #[inline(always)]
    pub(super) fn link(&self, from: Place, callee: Str) -> Link {
        if from.callee == callee && from.sums != NONE {
            Link::At(from.sums)
        } else if from.site == Site::NONE {
            Link::NotCounted
        } else {
            Link::New(Key::new(from.site, callee))
        }
    }

    /// Hears where the sums of a new call are.
    #[inline(always)]
    pub(super) fn hear(&mut self, from: u32, call: Key, sums: u32) {
        let place = &mut self.places[from as usize];
        (place.callee, place.sums) = (call.callee(), sums);
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
