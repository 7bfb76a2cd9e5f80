//! Laws are tests of other crates' code, so here is the test of the laws: stores and buses, each with one fault, and
//! the laws that must find it.

#[path = "teeth/buses.rs"]
mod buses;
#[path = "teeth/stores.rs"]
mod stores;
