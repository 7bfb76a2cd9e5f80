//! The partitions of a consumer: those it has, and those it has just given up and may get back.

use std::collections::BTreeMap;

use super::super::track::Track;
use super::receipt::Receipt;

/// A partition: of which topic of the subscription, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Place {
    pub(in super::super) topic: usize,
    pub(in super::super) partition: i32,
}

/// How far a partition is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Head {
    pub(in super::super) place: Place,
    pub(in super::super) offset: i64,
    life: u64,
}

/// How things stand with a delivery that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Standing {
    /// Kafka has that.
    Committed,
    /// Its partition's head is behind it or before another that is not done, so that there is nothing to tell Kafka.
    Behind,
    /// Kafka is to be told.
    Due,
    /// Its partition is between two hands, and may come back.
    Parked,
    /// Its partition is somebody else's, or was in between.
    Gone,
}

/// The partitions.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: BTreeMap<Place, Part>,
    lives: u64,
}

#[derive(Debug)]
struct Part {
    life: u64,
    owned: bool,
    track: Track,
    /// The group's offset, as far as we know.
    committed: Option<i64>,
}

impl Part {
    fn head(&self, place: Place) -> Option<Head> {
        let offset = self.track.head().filter(|head| self.committed != Some(*head))?;
        Some(Head { place, offset, life: self.life })
    }
}

impl Parts {
    /// None, in lives after those of `others`.
    pub(super) fn following(others: &Self) -> Self {
        Self { parts: BTreeMap::new(), lives: others.lives }
    }

    /// A record came. `None`: it is known, or not ours any more.
    pub(super) fn came(&mut self, place: Place, offset: i64) -> Option<Receipt> {
        let part = self.parts.get_mut(&place).filter(|part| part.owned)?;
        part.track.came(offset).then_some(Receipt { place, life: part.life, offset, times: 1 })
    }

    pub(super) fn wants(&self, receipt: &Receipt) -> bool {
        self.part(receipt).is_some_and(|part| part.owned && part.track.wants(receipt.offset, receipt.times))
    }

    pub(super) fn done(&mut self, receipt: &Receipt) {
        if let Some(part) = self.part_mut(receipt) {
            part.track.done(receipt.offset);
        }
    }

    /// The receipt for the next time, and whether the partition is ours at the moment.
    pub(super) fn back(&mut self, receipt: Receipt) -> Option<(Receipt, bool)> {
        let part = self.part_mut(&receipt)?;
        let times = part.track.back(receipt.offset, receipt.times)?;
        Some((Receipt { times, ..receipt }, part.owned))
    }

    pub(super) fn standing(&self, receipt: &Receipt) -> Standing {
        let Some(part) = self.part(receipt) else { return Standing::Gone };
        match part.track.head() {
            _ if part.committed.is_some_and(|committed| committed > receipt.offset) => Standing::Committed,
            Some(head) if head > receipt.offset && part.owned => Standing::Due,
            Some(head) if head > receipt.offset => Standing::Parked,
            _ => Standing::Behind,
        }
    }

    /// The heads that Kafka does not have, of all partitions, parked ones too.
    pub(super) fn heads(&self) -> Vec<Head> {
        self.parts.iter().filter_map(|(place, part)| part.head(*place)).collect()
    }

    pub(super) fn committed(&mut self, heads: &[Head]) {
        for head in heads {
            let part = self.parts.get_mut(&head.place).filter(|part| part.life == head.life);
            if let Some(part) = part {
                part.committed = Some(head.offset);
            }
        }
    }

    pub(super) fn park(&mut self) {
        self.parts.values_mut().for_each(|part| part.owned = false);
    }

    pub(super) fn own(&mut self, place: Place, offset: Option<i64>) -> Option<i64> {
        if let Some(part) = self.parts.get_mut(&place).filter(|part| part.committed == offset) {
            part.owned = true;
            return part.track.next();
        }
        self.lives += 1;
        let part = Part { life: self.lives, owned: true, track: Track::starting(offset), committed: offset };
        self.parts.insert(place, part);
        offset
    }

    pub(super) fn settle(&mut self) {
        self.parts.retain(|_, part| part.owned);
    }

    fn part(&self, receipt: &Receipt) -> Option<&Part> {
        self.parts.get(&receipt.place).filter(|part| part.life == receipt.life)
    }

    fn part_mut(&mut self, receipt: &Receipt) -> Option<&mut Part> {
        self.parts.get_mut(&receipt.place).filter(|part| part.life == receipt.life)
    }
}
