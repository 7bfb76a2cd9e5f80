//! What one simulation is like, drawn from its seed. Each seed leaves out some actors and some faults altogether and
//! has much of others (swarm testing: Groce and others, 2012): a fault that is always there hides what happens
//! without it.

use std::time::Duration;

use super::chance::Chance;
use super::executor::{Pace, Policy};

/// How a store names versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    /// Each write has a fresh one: GCS, Azure.
    PerWrite,
    /// The hash of the content: S3, MinIO, files.
    OfContent,
}

/// How often, in a thousand calls, a store or a bus does what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A read, a look-up or a page of a listing fails.
    pub(crate) read: u64,
    /// A write, a copy or a removal fails and was not done.
    pub(crate) not_done: u64,
    /// It was done, but its answer is lost.
    pub(crate) answer_lost: u64,
    /// A write times out and lands later, if its condition holds then.
    pub(crate) late: u64,
    /// A conditional write of a base is refused though its condition holds.
    pub(crate) refused: u64,
    /// A staged object is put a second time, later: a request that was retried because it was slow.
    pub(crate) second_put: u64,
    /// A message cannot be published.
    pub(crate) unpublished: u64,
    /// A message is never delivered.
    pub(crate) dropped: u64,
    /// A message that is done is delivered again.
    pub(crate) duplicate: u64,
    /// The answer of the server does not reach its client.
    pub(crate) unanswered: u64,
    /// A process dies; of a thousand steps.
    pub(crate) crash: u64,
}

/// The plan of one simulation.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) pace: Pace,
    /// After how many steps everything stops where it is.
    pub(crate) steps: u64,
    pub(crate) versions: Versions,
    pub(crate) faults: Faults,
    /// How many keys a page of a listing has.
    pub(crate) page: usize,
    /// How far clocks are off, either way.
    pub(crate) skew: Duration,
    pub(crate) apps: usize,
    pub(crate) servers: usize,
    pub(crate) workers: usize,
    /// How many batches a worker handles at once.
    pub(crate) consumers: usize,
    /// How many messages a batch has at the most.
    pub(crate) batch: usize,
    /// How many uploads a merge takes at the most.
    pub(crate) merge_batch: usize,
    /// Whether bases are kept compacted.
    pub(crate) compact: bool,
    /// How many of the workers sweep too.
    pub(crate) sweepers: usize,
    /// How old a staged upload must be to be swept.
    pub(crate) sweep_after: Duration,
    /// Whether sweeps have a deadline.
    pub(crate) deadline: bool,
    /// Uploads by clients.
    pub(crate) uploads: usize,
    /// Uploads by a Go server.
    pub(crate) go_uploads: usize,
    /// `DELETE` requests by clients.
    pub(crate) deletes: usize,
    /// `DELETE` requests at a Go server.
    pub(crate) go_deletes: usize,
    /// How late clients start at the most.
    pub(crate) spread: Duration,
    /// Of a thousand uploads: byte-identical ones, ones of another period type, idle ones, and ones that carry
    /// reserved comments.
    pub(crate) identical: u64,
    pub(crate) wall: u64,
    pub(crate) idle: u64,
    pub(crate) reserved: u64,
    /// Of a thousand clients: ones that send again for hours, whatever they are answered.
    pub(crate) stubborn: u64,
    /// Of a thousand uploads by clients: ones that go straight into the store, with a ticket.
    pub(crate) tickets: u64,
    /// Of a thousand uploads by a Go server: ones that are no profile, or a heap profile.
    pub(crate) garbage: u64,
}

/// Drawn by itself, so that what else a seed decides is not changed by it.
fn tickets(seed: u64) -> u64 {
    let mut chance = Chance::from_seed(!seed);
    if chance.happens(400) { chance.pick(&[300, 1000]) } else { 0 }
}

const MINUTE: Duration = Duration::from_secs(60);

impl Plan {
    /// The plan of `seed`.
    pub(crate) fn draw(seed: u64) -> (Self, Chance) {
        let mut chance = Chance::from_seed(seed);
        let c = &mut chance;
        let faulty = c.happens(800);
        let rate = |c: &mut Chance| if faulty && c.happens(400) { c.pick(&[10, 50, 150]) } else { 0 };
        let faults = Faults {
            read: rate(c),
            not_done: rate(c),
            answer_lost: rate(c),
            late: rate(c),
            refused: rate(c),
            second_put: rate(c) * 3,
            unpublished: rate(c),
            dropped: rate(c) * 3,
            duplicate: rate(c) * 2,
            unanswered: rate(c),
            crash: rate(c) / 5,
        };
        let policy = if c.happens(300) {
            Policy::Uniform
        } else {
            Policy::Priorities { change: c.pick(&[10, 30, 100, 300]) }
        };
        let pace = Pace {
            policy,
            overlaps: c.pick(&[0, 30, 100, 300]),
            jumps: c.pick(&[0, 2, 10, 50]),
            freezes: c.pick(&[0, 0, 3, 10]),
            most: c.pick(&[1, 20, 90]) * MINUTE,
        };
        let often = |c: &mut Chance| if c.happens(300) { c.pick(&[100, 300, 600]) } else { 0 };
        let workers = c.index(3) + 1;
        let plan = Self {
            pace,
            steps: c.from(20, 100) * c.from(1, 6),
            versions: c.pick(&[Versions::PerWrite, Versions::OfContent]),
            faults,
            page: c.pick(&[1, 2, 1000]),
            skew: if c.happens(200) { c.pick(&[1, 150]) * Duration::from_secs(1) } else { Duration::ZERO },
            apps: if c.happens(150) { 2 } else { 1 },
            servers: c.index(2) + 1,
            workers,
            consumers: c.index(2) + 1,
            batch: c.pick(&[1, 2, 4, 10]),
            merge_batch: c.pick(&[1, 2, 100]),
            compact: c.happens(300),
            sweepers: c.index(workers + 1),
            sweep_after: c.pick(&[0, 0, 5]) * MINUTE,
            deadline: c.happens(200),
            uploads: c.index(6) + 1,
            go_uploads: if c.happens(400) { c.index(4) + 1 } else { 0 },
            deletes: if c.happens(600) { c.index(3) } else { 0 },
            go_deletes: if c.happens(300) { c.index(2) + 1 } else { 0 },
            spread: c.pick(&[Duration::ZERO, Duration::from_secs(1), MINUTE, 60 * MINUTE]),
            identical: often(c),
            wall: often(c),
            idle: often(c) / 3,
            reserved: often(c),
            stubborn: often(c),
            garbage: often(c),
            tickets: tickets(seed),
        };
        (plan, chance)
    }
}
