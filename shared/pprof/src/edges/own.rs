//! The edges that locations have of their own, from line to line. Samples name locations over and over, so their values are added up
//! by location first, in rows; those that are alike may have one.

use super::key::Key;
use super::sums::Sums;
use crate::profile::{Span, index};

/// Own edges of a part of all callers, of all locations.
#[derive(Clone)]
pub(super) struct Own {
    /// Of each location that has any.
    edges: Vec<Edges>,
    keys: Vec<Key>,
    /// How many rows each of both holders has.
    rows: [u32; 2],
}

#[derive(Clone, Copy)]
struct Edges {
    keys: Span,
    /// Whose row it is, and which.
    holder: u32,
    row: u32,
}

impl Own {
    pub(super) fn new() -> Self {
        // The first row of each is nobody's.
        Self { edges: Vec::new(), keys: Vec::new(), rows: [1; 2] }
    }

    /// Takes the edges of a location, those that are counted here, and makes a row for all of them. Whoever counts others has the
    /// same row for them.
    pub(super) fn add(&mut self, holder: usize, keys: impl Iterator<Item = Key>) -> u32 {
        let row = self.rows[holder];
        self.rows[holder] += 1;
        let start = self.keys.len();
        self.keys.extend(keys);
        if self.keys.len() > start {
            let keys = Span::since(start, self.keys.len());
            self.edges.push(Edges { keys, holder: index(holder), row });
        }
        row
    }

    /// Takes those of other locations behind these. By how much the rows of each holder move.
    pub(super) fn append(&mut self, other: &Self) -> [u32; 2] {
        // The first row is the same.
        let moved = self.rows.map(|rows| rows - 1);
        let before = self.keys.len();
        self.keys.extend_from_slice(&other.keys);
        self.edges.extend(other.edges.iter().map(|&Edges { keys, holder, row }| {
            let keys = keys.range();
            let keys = Span::since(before + keys.start, before + keys.end);
            Edges { keys, holder, row: row + moved[holder as usize] }
        }));
        self.rows = [0, 1].map(|holder| moved[holder] + other.rows[holder]);
        moved
    }

    pub(super) fn rows(&self, holder: usize) -> usize {
        self.rows[holder] as usize
    }

    /// Adds rows up by call, where a sample had anything: those of each holder are of so many values each.
    pub(super) fn finish(&self, rows: [&[i64]; 2], sums: &mut Sums) {
        let width = sums.width;
        let calls = self.edges.iter().flat_map(|&Edges { keys, holder, row }| {
            let at = row as usize * width;
            let values = &rows[holder as usize][at..at + width];
            let has_any = values.iter().any(|&value| value != 0);
            let keys = if has_any { &self.keys[keys.range()] } else { &[] };
            keys.iter().map(move |&key| (key, values))
        });
        sums.add_many(calls);
    }
}
