//! A base profile in hand: its data, and its ledger taken out of it.

use autopgo_pprof::{Limits, Profile};
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
/// `Unusable` if the bytes are no profile, or its ledger is none: somebody else wrote them. Nothing is merged until they are
/// replaced.
pub async fn read(host: &Host, app: &App, object: Object) -> Result<Base> {
    parse(host, app, object, host.limits.base()).await
}

async fn parse(host: &Host, app: &App, object: Object, limits: Limits) -> Result<Base> {
    let app = app.clone();
    host.compute(move || of(&app, &object.bytes, &limits)).await
}

/// The base profile of `app` in these bytes. It computes: not for an async thread.
///
/// # Errors
/// As [`read`].
pub(crate) fn of(app: &App, bytes: &[u8], limits: &Limits) -> Result<Base> {
    let parsed = Profile::parse(bytes, limits).map_err(Error::from);
    let mut profile = parsed.map_err(|error| unreadable(app, &error))?;
    let ledger = Ledger::take(&mut profile).map_err(|error| unreadable(app, &error))?;
    Ok(Base { profile: Some(profile).filter(|profile| profile.sample_count() > 0), ledger })
}

/// Reads the base profile of `app` for whoever is about to replace it, with the version to replace: what is no profile
/// at all, or far too large, is a base without a ledger.
///
/// # Errors
/// `Conflict` if it changed while it was looked at.
pub async fn read_to_replace(host: &Host, app: &App) -> Result<(Base, Option<Version>)> {
    let limits = generous(&host.limits.base());
    let object = match host.store.base_up_to(app, limits.raw_bytes).await {
        Ok(None) => return Ok((Base::default(), None)),
        Ok(Some(object)) => object,
        Err(error) if error.kind() == Kind::TooLarge => {
            let stat = host.store.base_stat(app).await?;
            let stat = stat.filter(|stat| stat.size > limits.raw_bytes).ok_or_else(|| {
                Error::new(Kind::Conflict, format!("{} was replaced meanwhile", Key::base(app)))
            })?;
            return Ok((illegible(app, &error), Some(stat.version)));
        }
        Err(error) => return Err(error),
    };
    let version = Some(object.version.clone());
    match parse(host, app, object, limits).await {
        Ok(base) => Ok((base, version)),
        Err(error) if matches!(error.kind(), Kind::Unusable | Kind::TooLarge) => {
            Ok((illegible(app, &error), version))
        }
        Err(error) => Err(error),
    }
}

/// A base over a limit that was lowered since still has its ledger.
fn generous(limits: &Limits) -> Limits {
    let most = |limit: usize| limit.saturating_mul(4);
    Limits {
        raw_bytes: limits.raw_bytes.saturating_mul(4),
        samples: most(limits.samples),
        locations: most(limits.locations),
        functions: most(limits.functions),
        strings: most(limits.strings),
        labels_per_sample: most(limits.labels_per_sample),
        comments: most(limits.comments),
        ..limits.clone()
    }
}

fn illegible(app: &App, error: &Error) -> Base {
    tracing::warn!(app = %app, error = error.chain(), "the base profile cannot be read and is replaced");
    Base { profile: Some(Profile::empty_cpu()), ledger: Ledger::default() }
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
