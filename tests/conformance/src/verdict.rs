//! What comes of trying a law: it held, or here is what broke it. And what a gap makes of either.

use std::fmt::{self, Debug, Display};
use std::io::Write;
use std::time::Duration;

use autopgo_core::error::Error;

/// A law held, or it is [`Broken`].
pub type Verdict = Result<(), Broken>;

/// What a law expected and what it saw instead.
pub struct Broken(String);

impl Broken {
    /// A law is broken, for this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A failed test shows its error by `Debug`.
impl Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self(format!("unexpected error ({:?}): {}", error.kind(), error.chain()))
    }
}

impl From<tokio::task::JoinError> for Broken {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a task of the law ended badly: {error}"))
    }
}

/// A law that an adapter does not keep, and why that is known and borne.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The name of the law, as its test is named.
    pub law: &'static str,
    /// Whose fault it is and what follows from it.
    pub reason: &'static str,
    /// Whether it shows only now and then, as a lost race does: then it holding once says nothing.
    pub by_chance: bool,
}

impl Gap {
    /// A law that is broken whenever it is tried.
    pub const fn always(law: &'static str, reason: &'static str) -> Self {
        Self { law, reason, by_chance: false }
    }

    /// A law that is broken now and then.
    pub const fn by_chance(law: &'static str, reason: &'static str) -> Self {
        Self { law, reason, by_chance: true }
    }
}

/// `condition`, or what it means that it is false.
pub(crate) fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Broken(otherwise())) }
}

/// `left` is `right`.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, left: &T, right: &T) -> Verdict {
    ensure(left == right, || format!("{what}: {left:?} is not {right:?}"))
}

/// Runs `law` for `patience` at the most, and judges what comes of it by the adapter's `gaps`.
pub(crate) async fn prove(
    name: &str,
    laws: &[&str],
    gaps: &[Gap],
    patience: Duration,
    law: impl Future<Output = Verdict>,
) -> Verdict {
    if let Some(gap) = gaps.iter().find(|gap| !laws.contains(&gap.law)) {
        return Err(Broken(format!("the gaps name {}, and there is no such law", gap.law)));
    }
    let outcome = match tokio::time::timeout(patience, law).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Broken(format!("it did not end within {patience:?}"))),
    };
    judge(name, gaps, outcome)
}

fn judge(name: &str, gaps: &[Gap], outcome: Verdict) -> Verdict {
    match (gaps.iter().find(|gap| gap.law == name), outcome) {
        (None, outcome) => outcome,
        (Some(gap), Err(broken)) => {
            // Said aloud, past libtest's capture.
            let _ = writeln!(std::io::stderr(), "known gap: {name}: {} ({broken})", gap.reason);
            Ok(())
        }
        (Some(gap), Ok(())) if gap.by_chance => Ok(()),
        (Some(gap), Ok(())) => Err(Broken(format!(
            "{name} holds now, and stands among the gaps still ({}): take it off the list",
            gap.reason
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAPS: &[Gap] =
        &[Gap::always("flies", "it has no wings"), Gap::by_chance("floats", "it depends on its stomach")];

    #[test]
    fn a_gap_must_fail_and_everything_else_must_not() {
        let broken = || Err(Broken::new("fell"));
        assert!(judge("swims", GAPS, Ok(())).is_ok());
        assert_eq!(judge("swims", GAPS, broken()).expect_err("broken").to_string(), "fell");
        assert!(judge("flies", GAPS, broken()).is_ok());
        assert!(judge("floats", GAPS, broken()).is_ok() && judge("floats", GAPS, Ok(())).is_ok());
        let cured = judge("flies", GAPS, Ok(())).expect_err("cured").to_string();
        assert!(cured.contains("take it off the list") && cured.contains("no wings"), "{cured}");
    }

    #[tokio::test]
    async fn a_gap_names_a_law_and_no_law_runs_for_ever() {
        let long = Duration::from_secs(5);
        let unknown = prove("swims", &["swims"], GAPS, long, async { Ok(()) }).await;
        assert!(unknown.expect_err("unknown").to_string().contains("no such law"));
        let endless = prove("swims", &["swims"], &[], Duration::from_millis(1), std::future::pending()).await;
        assert!(endless.expect_err("endless").to_string().contains("did not end"));
    }
}
