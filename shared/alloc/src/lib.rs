//! The allocator of every program. On Linux with glibc it is glibc's own, told to keep what was freed for the next merge;
//! elsewhere mimalloc, as that of musl is slow.
//!
//! By itself glibc gives large pieces back to the system at once, and a fold has the same memory cleared again each time.
//! mimalloc keeps them, but also a page of up to 4 MiB for each thread and each size of what is large: a worker whose ledgers
//! grew to 3,000 ids held 7 MB more for it, of which one at most was in use. The figures are in `tests/bench/README.md`,
//! "Minutes under load".

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// To be called first in `main`, before there is another thread.
pub fn init() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::keep();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};

    /// Larger pieces are mapped by themselves, and given back when they are freed: as much as mallopt(3) takes.
    const MAPPED: c_int = 32 << 20;
    /// How much may be free at the end of an arena before that is given back. A fold of a base of a megabyte takes some 25 MB.
    const KEPT: c_int = 32 << 20;

    /// Has freed memory kept: so much for each thread that has large pieces. Where glibc refuses, all works as it did.
    #[allow(unsafe_code)]
    pub(super) fn keep() {
        // SAFETY: it takes two numbers, checks them, and stores them in the allocator's own state. The measured need is in
        // the documentation of this crate.
        unsafe {
            mallopt(M_MMAP_THRESHOLD, MAPPED);
            mallopt(M_TRIM_THRESHOLD, KEPT);
        }
    }

    #[cfg(test)]
    mod tests {
        use std::hint::black_box;

        use super::keep;

        #[test]
        #[allow(unsafe_code)]
        fn what_is_large_is_kept() {
            // SAFETY: it reads the allocator's counters.
            let mapped = || unsafe { libc::mallinfo2() }.hblks;
            let large = || black_box(vec![1_u8; 16 << 20]);
            let before = mapped();
            let first = large();
            assert_eq!(mapped(), before + 1, "by itself glibc maps it");
            // Freed, it would have glibc map only what is larger.
            keep();
            let second = large();
            assert_eq!(mapped(), before + 1, "it is taken from what is kept");
            drop((first, second));
        }
    }
}
