//! `autopgo local`, plain and as each cloud's functions, on the store and the bus that are built in and on MinIO and
//! NATS: one suite for all of them.

use autopgo_e2e::suite::{Host, Stage, perform};

macro_rules! hosts {
    ($($name:ident: $host:ident;)+) => {
        mod embedded {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                perform(Stage::embedded(Host::$host).await).await;
            })+
        }

        #[cfg(feature = "services")]
        mod minio_and_jetstream {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(stage) = Stage::by_url(Host::$host, true).await else { return };
                perform(stage).await;
            })+
        }
    };
}

hosts! {
    plain: Plain;
    aws: Aws;
    aws_with_a_stage: AwsStage;
    azure: Azure;
    gcp: Gcp;
}

/// A bus that forgets a message when it hands it over.
#[cfg(feature = "services")]
mod minio_and_core_nats {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn plain() {
        let Some(stage) = Stage::by_url(Host::Plain, false).await else { return };
        perform(stage).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn aws() {
        let Some(stage) = Stage::by_url(Host::Aws, false).await else { return };
        perform(stage).await;
    }
}
