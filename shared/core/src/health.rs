//! Health as the API reports it: what this process leans on, and whether each of them answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

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
pub struct Checks(Vec<Named>);

#[derive(Clone)]
struct Named {
    name: &'static str,
    check: Arc<dyn Check>,
    /// Whether it was healthy when it was last asked: only a change is logged, for probes ask all day.
    healthy: Arc<AtomicBool>,
}

impl Checks {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, name: &'static str, check: Arc<dyn Check>) -> Self {
        self.0.push(Named { name, check, healthy: Arc::new(AtomicBool::new(true)) });
        self
    }

    /// Asks all of them side by side, each for five seconds at most.
    pub async fn report(&self) -> Report {
        let dependencies = join_all(self.0.iter().map(Named::report)).await;
        let all = dependencies.iter().all(|dependency| dependency.status == Status::Healthy);
        Report { status: if all { Status::Healthy } else { Status::Unhealthy }, dependencies }
    }
}

impl Named {
    async fn report(&self) -> Dependency {
        let (message, cause) = match tokio::time::timeout(PATIENCE, self.check.check()).await {
            Ok(Ok(())) => (String::new(), String::new()),
            // The chain may carry host names and paths that are nobody's business outside.
            Ok(Err(error)) => (error.what().to_owned(), error.chain()),
            Err(_) => {
                let silent = format!("no answer within {} s", PATIENCE.as_secs());
                (silent.clone(), silent)
            }
        };
        let healthy = message.is_empty();
        let was = self.healthy.swap(healthy, Ordering::Relaxed);
        if was && !healthy {
            tracing::warn!(dependency = self.name, error = cause, "a dependency is unhealthy");
        } else if healthy && !was {
            tracing::info!(dependency = self.name, "a dependency is healthy again");
        }
        let status = if healthy { Status::Healthy } else { Status::Unhealthy };
        Dependency { name: self.name.to_owned(), status, message }
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
