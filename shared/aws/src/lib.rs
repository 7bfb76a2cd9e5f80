//! What the stores and the buses of Amazon Web Services share, and the client of an API behind its gateways: the
//! parameters of URLs, the region and the credentials that come of them, and what an error of the SDK means. No adapter
//! may import another, so it stands here.

pub mod access;
pub mod fail;
