//! Blob stores by URL: `file://` and `mem://`, each over the port of the core.
//!
//! ```
//! use std::sync::Arc;
//! use autopgo_blob::open::{Environment, open};
//! use autopgo_core::clock::System;
//! use autopgo_core::port::blobs::When;
//!
//! # async fn example() -> autopgo_core::error::Result<()> {
//! let environment = Environment::new(Arc::new(System));
//! let store = open("mem://profiles?prefix=staging-area/", &environment).await?;
//! store.write("checkout/default.pgo", "...".into(), When::Absent).await?;
//!
//! let whole = open("mem://profiles", &environment).await?;
//! assert!(whole.stat("staging-area/checkout/default.pgo").await?.is_some());
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

#[cfg(feature = "azure")]
pub mod azure;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod escape;
pub mod file;
#[cfg(feature = "gcp")]
pub mod gcs;
pub mod open;
pub mod prefix;
pub mod probe;
#[cfg(feature = "aws")]
pub mod s3;
pub mod trial;
