//! The whole pipeline as processes of their own on pairs of a store and a bus, while a worker is killed and the broker
//! restarts.

#[path = "pipelines/story.rs"]
mod story;

use autopgo_e2e::bus::Bus;
use autopgo_e2e::store::Store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minio_and_core_nats() {
    let (Some(store), Some(bus)) = (Store::s3("minio").await, Bus::nats()) else { return };
    story::tell(&store, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minio_and_jetstream() {
    let (Some(store), Some(bus)) = (Store::s3("minio").await, Bus::jetstream()) else { return };
    story::tell(&store, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_s3_and_sns_with_sqs() {
    let (Some(store), Some(bus)) = (Store::s3("ministack").await, Bus::sns_and_sqs().await) else { return };
    story::tell(&store, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minio_and_kafka() {
    let (Some(store), Some(bus)) = (Store::s3("minio").await, Bus::kafka().await) else { return };
    story::tell(&store, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cloud_storage_and_pubsub() {
    let Some(bus) = Bus::pubsub().await else { return };
    story::tell(&Store::google(), &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azurite_and_service_bus() {
    let Some(store) = Store::azure().await else { return };
    story::tell(&store, &Bus::service_bus()).await;
}
