//! The laws of a bus on Pub/Sub, and what only Pub/Sub has to show: on Google's fake of it, which `tests/services up pstest`
//! starts everywhere, and on Google's emulator where that is on the machine. `tests/run services` does it all.

#![expect(clippy::expect_used, clippy::panic, reason = "all of it is a test")]

mod canned;
mod refusals;
mod rig;
mod urls;
mod wire;

use autopgo_conformance::bus_laws;

use rig::Google;

bus_laws! { pstest: Google::new(&rig::PSTEST, false) }
bus_laws! { pstest_ordered: Google::new(&rig::PSTEST, true) }
bus_laws! { emulator: Google::new(&rig::EMULATOR, false) }
bus_laws! { emulator_ordered: Google::new(&rig::EMULATOR, true) }
