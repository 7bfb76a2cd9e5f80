//! Event buses by URL.
