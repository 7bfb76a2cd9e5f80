//! Faults built into the core's view of its store.
use autopgo_core::port::blobs::Blobs;
use autopgo_core::port::bus::Topic;
use std::sync::Arc;
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mutant {}
impl Mutant {
    pub(crate) fn over(self, _blobs: Arc<dyn Blobs>, _topic: Arc<dyn Topic>) -> Arc<dyn Blobs> {
        match self {}
    }
}
