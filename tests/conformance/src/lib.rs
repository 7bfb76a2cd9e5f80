//! The laws that every blob store and every bus keeps.
