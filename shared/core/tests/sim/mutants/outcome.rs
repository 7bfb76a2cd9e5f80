//! Rules about what a write's answer means.

use async_trait::async_trait;
use autopgo_core::error::{Kind, Result};
use autopgo_core::port::blobs::{Blobs, Version, When};
use bytes::Bytes;

use super::{Twist, base};

pub(super) struct UnconditionalWrite;

#[async_trait]
impl Twist for UnconditionalWrite {
    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        inner.write(key, bytes, if base(key).is_some() { When::Always } else { when }).await
    }
}

pub(super) struct UnknownIsSuccess;

#[async_trait]
impl Twist for UnknownIsSuccess {
    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        match inner.write(key, bytes, when).await {
            Err(error) if base(key).is_some() && error.kind() == Kind::Unavailable => {
                Ok(Version::new("hoped for"))
            }
            other => other,
        }
    }
}
