//! What the stores, the buses and the functions of Amazon Web Services share, and the client of an API behind its gateways:
//! the parameters of URLs, the region and the credentials that come of them, what an error of the SDK means, and how a body
//! stands in a message. No adapter may import another, so it stands here.

pub mod access;
pub mod body;
pub mod fail;
mod http;
