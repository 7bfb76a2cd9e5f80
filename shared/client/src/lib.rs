//! Calls the HTTP API of autopgo: uploads that are the same upload however often they are retried, downloads that
//! are whole or an error, and credentials that never leave for another host.
//!
//! ```no_run
//! use autopgo_client::{Client, Options};
//! use autopgo_core::app::App;
//!
//! # async fn upload(profile: bytes::Bytes) -> autopgo_core::error::Result<()> {
//! let client = Client::new("https://pgo.example.com/prod", Options::default())?;
//! let uploaded = client.upload(&App::parse("checkout")?, profile, None).await?;
//! println!("staged as {}", uploaded.key);
//! # Ok(())
//! # }
//! ```

mod answer;
mod base;
mod body;
mod call;
mod client;
mod content;
mod identity;
mod retry;
mod secrets;
mod tls;
mod upload;

pub use body::Target;
pub use call::{Moved, Progress};
pub use client::{Client, Download, Downloaded, Options, Saved};
pub use content::Content;
#[cfg(feature = "gcp")]
pub use identity::Google;
#[cfg(feature = "aws")]
pub use identity::SigV4;
pub use identity::{Headers, Identity};
pub use retry::{LONGEST, Patience};
pub use tls::lenient_client;
