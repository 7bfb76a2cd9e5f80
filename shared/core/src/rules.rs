//! t
mod goregexp;
pub use goregexp::GoRegexp;
