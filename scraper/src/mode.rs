//! The ways to find targets, by the names that `--mode` takes.

use std::fmt;
use std::str::FromStr;

use autopgo_core::error::{Error, Kind, Result};

/// How targets are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A config file that lists them.
    #[default]
    File,
    /// A URL that answers with the list.
    Http,
    /// The records of a DNS name.
    Dns,
    /// The pods of a Kubernetes cluster.
    Kube,
    /// The services of a Consul catalogue.
    Consul,
    /// The services of a Nomad cluster.
    Nomad,
}

impl Mode {
    /// Every mode there is, built in or not.
    pub const ALL: [Self; 6] = [Self::File, Self::Http, Self::Dns, Self::Kube, Self::Consul, Self::Nomad];

    /// Its name: the value of `--mode`, and of the target source in the health report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Kube => "kube",
            Self::Consul => "consul",
            Self::Nomad => "nomad",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::new(Kind::Invalid, format!("unknown mode {name:?}; the modes are {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse::<Mode>().expect("its own name"), mode);
        }
        let error = "swarm".parse::<Mode>().expect_err("no such mode");
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(
            error.what(),
            "unknown mode \"swarm\"; the modes are file, http, dns, kube, consul, nomad"
        );
    }
}
