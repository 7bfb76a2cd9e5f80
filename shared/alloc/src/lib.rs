//! The allocator of every program: mimalloc, told how long to keep the pages of what was freed.
//!
//! By itself mimalloc 3 keeps them for a second. A worker merges many times a second, now one application and now another,
//! and what one merge freed seldom fits the next; so it holds a second's worth of them all. The figures are in
//! `tests/bench/README.md`, "Minutes under load".

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the crate does not name.
const PURGE_DELAY: mi_option_t = 15;
/// In milliseconds: what mimalloc 2 took.
const KEPT: c_long = 10;

/// Has the allocator give back within ten milliseconds what nobody took again. `MIMALLOC_PURGE_DELAY`, if it is set,
/// stands. To be called first in `main`, before there is another thread.
#[allow(unsafe_code)]
pub fn init() {
    // SAFETY: it bounds-checks the option and stores a number, in a table that is read without a lock: hence before
    // there is another thread. The measured need for it is in the module's documentation.
    unsafe { mi_option_set_default(PURGE_DELAY, KEPT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn the_option_of_that_number_is_the_delay() {
        // SAFETY: it bounds-checks the option and reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1_000, "mimalloc's own default: was its table of options renumbered?");
        init();
        assert_eq!(delay(), KEPT);
    }
}
