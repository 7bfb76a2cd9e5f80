//! A base profile in hand: its data, and its ledger taken out of it.

use autopgo_pprof::Profile;
use bytes::Bytes;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::key::Key;
use crate::ledger::Ledger;
use crate::port::blobs::{Object, Version};

/// A base profile as it was read.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// The data, without reserved comments. `None` for the empty base of a deleted application: it is no profile, and
    /// its sample types bind nobody.
    pub profile: Option<Profile>,
    /// Which uploads are decided.
    pub ledger: Ledger,
}

/// Reads the base profile of `app`.
///
/// # Errors
/// `Unusable` if the bytes are no profile: somebody else wrote them. Nothing is merged until they are replaced.
pub async fn read(host: &Host, app: &App, object: Object) -> Result<Base> {
    let limits = host.limits.base();
    let parsed = host.compute(move || Ok(Profile::parse(&object.bytes, &limits)?)).await;
    let mut profile = parsed.map_err(|error| unreadable(app, &error))?;
    let ledger = Ledger::take(&mut profile);
    Ok(Base { profile: Some(profile).filter(|profile| profile.sample_count() > 0), ledger })
}

/// Reads the base profile of `app` for whoever is about to replace it, with the version to replace: what is too large
/// or no profile at all is a base without a ledger.
pub async fn read_to_replace(host: &Host, app: &App) -> Result<(Base, Option<Version>)> {
    let (unreadable, version) = match host.store.base(app).await {
        Ok(None) => return Ok((Base::default(), None)),
        Ok(Some(object)) => {
            let version = object.version.clone();
            match read(host, app, object).await {
                Ok(base) => return Ok((base, Some(version))),
                Err(error) => (error, Some(version)),
            }
        }
        Err(error) if error.kind() == Kind::TooLarge => {
            (error, host.store.base_stat(app).await?.map(|stat| stat.version))
        }
        Err(error) => return Err(error),
    };
    if !matches!(unreadable.kind(), Kind::Unusable | Kind::TooLarge) {
        return Err(unreadable);
    }
    tracing::warn!(app = %app, error = unreadable.chain(), "the base profile cannot be read and is replaced");
    Ok((Base { profile: Some(Profile::empty_cpu()), ledger: Ledger::default() }, version))
}

/// The bytes of an empty base with this ledger.
pub async fn write_empty(host: &Host, ledger: Ledger) -> Result<Bytes> {
    let (write, most) = (host.clock.uuid(), host.limits.comments);
    host.compute(move || {
        let mut profile = Profile::empty_cpu();
        ledger.put(&mut profile, write, most);
        Ok(profile.write().into())
    })
    .await
}

fn unreadable(app: &App, error: &Error) -> Error {
    let key = Key::base(app);
    Error::new(
        error.kind(),
        format!(
            "{key} is no profile that can be merged into ({error}); put a good one in its place, or delete it with `autopgo delete {app}`"
        ),
    )
}
