//! The client against servers that are slow, broken, confused or hostile.

mod download;
mod fake;
mod upload;
