//! `mem://`: the ports in their plainest form, for one process. What the laws were written against.

pub mod blobs;
pub mod bus;
