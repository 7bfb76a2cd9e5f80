//! What must be reached, what is aimed at, and whether it was.

use std::fmt;

/// A target for a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// A figure without one.
    None,
    /// At least `must`, and better `aim`.
    AtLeast { must: f64, aim: Option<f64> },
    /// At most `must`, and better `aim`.
    AtMost { must: f64, aim: Option<f64> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    None,
    Missed,
    Met,
    /// Better than had to be.
    AimMet,
}

impl Target {
    pub(crate) fn judge(self, found: f64) -> Verdict {
        let (must, aim) = match self {
            Self::None => return Verdict::None,
            Self::AtLeast { must, aim } => (found >= must, aim.is_some_and(|aim| found >= aim)),
            Self::AtMost { must, aim } => (found <= must, aim.is_some_and(|aim| found <= aim)),
        };
        match (must, aim) {
            (true, true) => Verdict::AimMet,
            (true, false) => Verdict::Met,
            (false, _) => Verdict::Missed,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (which, must, aim) = match *self {
            Self::None => return f.write_str("-"),
            Self::AtLeast { must, aim } => ("≥", must, aim),
            Self::AtMost { must, aim } => ("≤", must, aim),
        };
        write!(f, "{which} {must}")?;
        aim.map_or(Ok(()), |aim| write!(f, " (aim {aim})"))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "-",
            Self::Missed => "missed",
            Self::Met => "met",
            Self::AimMet => "aim met",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judged_by_its_direction() {
        let faster = Target::AtLeast { must: 10.0, aim: Some(15.0) };
        let smaller = Target::AtMost { must: 1.03, aim: Some(1.0) };
        let plain = Target::AtMost { must: 3.0, aim: None };
        for (target, found, expected) in [
            (faster, 9.99, Verdict::Missed),
            (faster, 10.0, Verdict::Met),
            (faster, 15.0, Verdict::AimMet),
            (smaller, 1.04, Verdict::Missed),
            (smaller, 1.03, Verdict::Met),
            (smaller, 0.9, Verdict::AimMet),
            (plain, 0.1, Verdict::Met),
            (plain, f64::NAN, Verdict::Missed),
            (Target::None, 1.0, Verdict::None),
        ] {
            assert_eq!(target.judge(found), expected, "{found} of {target}");
        }
        assert_eq!(faster.to_string(), "≥ 10 (aim 15)");
        assert_eq!(plain.to_string(), "≤ 3");
    }
}
