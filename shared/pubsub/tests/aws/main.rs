//! The laws of a bus on SNS and SQS, and what only they have to show, on a real server: `tests/services up ministack`
//! starts it, and `tests/run services` does it all.

#![expect(clippy::expect_used, clippy::panic, reason = "all of it is a test")]

mod canned;
mod publishing;
mod receiving;
mod rig;
mod settling;
mod urls;

use autopgo_conformance::bus_laws;

use rig::{Aws, Shape};

bus_laws! { sqs: Aws::new(Shape::Queue) }
bus_laws! { sqs_fifo: Aws::new(Shape::FifoQueue) }
bus_laws! { sns_to_sqs_wrapped: Aws::new(Shape::Wrapped) }
bus_laws! { sns_to_sqs_raw: Aws::new(Shape::Raw) }
bus_laws! { sns_fifo_to_sqs_fifo: Aws::new(Shape::FifoTopic) }
