//! Locations as samples name them: over and over, and in any order.

use std::hint::black_box;
use std::iter::repeat_n;

use super::key::{Key, Site};
use super::own::Own;
use super::plan::{NONE, Place, Plan, lines_of};
use super::sums::{FAR, add_each};
use crate::profile::Profile;
use crate::strings::Str;

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
    /// Those of all locations of a profile, with rows for those that this part has.
    pub(super) fn of(profile: &'a Profile, width: usize, plan: Plan) -> Self {
        let Plan { places, own, part } = plan;
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
        let has = lines_of(self.profile, location).any(|(_, start_line, _)| start_line != 0);
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
