//! The client: where the service is, who asks, how long to wait and how often to try.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic_prost::ProstCodec;

use super::fail::Failure;
use super::identity::Identity;
use super::settings::What;
use super::wire::Call;

/// To reach the service.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection with calls on it is silent before the other side is asked whether it is there, and for how long:
/// a call that waits for messages says nothing for long. Google's Python client asks as often.
const SILENCE: Duration = Duration::from_secs(30);
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// What an answer may have: as much as Google's own client takes, for a message has up to 10 MB.
const LARGEST: usize = 20 << 20;

/// What a value in `x-goog-request-params` may have unescaped (<https://google.aip.dev/client-libraries/4222>).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A topic or a subscription, as its clients reach it.
pub(super) struct Client {
    name: String,
    what: What,
    identity: Identity,
    emulator: Option<String>,
    /// None until it is first gone: in a universe of its own, the metadata server has to be asked.
    channel: Mutex<Option<Channel>>,
}

impl Client {
    /// A client for `name`, at an `emulator` (`http://HOST`) if there is one. Nothing is asked of it yet.
    pub(super) fn new(name: String, what: What, emulator: Option<String>) -> Self {
        let identity = if emulator.is_some() { Identity::Anonymous } else { Identity::found() };
        Self { name, what, identity, emulator, channel: Mutex::default() }
    }

    /// `projects/P/topics/T`
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The error of ours for a failure.
    pub(super) fn error(&self, failure: Failure) -> Error {
        failure.of(self.what, &self.name)
    }

    /// Another error about it.
    pub(super) fn wrong(&self, kind: Kind, why: &str) -> Error {
        Error::new(kind, format!("{}://{}: {why}", super::SCHEME, self.name))
    }

    /// Makes a call, once. The service is told how long the answer is waited for.
    pub(super) async fn call<C: Call>(&self, call: &C, limit: Duration) -> Result<C::Answer, Failure> {
        let answer = self.wait_for(call, limit).await;
        if let Err(Failure::Late) = answer {
            // The connection may be one that nobody has at its other end any more. The next call goes by another.
            *self.channel_now() = None;
        }
        answer
    }

    /// The same, for a call whose answer may well not come in time.
    pub(super) async fn wait_for<C: Call>(&self, call: &C, limit: Duration) -> Result<C::Answer, Failure> {
        let asked = async {
            let channel = self.channel().await?;
            let mut request = tonic::Request::new(call.clone());
            let metadata = request.metadata_mut();
            *metadata = self.identity.metadata().await?;
            let (place, name) = call.place();
            let place = format!("{place}={}", utf8_percent_encode(name, ESCAPED));
            let place: AsciiMetadataValue =
                place.parse().map_err(|_| Failure::Unmade("its name is no header".to_owned()))?;
            metadata.insert("x-goog-request-params", place);
            request.set_timeout(limit);
            let mut grpc = Grpc::new(channel).max_decoding_message_size(LARGEST);
            grpc.ready().await.map_err(|error| tonic::Status::from_error(error.into()))?;
            let path = PathAndQuery::from_static(C::PATH);
            let answer = grpc.unary::<C, C::Answer, _>(request, path, ProstCodec::default()).await?;
            Ok(answer.into_inner())
        };
        // Whoever gives tokens may be slow too.
        timeout(limit, asked).await.unwrap_or(Err(Failure::Late))
    }

    /// It connects when it is first used, and again whenever the connection has ended.
    async fn channel(&self) -> Result<Channel, Failure> {
        if let Some(channel) = &*self.channel_now() {
            return Ok(channel.clone());
        }
        let url = match &self.emulator {
            Some(url) => url.clone(),
            None => format!("https://pubsub.{}", self.identity.universe().await),
        };
        let endpoint = endpoint(&url)
            .map_err(|error| Failure::Unmade(format!("{url} cannot be connected to: {}", chain(&error))))?;
        Ok(self.channel_now().get_or_insert_with(|| endpoint.connect_lazy()).clone())
    }

    fn channel_now(&self) -> MutexGuard<'_, Option<Channel>> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn endpoint(url: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .user_agent(concat!("autopgo/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(SILENCE)
        .keep_alive_timeout(SIGN_OF_LIFE);
    if url.starts_with("https://") {
        return endpoint.tls_config(ClientTlsConfig::new().with_native_roots());
    }
    Ok(endpoint)
}

/// An error and its causes; the first alone says next to nothing.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
    use google_cloud_auth::errors::CredentialsError;
    use http::{Extensions, HeaderMap};

    use super::*;

    #[derive(Debug)]
    struct Someone;

    impl CredentialsProvider for Someone {
        async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
            let mut data = HeaderMap::new();
            data.insert("authorization", "Bearer hunter2".parse().expect("a header"));
            data.insert("x-goog-user-project", "acme".parse().expect("a header"));
            Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
        }

        async fn universe_domain(&self) -> Option<String> {
            Some("example.com".to_owned())
        }
    }

    #[tokio::test]
    async fn who_asks_is_said_and_where_is_asked_for() {
        let known = Identity::Known(Credentials::from(Someone));
        let metadata = known.metadata().await.expect("headers");
        assert_eq!(metadata.get("authorization").expect("a token"), "Bearer hunter2");
        assert_eq!(metadata.get("x-goog-user-project").expect("who pays"), "acme");
        assert_eq!(known.universe().await, "example.com");
        assert!(Identity::Anonymous.metadata().await.expect("none").is_empty());
        assert_eq!(Identity::Anonymous.universe().await, "googleapis.com");
        let unreadable = Identity::Unreadable("no JSON".to_owned()).metadata().await;
        let error = unreadable.expect_err("nobody").of(What::Topic, "t");
        assert!(error.kind() == Kind::Denied && error.what().contains("no JSON"), "{error}");
    }

    #[tokio::test]
    async fn google_is_reached_by_tls() {
        let channel = endpoint("https://pubsub.googleapis.com").expect("an endpoint").connect_lazy();
        drop(channel);
        assert!(endpoint("http://a b").is_err());
    }
}
