//! The `autopgo` command.

fn main() {}
