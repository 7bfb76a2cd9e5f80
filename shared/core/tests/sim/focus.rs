//! Plans for what takes many steps in one order, some of them hours apart: few actors, no fault but the one that is
//! needed, tasks that stand still for long. What happens is still left to chance. Each of them once showed the harm
//! that a missing rule does.

use std::time::Duration;

use crate::sim::executor::{Pace, Policy};
use crate::sim::plan::{Faults, Plan, Versions};

const HOURS: Pace = Pace {
    policy: Policy::Priorities { change: 300 },
    overlaps: 0,
    jumps: 0,
    freezes: 60,
    most: Duration::from_secs(150 * 60),
};

/// One upload is merged by one worker while another, which has listed before and reads the base after, stands still
/// for longer than the grace time; and nobody removes what is staged.
pub(crate) fn two_workers_hours_apart(plan: &mut Plan) {
    *plan = Plan {
        pace: HOURS,
        steps: 250,
        faults: Faults { dropped: 300, ..Faults::default() },
        page: 1000,
        skew: Duration::ZERO,
        apps: 1,
        servers: 1,
        workers: 2,
        consumers: 1,
        batch: 1,
        sweepers: 0,
        uploads: 5,
        tickets: 0,
        go_uploads: 0,
        deletes: 0,
        go_deletes: 0,
        spread: Duration::from_secs(60),
        identical: 0,
        wall: 0,
        idle: 0,
        stubborn: 0,
        ..plan.clone()
    };
}

/// The same, but now uploads come hours apart, both workers hear of each, and what is staged is removed.
pub(crate) fn uploads_hours_apart(plan: &mut Plan) {
    two_workers_hours_apart(plan);
    plan.faults = Faults { duplicate: 100, ..Faults::default() };
    plan.spread = Duration::from_secs(3 * 60 * 60);
}

/// An application is deleted twice, the first time by a server whose clock is ahead, so that the mark of the second is
/// the same; and a worker stands still from before the second until its ledger has shrunk.
pub(crate) fn two_deletions_one_mark(plan: &mut Plan) {
    *plan = Plan {
        pace: Pace { most: Duration::from_secs(100 * 60), ..HOURS },
        steps: 300,
        versions: Versions::OfContent,
        faults: Faults::default(),
        page: 1000,
        skew: Duration::from_secs(150),
        apps: 1,
        servers: 1,
        workers: 2,
        consumers: 2,
        batch: 1,
        sweepers: 1,
        sweep_after: Duration::from_secs(5 * 60),
        deadline: false,
        uploads: 1,
        go_uploads: 0,
        deletes: 4,
        go_deletes: 1,
        spread: Duration::from_secs(60),
        identical: 0,
        wall: 0,
        idle: 0,
        stubborn: 0,
        ..plan.clone()
    };
}

/// An application is deleted while its first upload is being merged.
pub(crate) fn deletion_races_the_first_merge(plan: &mut Plan) {
    *plan = Plan {
        pace: Pace { policy: Policy::Priorities { change: 100 }, overlaps: 100, freezes: 0, ..HOURS },
        steps: 100,
        faults: Faults::default(),
        apps: 1,
        uploads: 1,
        tickets: 0,
        go_uploads: 0,
        deletes: 2,
        go_deletes: 0,
        sweep_after: Duration::ZERO,
        spread: Duration::from_secs(10),
        idle: 0,
        stubborn: 0,
        ..plan.clone()
    };
}

/// Uploads of two kinds are set aside and land a second time, while the application is deleted again and again.
pub(crate) fn set_aside_and_deleted(plan: &mut Plan) {
    *plan = Plan {
        pace: Pace { overlaps: 300, freezes: 5, most: Duration::from_secs(60), ..HOURS },
        steps: 200,
        faults: Faults { second_put: 600, ..Faults::default() },
        skew: Duration::ZERO,
        apps: 1,
        workers: 2,
        consumers: 1,
        uploads: 3,
        go_uploads: 1,
        deletes: 3,
        go_deletes: 1,
        spread: Duration::from_secs(5),
        wall: 500,
        idle: 0,
        garbage: 600,
        ..plan.clone()
    };
}

/// Idle services and busy ones of two kinds, and nothing is deleted: a base keeps its kind.
pub(crate) fn idle_and_mixed(plan: &mut Plan) {
    *plan = Plan {
        steps: plan.steps.min(150),
        uploads: 5,
        go_uploads: 0,
        deletes: 0,
        go_deletes: 0,
        spread: Duration::ZERO,
        batch: 10,
        wall: 400,
        idle: 400,
        stubborn: 0,
        ..plan.clone()
    };
}

/// Uploads of two kinds, and several workers that each may make the base one of either: one process has one merge of an
/// application at a time, so that it takes more than one to lose a race.
pub(crate) fn mixed_by_several(plan: &mut Plan) {
    idle_and_mixed(plan);
    plan.apps = 1;
    plan.workers = 3;
    plan.consumers = 1;
    plan.idle = 0;
    plan.faults = Faults { duplicate: 100, ..Faults::default() };
}

/// Tickets that are completed again and again while what they were for is merged, settled and set aside.
pub(crate) fn completed_twice(plan: &mut Plan) {
    *plan = Plan {
        pace: Pace { overlaps: 300, freezes: 5, most: Duration::from_secs(60), ..HOURS },
        steps: 300,
        faults: Faults { unanswered: 300, answer_lost: 50, duplicate: 100, ..Faults::default() },
        skew: Duration::ZERO,
        apps: 1,
        servers: 2,
        workers: 2,
        uploads: 3,
        tickets: 1000,
        go_uploads: 0,
        deletes: 0,
        go_deletes: 0,
        spread: Duration::from_secs(5),
        idle: 0,
        ..plan.clone()
    };
}

/// Completions that race deletions.
pub(crate) fn completed_and_deleted(plan: &mut Plan) {
    completed_twice(plan);
    plan.deletes = 3;
    plan.go_deletes = 1;
    plan.wall = 300;
    plan.garbage = 0;
}

/// Tickets that somebody uses for hours, and few other uploads: the ledger has long forgotten them.
pub(crate) fn tickets_hours_apart(plan: &mut Plan) {
    *plan = Plan {
        pace: Pace { freezes: 10, ..HOURS },
        steps: 600,
        faults: Faults::default(),
        skew: Duration::ZERO,
        apps: 1,
        workers: 1,
        consumers: 1,
        sweepers: 1,
        sweep_after: Duration::ZERO,
        deadline: false,
        uploads: 5,
        tickets: 500,
        stubborn: 600,
        go_uploads: 0,
        deletes: 0,
        go_deletes: 0,
        spread: Duration::from_secs(3 * 60 * 60),
        idle: 0,
        identical: 0,
        ..plan.clone()
    };
}
