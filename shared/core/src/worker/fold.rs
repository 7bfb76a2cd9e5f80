//! The part of a merge that only computes: read the uploads, add them to the base, prune, and keep within the limits.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use autopgo_pprof::{Accumulator, Profile, compact, compact_all, compatible, read_ahead};
use bytes::Bytes;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::key::{Id, Key};
use crate::ledger;
use crate::limits::Limits;
use crate::port::cpu::Cpu;
use crate::rules::Rules;
use crate::store::Reason;
use crate::upload;

/// How many bytes of unpacked uploads are held beside the base, and beside two for each core that are being read; what
/// comes after them waits for the next write.
const UNPACKED: usize = 256 << 20;

/// The most bytes that an upload may unpack to that is read while others are.
const SMALL: u64 = 4 << 20;

/// How uploads are folded into a base.
pub(super) struct Fold {
    pub(super) app: App,
    pub(super) limits: Arc<Limits>,
    pub(super) rules: Arc<Rules>,
    pub(super) compact: bool,
    pub(super) cpu: Arc<dyn Cpu>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Folded {
    /// The new base, without a ledger, if it has anything new.
    pub(super) whole: Option<Profile>,
    /// The uploads in it.
    pub(super) merged: Vec<Id>,
    /// The uploads that are to be set aside, each with its reason.
    pub(super) rejected: Vec<(Id, Reason)>,
    /// The uploads that are left for another fold: more than can be held, or than fit at once.
    pub(super) left: Vec<Id>,
    /// Whether the base was compacted because it would have passed a limit.
    pub(super) squeezed: bool,
}

/// A base that uploads are folded into, which takes it up.
pub(super) struct Old {
    pub(super) profile: Profile,
    /// What it was read from: where not all uploads fit, it is read again.
    pub(super) bytes: Bytes,
}

/// What uploads were found to be.
struct Read {
    usable: Vec<(Id, Profile)>,
    rejected: Vec<(Id, Reason)>,
    /// More than can be held.
    left: Vec<Id>,
}

impl Fold {
    /// Folds `uploads`, in their order, into what `base` gives, but for those that it names. They are read by so many
    /// `threads` while the base is.
    ///
    /// # Errors
    /// Those of `base`; `TooLarge` if the base by itself is over its limits, even when compacted.
    pub(super) fn run(
        &self,
        threads: usize,
        uploads: &[(Id, Bytes)],
        base: impl FnOnce() -> Result<(Option<Old>, BTreeSet<Id>)>,
    ) -> Result<(Folded, BTreeSet<Id>)> {
        let limits = if threads > 1 { self.small() } else { Limits::clone(&self.limits) };
        let read = |(_, bytes): &(Id, Bytes)| self.usable(bytes, &limits);
        read_ahead(threads, uploads, read, |results| {
            let (base, named) = base()?;
            if uploads.iter().all(|(id, _)| named.contains(id)) {
                return Ok((Folded::default(), named));
            }
            let (base, bytes) = base.map_or((None, None), |old| (Some(old.profile), Some(old.bytes)));
            let sums = Sums::of(base.as_ref());
            let sum = base.map(|base| self.sum(base));
            let read = self.read(uploads, &limits, &named, results);
            Ok((self.fold(sum, sums, bytes.as_ref(), read)?, named))
        })
    }

    fn fold(&self, mut sum: Option<Sum>, sums: Sums, bytes: Option<&Bytes>, read: Read) -> Result<Folded> {
        let Read { usable, mut rejected, mut left } = read;
        let mut merged = Vec::with_capacity(usable.len());
        let verdicts = self.verdicts(sum.as_ref(), sums, &usable);
        let mut parts: Vec<Option<Profile>> = Vec::with_capacity(usable.len());
        for ((id, upload), verdict) in usable.into_iter().zip(verdicts) {
            match verdict {
                Ok(adds) => {
                    parts.push(Some(upload).filter(|_| adds));
                    merged.push(id);
                }
                Err(error) => rejected.push((id, Reason { message: error.what().to_owned() })),
            }
        }

        while !merged.is_empty() {
            let sum = sum.take().map_or_else(|| self.again(bytes), |sum| Ok(Some(sum)))?;
            let problem = match self.whole(sum, &parts)? {
                Ok((whole, squeezed)) => {
                    return Ok(Folded { whole: Some(whole), merged, rejected, left, squeezed });
                }
                Err(problem) => problem,
            };
            // Too much, even when compacted. Fewer may fit; and what does not fit alone is set aside, so that it
            // stands in nobody's way, unless the base itself is too large.
            if merged.len() > 1 {
                let half = merged.len() / 2;
                left.extend(merged.split_off(half));
                parts.truncate(half);
                continue;
            }
            let alone = self.again(bytes)?;
            if alone.is_some() && self.whole(alone, &[])?.is_err() {
                return Err(Error::new(
                    Kind::TooLarge,
                    format!(
                        "{} is too large even when compacted ({problem}); raise the limit or prune more",
                        Key::base(&self.app)
                    ),
                ));
            }
            let message =
                format!("with it the base profile would be too large, even when compacted: {problem}");
            rejected.extend(merged.drain(..).map(|id| (id, Reason { message: message.clone() })));
        }
        Ok(Folded { whole: None, merged, rejected, left, squeezed: false })
    }

    /// Sorts out uploads as they are read with these `limits`, up to as many as can be held, but for those `named`.
    fn read(
        &self,
        uploads: &[(Id, Bytes)],
        limits: &Limits,
        named: &BTreeSet<Id>,
        results: &mut dyn Iterator<Item = Result<Profile>>,
    ) -> Read {
        let lowered = limits.upload_raw_bytes < self.limits.upload_raw_bytes;
        let mut read =
            Read { usable: Vec::with_capacity(uploads.len()), rejected: Vec::new(), left: Vec::new() };
        let mut waiting = uploads.iter();
        let mut unpacked = 0;
        for ((id, bytes), result) in waiting.by_ref().zip(results) {
            if named.contains(id) {
                continue;
            }
            let upload = match result {
                Err(error) if lowered && error.kind() == Kind::TooLarge => self.usable(bytes, &self.limits),
                result => result,
            };
            match upload {
                Ok(upload) => {
                    unpacked += upload.heap_bytes();
                    read.usable.push((id.clone(), upload));
                }
                Err(error) => {
                    read.rejected.push((id.clone(), Reason { message: error.what().to_owned() }));
                }
            }
            if unpacked > UNPACKED {
                break;
            }
        }
        read.left.extend(waiting.map(|(id, _)| id).filter(|id| !named.contains(id)).cloned());
        read
    }

    /// For each upload whether it adds something to the base, or why it does not fit.
    ///
    /// What binds the sample types is the base, or the first upload that has samples. One without any, of a service
    /// that did nothing, has nothing to add where it does not fit, and binds nobody.
    fn verdicts(&self, base: Option<&Sum>, mut sums: Sums, uploads: &[(Id, Profile)]) -> Vec<Result<bool>> {
        let busy = uploads.iter().map(|(_, upload)| upload).find(|upload| !is_idle(upload));
        let first = busy.or(uploads.first().map(|(_, upload)| upload));
        let fits = |upload: &Profile| match (base, first) {
            (Some(base), _) => base.takes(upload),
            (None, Some(first)) => compatible(first, upload),
            (None, None) => Ok(()),
        };
        let verdict = |(_, upload): &(Id, Profile)| {
            if let Err(misfit) = fits(upload) {
                return if is_idle(upload) { Ok(false) } else { Err(self.misfit(base.is_some(), &misfit)) };
            }
            sums.add(upload).map(|()| true)
        };
        uploads.iter().map(verdict).collect()
    }

    fn misfit(&self, had_base: bool, why: &autopgo_pprof::Error) -> Error {
        let whose = if had_base { "the base profile" } else { "an upload merged before it" };
        let app = &self.app;
        Error::new(
            Kind::Unusable,
            format!(
                "it does not fit {whose} ({why}); if the base is the wrong one, delete it with `autopgo delete {app}` and upload again"
            ),
        )
    }

    /// The base once more, as it was before anything was folded into it.
    fn again(&self, bytes: Option<&Bytes>) -> Result<Option<Sum>> {
        let read = |bytes| -> Result<Sum> {
            let mut profile = Profile::parse(bytes, &self.limits.base())?;
            ledger::strip(&mut profile);
            Ok(self.sum(profile))
        };
        bytes.map(|bytes| read(bytes)).transpose()
    }

    /// The base made of all of them and whether it had to be compacted, or why it is too large even then.
    fn whole(
        &self,
        base: Option<Sum>,
        parts: &[Option<Profile>],
    ) -> Result<Result<(Profile, bool), autopgo_pprof::Error>> {
        let limits = self.limits.base_data();
        let mut parts = parts.iter().flatten();
        let first = || self.sum(parts.next().cloned().unwrap_or_else(Profile::empty_cpu));
        let base = base.unwrap_or_else(first);
        if self.compact {
            let whole = match base {
                Sum::Compact(base) => {
                    self.all_compacted(&iter::once(&*base).chain(parts).collect::<Vec<_>>())?
                }
                Sum::Ordered(sum) => self.all_compacted(&[&added(*sum, parts)?])?,
            };
            return Ok(whole.fits(&limits).map(|()| (whole, false)));
        }
        let mut whole = match base {
            Sum::Compact(base) => added(Accumulator::new(*base), parts)?,
            Sum::Ordered(sum) => added(*sum, parts)?,
        };
        if self.rules.apply(&self.app, &mut whole) {
            whole = Accumulator::new(whole).finish();
        }
        if whole.fits(&limits).is_ok() {
            return Ok(Ok((whole, false)));
        }
        whole = self.all_compacted(&[&whole])?;
        Ok(whole.fits(&limits).map(|()| (whole, true)))
    }

    /// What a base is while uploads come to it.
    fn sum(&self, base: Profile) -> Sum {
        // What has no mappings is compact, or as small.
        let compact = self.compact && base.mapping_count() == 0;
        if compact { Sum::Compact(Box::new(base)) } else { Sum::Ordered(Box::new(Accumulator::new(base))) }
    }

    fn all_compacted(&self, all: &[&Profile]) -> Result<Profile> {
        compact_all(all).map_err(|error| {
            Error::new(Kind::Unusable, format!("{} cannot be compacted: {error}", Key::base(&self.app)))
        })
    }

    /// The limits of what is read beside other uploads; what is larger is read by itself, so that many large ones do
    /// not take their memory all at once.
    fn small(&self) -> Limits {
        Limits { upload_raw_bytes: self.limits.upload_raw_bytes.min(SMALL), ..Limits::clone(&self.limits) }
    }

    /// Reads an upload and applies an upload's own checks: a Go server stages anything.
    fn usable(&self, bytes: &[u8], limits: &Limits) -> Result<Profile> {
        // Pruning needs whole stacks.
        let top = self.compact && self.rules.for_app(&self.app).is_empty();
        let mut upload = if top { upload::parse_top(bytes, limits)? } else { upload::parse(bytes, limits)? };
        ledger::strip(&mut upload);
        if self.compact {
            // Prune cuts frames at the leaf, which compaction would not have kept: so it goes first.
            self.rules.apply(&self.app, &mut upload);
            upload = compact(&upload)?;
        }
        Ok(upload)
    }
}

/// A base that uploads are added to.
enum Sum {
    Ordered(Box<Accumulator>),
    /// One that is compact and will be: the edges of all are added up at once.
    Compact(Box<Profile>),
}

impl Sum {
    fn takes(&self, upload: &Profile) -> std::result::Result<(), autopgo_pprof::Error> {
        match self {
            Self::Ordered(sum) => sum.takes(upload),
            Self::Compact(base) => compatible(base, upload),
        }
    }
}

fn added<'a>(mut sum: Accumulator, mut parts: impl Iterator<Item = &'a Profile>) -> Result<Profile> {
    parts.try_for_each(|part| sum.add(part))?;
    Ok(sum.finish())
}

/// Whether it has no sample that says anything.
fn is_idle(profile: &Profile) -> bool {
    profile.totals().iter().all(|total| *total == 0)
}

/// The sum of each value over a whole base: pprof adds 64-bit integers without a check, and one upload with absurd
/// values must not turn a base negative.
struct Sums(Vec<i128>);

impl Sums {
    fn of(base: Option<&Profile>) -> Self {
        Self(base.map(Profile::totals).unwrap_or_default())
    }

    fn add(&mut self, upload: &Profile) -> Result<()> {
        let totals = upload.totals();
        let mut sums = self.0.clone();
        sums.resize(totals.len().max(sums.len()), 0);
        for (sum, total) in sums.iter_mut().zip(totals) {
            *sum += total;
            if *sum > i128::from(i64::MAX) {
                return Err(Error::new(
                    Kind::Unusable,
                    "its values are so large that the sum over the base profile passes 64 bits",
                ));
            }
        }
        self.0 = sums;
        Ok(())
    }
}
