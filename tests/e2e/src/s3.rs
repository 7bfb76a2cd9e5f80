//! A bucket on a server that speaks S3 and that `tests/services` starts, seen past autopgo.

use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use crate::{skip, slow};

/// S3 takes no smaller part, but for the last.
const PART: usize = 5 << 20;

/// A bucket of its own.
pub struct Bucket {
    client: Client,
    server: &'static str,
    name: String,
    /// As a store's URL.
    pub url: String,
    endpoint: String,
}

/// `server` is also the profile with its credentials, in the files that `tests/services env` names.
fn url(server: &str, name: &str, endpoint: &str) -> String {
    format!("s3://{name}?region=us-east-1&endpoint={endpoint}&use_path_style=true&profile={server}")
}

impl Bucket {
    /// Makes one on MinIO; `None`, said aloud, where there is none.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn new() -> Option<Self> {
        Self::on("minio").await
    }

    /// The same on another server.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn on(server: &'static str) -> Option<Self> {
        let bucket = Self::called(server, format!("story-{:016x}", fastrand::u64(..))).await?;
        bucket.client.create_bucket().bucket(&bucket.name).send().await.expect("a bucket");
        Some(bucket)
    }

    /// One that is or will be there, on this server; `None`, said aloud, where there is none.
    pub async fn called(server: &'static str, name: String) -> Option<Self> {
        let endpoint = skip::server(server)?;
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(server).build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .credentials_provider(credentials)
            .load()
            .await;
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let client = Client::from_conf(config);
        let url = url(server, &name, &endpoint);
        Some(Self { client, server, name, url, endpoint })
    }

    /// Where its server is.
    ///
    /// # Panics
    /// When the server's address is no `http://IP:PORT`.
    pub fn address(&self) -> std::net::SocketAddr {
        self.endpoint.trim_start_matches("http://").parse().expect("http://IP:PORT")
    }

    /// The same bucket as a store's URL, by another way to its server.
    pub fn url_by(&self, address: std::net::SocketAddr) -> String {
        url(self.server, &self.name, &format!("http://{address}"))
    }

    /// The same bucket as a store's URL, behind a line that takes `rate` bytes a second.
    ///
    /// # Panics
    /// When the server's address is no `http://IP:PORT`.
    pub async fn slow_url(&self, rate: u32) -> String {
        self.url_by(slow::line_to(self.address(), rate).await)
    }

    /// The keys that start with `prefix`; the first thousand.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).send().await;
        let listed = listed.expect("a listing");
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// How long each object whose key starts with `prefix` has been there; the first thousand.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub async fn ages(&self, prefix: &str) -> Vec<Duration> {
        let listed = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).send().await;
        let listed = listed.expect("a listing");
        let written = listed.contents().iter().filter_map(|object| object.last_modified());
        let written = written.filter_map(|written| SystemTime::try_from(*written).ok());
        written.map(|written| written.elapsed().unwrap_or_default()).collect()
    }

    /// Puts an object as Go's `s3manager` does: with the content type that its `DetectContentType` gives gzip, and in
    /// parts, so that the `ETag` is that of a multipart upload.
    ///
    /// # Panics
    /// When it cannot be put.
    pub async fn put_as_go(&self, key: &str, bytes: &[u8]) {
        let upload = self.client.create_multipart_upload().bucket(&self.name).key(key);
        let upload = upload.content_type("application/x-gzip").send().await.expect("an upload");
        let id = upload.upload_id().expect("an id");
        let mut parts = Vec::new();
        for (number, part) in (1..).zip(bytes.chunks(PART)) {
            let sent =
                self.client.upload_part().bucket(&self.name).key(key).upload_id(id).part_number(number);
            let sent = sent.body(part.to_vec().into()).send().await.expect("a part");
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(sent.e_tag().map(str::to_owned))
                    .build(),
            );
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let done = self.client.complete_multipart_upload().bucket(&self.name).key(key).upload_id(id);
        done.multipart_upload(parts).send().await.expect("completed");
    }
}
