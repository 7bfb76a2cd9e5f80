//! From the ids of a profile, which are any 64-bit numbers but 0, to positions. Writers number densely
//! from 1, so that is an array; the rest goes to a map whose hash no uploader can foresee.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::error::{Error, Fault};
use crate::profile::index;

const NONE: u32 = u32::MAX;

pub(super) struct Ids {
    table: &'static str,
    /// How many entries there are, if each has the id after that of the one before, from 1 on.
    counted: Option<u64>,
    dense: Vec<u32>,
    sparse: HashMap<u64, u32, RandomState>,
}

impl Ids {
    pub(super) fn new(table: &'static str, count: usize) -> Self {
        Self { table, counted: Some(0), dense: vec![NONE; count + 1], sparse: HashMap::default() }
    }

    /// For so many entries of which each has the id after that of the one before, from 1 on.
    pub(super) fn counting(table: &'static str, count: usize) -> Self {
        Self { table, counted: Some(count as u64), dense: Vec::new(), sparse: HashMap::default() }
    }

    /// Takes the id of the entry at `position`; 0 and an id seen before are refused.
    pub(super) fn add(&mut self, id: u64, position: usize) -> Result<(), Error> {
        if id == 0 {
            return Err(Fault::ZeroId { table: self.table }.into());
        }
        self.counted = self.counted.filter(|&count| id == count + 1).map(|count| count + 1);
        let position = index(position);
        let before = match usize::try_from(id).ok().and_then(|id| self.dense.get_mut(id)) {
            Some(slot) => Some(std::mem::replace(slot, position)).filter(|&before| before != NONE),
            None => self.sparse.insert(id, position),
        };
        match before {
            Some(_) => Err(Fault::DuplicateId { table: self.table, id }.into()),
            None => Ok(()),
        }
    }

    /// How many entries there are, if their ids are just their positions counted from 1.
    pub(super) fn counted(&self) -> Option<u64> {
        self.counted
    }

    #[inline(always)]
    pub(super) fn position(&self, id: u64) -> Option<u32> {
        if let Some(count) = self.counted {
            return (id.wrapping_sub(1) < count).then(|| id.wrapping_sub(1) as u32);
        }
        match usize::try_from(id).ok().and_then(|id| self.dense.get(id)) {
            Some(&position) => Some(position).filter(|&position| position != NONE),
            None => self.sparse_position(id),
        }
    }

    #[cold]
    #[inline(never)]
    fn sparse_position(&self, id: u64) -> Option<u32> {
        self.sparse.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sparse_ids_are_found() {
        let mut ids = Ids::new("location", 2);
        ids.add(2, 0).unwrap();
        ids.add(u64::MAX, 1).unwrap();
        assert_eq!((ids.position(2), ids.position(u64::MAX)), (Some(0), Some(1)));
        assert_eq!((ids.position(0), ids.position(1), ids.position(3)), (None, None, None));
    }

    #[test]
    fn zero_and_repeated_ids_are_refused() {
        let mut ids = Ids::new("location", 1);
        let text = |error: Result<(), Error>| error.unwrap_err().to_string();
        assert_eq!(text(ids.add(0, 0)), "malformed profile: a location has the reserved id 0");
        for id in [1, 7] {
            ids.add(id, 0).unwrap();
            assert_eq!(text(ids.add(id, 1)), format!("malformed profile: two locations have the id {id}"));
        }
    }
}
