//! Health as the API reports it: what this process leans on, and whether each of them answers.

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;

/// How long one dependency may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// `healthy` or `unhealthy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It answers.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// One dependency of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// `blob`, `event-reader`, `event-writer`, or the scraper's target source.
    pub name: String,
    /// Whether it answers.
    pub status: Status,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The body of `GET /api/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `healthy` if every dependency is.
    pub status: Status,
    /// Each of them.
    pub dependencies: Vec<Dependency>,
}

/// Something that can be asked whether it answers.
#[async_trait]
pub trait Check: Send + Sync {
    /// # Errors
    /// Says what does not answer and why.
    async fn check(&self) -> Result<()>;
}

/// The dependencies of a process, by name.
#[derive(Clone, Default)]
pub struct Checks(Vec<(&'static str, Arc<dyn Check>)>);

impl Checks {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, name: &'static str, check: Arc<dyn Check>) -> Self {
        self.0.push((name, check));
        self
    }

    /// Asks all of them side by side, each for five seconds at most.
    pub async fn report(&self) -> Report {
        let dependencies = join_all(self.0.iter().map(|(name, check)| async move {
            let message = match tokio::time::timeout(PATIENCE, check.check()).await {
                Ok(Ok(())) => String::new(),
                Ok(Err(error)) => {
                    tracing::warn!(dependency = name, error = error.chain(), "a dependency is unhealthy");
                    // The chain may carry host names and paths that are nobody's business outside.
                    error.what().to_owned()
                }
                Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            };
            let status = if message.is_empty() { Status::Healthy } else { Status::Unhealthy };
            Dependency { name: (*name).to_owned(), status, message }
        }))
        .await;
        let all = dependencies.iter().all(|dependency| dependency.status == Status::Healthy);
        Report { status: if all { Status::Healthy } else { Status::Unhealthy }, dependencies }
    }
}

/// A blob store as a dependency.
pub struct BlobCheck(pub Arc<dyn crate::port::blobs::Blobs>);
/// A topic as a dependency.
pub struct TopicCheck(pub Arc<dyn crate::port::bus::Topic>);
/// A subscription as a dependency.
pub struct SubscriptionCheck(pub Arc<dyn crate::port::bus::Subscription>);

#[async_trait]
impl Check for BlobCheck {
    async fn check(&self) -> Result<()> {
        self.0.check().await
    }
}

#[async_trait]
impl Check for TopicCheck {
    async fn check(&self) -> Result<()> {
        self.0.check().await
    }
}

#[async_trait]
impl Check for SubscriptionCheck {
    async fn check(&self) -> Result<()> {
        self.0.check().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};

    struct Fixed(bool);

    #[async_trait]
    impl Check for Fixed {
        async fn check(&self) -> Result<()> {
            if self.0 { Ok(()) } else { Err(Error::new(Kind::Unavailable, "the disk is gone")) }
        }
    }

    #[tokio::test]
    async fn one_sick_dependency_makes_the_whole_unhealthy() {
        let checks = Checks::default().with("blob", Arc::new(Fixed(true)));
        assert_eq!(checks.report().await.status, Status::Healthy);
        let report = checks.with("event-writer", Arc::new(Fixed(false))).report().await;
        assert_eq!(
            serde_json::to_string(&report).expect("json"),
            r#"{"status":"unhealthy","dependencies":[{"name":"blob","status":"healthy"},{"name":"event-writer","status":"unhealthy","message":"the disk is gone"}]}"#
        );
    }
}
