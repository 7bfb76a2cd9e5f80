//! Who plays the host, and what its cloud cannot do.

/// Whoever stands between the client and the server's router, and between the bus and the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Nobody: the process itself.
    Plain,
    /// AWS, with the stage that no path has.
    Aws,
    /// AWS, with a stage in every path.
    AwsStage,
    /// Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

/// The stage of [`Host::AwsStage`].
const STAGE: &str = "prod";

impl Host {
    /// What has `autopgo local` play it.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Aws => &["--emulate", "aws"],
            Self::AwsStage => &["--emulate", "aws", "--stage", STAGE],
            Self::Azure => &["--emulate", "azure"],
            Self::Gcp => &["--emulate", "gcp"],
        }
    }

    /// What every path of the API begins with.
    pub(super) fn prefix(self) -> String {
        if self == Self::AwsStage { format!("/{STAGE}") } else { String::new() }
    }

    /// What it says at its start.
    pub(super) fn says(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Aws | Self::AwsStage => Some("playing AWS"),
            Self::Azure => Some("playing Azure"),
            Self::Gcp => Some("playing Google Cloud"),
        }
    }

    /// The status of an upload in chunks, without a length and without a type, as the Go original sends it.
    pub(super) fn chunked(self) -> u16 {
        match self {
            // The Functions host forwards a body only if its length was announced: the handler says what to do.
            Self::Azure => 411,
            _ => 201,
        }
    }

    /// The status of an upload without a byte.
    pub(super) fn empty(self) -> u16 {
        match self {
            // To the handler, one in chunks looks the same.
            Self::Azure => 411,
            _ => 400,
        }
    }

    /// The status of an upload of 8 MB in one request.
    pub(super) fn large_upload(self) -> u16 {
        match self {
            // Lambda takes 6 MiB of JSON with base64 in it.
            Self::Aws | Self::AwsStage => 413,
            _ => 201,
        }
    }

    /// The status of a download of 8 MB.
    pub(super) fn large_download(self) -> u16 {
        match self {
            // Nor does Lambda answer with more, so that the store does.
            Self::Aws | Self::AwsStage => 307,
            _ => 200,
        }
    }
}
