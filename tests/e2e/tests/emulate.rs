//! `autopgo local`, plain and as each cloud's functions, on the store and the bus that are built in and on MinIO and
//! NATS: one suite for all of them.

use autopgo_e2e::suite::{Host, Stage, perform};
use autopgo_e2e::{matrix, process};

macro_rules! hosts {
    ($($name:ident: $host:ident;)+) => {
        mod embedded {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                perform(Stage::embedded(Host::$host).await).await;
            })+
        }

        mod tokens {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let mut stage = Stage::guarded(Host::$host).await;
                matrix::holds(&stage.url()).await;
                let log = stage.stop().await.join("\n");
                for secret in matrix::secrets() {
                    assert!(!log.contains(secret), "{secret} is in the log: {log}");
                }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_runs_behind_a_stage() {
    let mut stage = Stage::demo(Host::AwsStage).await;
    stage.base("hello-app").await;
    stage.brought("hello-app", "message").await;
    stage.stop().await;
}

#[test]
fn what_is_no_cloud_and_what_has_no_stage_is_said() {
    for (arguments, says) in [
        (["--emulate", "gcp", "--stage", "prod"], "--emulate aws alone"),
        (["--emulate", "none", "--stage", "prod"], "--emulate aws alone"),
        (["--emulate", "aws", "--stage", "a/b"], "letters, digits"),
    ] {
        let command = [&["local"][..], &arguments].concat();
        let output = process::call(process::binary(), &command).output().expect("autopgo starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(says), "{arguments:?}: {said}");
    }
}
