//! What AWS takes at the most.

use std::time::Duration;

/// Bytes of a request's body that an HTTP API takes. It cannot be raised.
pub(super) const GATEWAY: usize = 10 << 20;
/// Bytes of a request's line and headers that an HTTP API takes.
pub(super) const HEAD: usize = 10_240;
/// Bytes of an event for a function that is called and waited for, and of its answer: JSON, with the body in it.
pub(super) const EVENT: usize = 6_291_456;
/// How long an HTTP API waits for a function. It cannot be raised.
pub(super) const INTEGRATION: Duration = Duration::from_secs(30);
/// How long the worker may take over a batch: the time-out that such a function is given.
pub(super) const WORKER: Duration = Duration::from_secs(120);
/// How many messages there are in a batch at the most, where nothing else is set.
pub(super) const BATCH: usize = 10;
/// With how many batches at once the mapping of a queue begins.
pub(super) const AT_ONCE: usize = 5;
