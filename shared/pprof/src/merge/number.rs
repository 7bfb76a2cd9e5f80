//! The numbers of a base's locations: samples name them, so they are most of a profile, and the order of
//! the table makes much of how well it compresses.

use std::sync::{Mutex, PoisonError};

use super::tidy::LARGE;
use crate::cores::both;
use crate::profile::{Location, Profile};

/// Numbers the locations anew: those that most frames name come first, so that their ids take one byte on
/// the wire; among ids of one length they are sorted by address, which gzip makes far less of.
pub(super) fn number_by_use(profile: &mut Profile, uses: &[u32]) {
    let locations = &mut profile.locations;
    // The most used are the smallest, and of those alike the first.
    let mut rest: Vec<u64> =
        (0..).zip(uses).map(|(at, &uses): (u64, _)| u64::from(!uses) << 32 | at).collect();
    let mut order: Vec<(u64, u32)> = Vec::with_capacity(rest.len());
    let mut bits = 7;
    while !rest.is_empty() {
        let count = rest.len().min((1 << bits) - (1 << (bits - 7)));
        if count < rest.len() {
            rest.select_nth_unstable(count);
        }
        let start = order.len();
        order.extend(rest.drain(..count).map(|at| (locations[at as u32 as usize].address, at as u32)));
        order[start..].sort_unstable();
        bits += 7;
    }
    let mut places = vec![0; order.len()];
    let mut numbered = Vec::with_capacity(order.len());
    for (place, (_, old)) in (0..).zip(order) {
        places[old as usize] = place;
        numbered.push(Location { id: u64::from(place) + 1, ..locations[old as usize].clone() });
    }
    *locations = numbered;
    let frames = &mut profile.samples.frames;
    let large = frames.len() >= LARGE;
    let pieces = Mutex::new(frames.chunks_mut(PIECE));
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let place = || {
        while let Some(piece) = next() {
            piece.iter_mut().for_each(|frame| *frame = places[*frame as usize]);
        }
    };
    both(large, place, place);
}

/// How many frames one of two threads takes at once: slices, for they are written to, and so not [`Shares`](crate::shares::Shares).
const PIECE: usize = 16 << 10;
