//! Who may do what to which application: static bearer tokens, of which the server has the SHA-256 alone.
//!
//! A list of them is JSON (see [`Tokens::parse`]), and [`Access`] is what it is good for: the gate that every route of
//! the API stands behind, or an open door where there is no list.

pub(crate) mod gate;
mod scope;
mod secret;
mod tokens;

pub use gate::Access;
pub use scope::{Pattern, Scope};
pub use secret::Secret;
pub use tokens::{Name, Token, Tokens};
