//! Targets that are known from the start and stay.

use std::sync::Arc;

use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::health::Check;
use tokio::sync::watch;

use super::{Source, Targets};
use crate::target::Target;

/// The targets that whoever starts the scraper gives it.
pub struct Fixed(Targets);

impl Fixed {
    /// These and no others.
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        Self(targets.into_iter().map(Arc::new).collect())
    }
}

#[async_trait]
impl Check for Fixed {
    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Source for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    async fn watch(&self, targets: watch::Sender<Targets>) {
        targets.send_replace(self.0.clone());
        // A source ends when it is dropped.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use autopgo_core::app::App;
    use tokio::time::timeout;

    use super::*;
    use crate::fake::PATIENCE;

    #[tokio::test]
    async fn its_targets_come_once_and_for_good() {
        let target = Target::new("http://a", "", App::parse("app").expect("good")).expect("good");
        let source = Fixed::new([target.clone()]);
        let (sender, mut targets) = watch::channel(Targets::default());
        tokio::select! {
            () = source.watch(sender) => panic!("it ended"),
            changed = timeout(PATIENCE, targets.changed()) => changed.expect("in time").expect("a set"),
        }
        assert_eq!(*targets.borrow(), [Arc::new(target)].into());
        source.check().await.expect("healthy");
    }
}
