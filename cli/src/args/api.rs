//! The commands that talk to the API.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use autopgo_client::{Client, Headers, Identity, Options, Patience};
use autopgo_core::app::App;
use autopgo_core::duration::GoDuration;
use autopgo_core::error::{Error, Kind, Result};
use clap::builder::BoolishValueParser;
use clap::{ArgGroup, Args};

/// The variable that holds an API token. There is no flag for it: a command line can be seen by every user of a machine.
const TOKEN: &str = "AUTOPGO_API_TOKEN";

/// How long a person or a build waits for a server that is not there.
const UNREACHABLE: Duration = Duration::from_secs(3);

const SERVER: &str = "Server";

/// What every command that talks to the API takes.
#[derive(Args, Debug)]
pub(crate) struct Api {
    /// The server's base URL; a path in it (https://host/prod) is kept
    #[arg(
        long,
        help_heading = SERVER,
        short = 'u',
        env = "AUTOPGO_API_URL",
        default_value = "http://localhost:8080",
        value_name = "URL"
    )]
    pub(crate) api_url: String,

    /// A file with the API token to send; the variable AUTOPGO_API_TOKEN can hold the token itself
    #[arg(long, help_heading = SERVER, env = "AUTOPGO_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Who guards the server, and so how it is told who asks: `token`, the server itself, by an API token if there is one;
    /// `sigv4`, an API Gateway with IAM or a Function URL, by AWS's default credentials; `google`, Cloud Run, by Google's.
    /// Behind a domain of your own say for what: sigv4:execute-api/REGION, sigv4:lambda/REGION, google:https://SERVICE_URL
    #[arg(long, help_heading = SERVER, env = "AUTOPGO_AUTH", default_value = "token", value_name = "GUARD")]
    pub(crate) auth: Auth,

    /// A further header for every request, as `Name: value`; may be given more than once, in the variable one a line
    #[arg(long, help_heading = SERVER, env = "AUTOPGO_HEADER", value_name = "HEADER", value_delimiter = '\n')]
    pub(crate) header: Vec<String>,

    /// The longest silence of the server; a transfer that moves is never cut off
    #[arg(long, help_heading = SERVER, env = "AUTOPGO_TIMEOUT", default_value = "60s", value_name = "DURATION", value_parser = positive)]
    pub(crate) timeout: GoDuration,
}

/// Who guards the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// The server itself, if anybody.
    Token,
    /// IAM of AWS; for a service and a region, where the host does not tell.
    SigV4(Option<String>),
    /// IAM of Google Cloud; for an audience, where it is not the host.
    Google(Option<String>),
}

impl FromStr for Auth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (guard, what) = match text.split_once(':') {
            Some((guard, what)) => (guard, Some(what.to_owned())),
            None => (text, None),
        };
        match (guard, what) {
            ("token", None) => Ok(Self::Token),
            ("sigv4", scope) => Ok(Self::SigV4(scope)),
            ("google", audience) => Ok(Self::Google(audience)),
            _ => Err(Error::new(
                Kind::Invalid,
                "there are token, sigv4, sigv4:SERVICE/REGION, google and google:AUDIENCE",
            )),
        }
    }
}

/// The answer in JSON, for scripts.
#[derive(Args, Debug)]
pub(crate) struct Json {
    /// Write the result as JSON
    #[arg(long, env = "AUTOPGO_JSON", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

impl Api {
    /// A client that gives up soon where nobody is, as somebody waits for it.
    ///
    /// # Errors
    /// `Invalid`: a bad URL, header or token, or a token file that cannot be read.
    pub(crate) fn client(&self) -> Result<Client> {
        self.client_with(Patience { unreachable: UNREACHABLE, ..Patience::default() })
    }

    /// A client that goes on trying as `patience` has it.
    ///
    /// # Errors
    /// As [`Api::client`].
    pub(crate) fn client_with(&self, patience: Patience) -> Result<Client> {
        let mut headers = Headers::default();
        for line in self.header.iter().filter(|line| !line.trim().is_empty()) {
            headers.add(line)?;
        }
        let options = Options { timeout: self.timeout.0, identity: self.identity()?, headers, patience };
        Client::new(&self.api_url, options)
    }

    fn identity(&self) -> Result<Identity> {
        let token = self.token()?;
        match (&self.auth, token) {
            (Auth::Token, None) => Ok(Identity::Open),
            (Auth::Token, Some((from, token))) => {
                Identity::bearer(&token).map_err(|error| error.during(from))
            }
            (Auth::SigV4(_), Some((from, _))) => Err(Error::new(
                Kind::Invalid,
                format!(
                    "--auth sigv4 and an API token ({from}) want the same header, Authorization; give one of them"
                ),
            )),
            (Auth::SigV4(scope), None) => Identity::sigv4(scope.as_deref()),
            (Auth::Google(audience), None) => Identity::google(audience.as_deref(), None),
            (Auth::Google(audience), Some((from, token))) => {
                Identity::bearer(&token).map_err(|error| error.during(from))?;
                Identity::google(audience.as_deref(), Some(&token))
            }
        }
    }

    /// The API token, if there is one, and where it is from.
    fn token(&self) -> Result<Option<(String, String)>> {
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file).map_err(|error| {
                Error::new(Kind::Invalid, format!("reading the token file {}", file.display())).because(error)
            })?;
            return Ok(Some((format!("the token file {}", file.display()), token)));
        }
        match std::env::var(TOKEN) {
            Ok(token) if !token.is_empty() => Ok(Some((TOKEN.to_owned(), token))),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
            // The variable's value is in the error's text.
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Error::new(Kind::Invalid, format!("{TOKEN} has characters that no header can carry")))
            }
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Upload {
    /// The profile; `-` is standard input
    #[arg(value_name = "PROFILE")]
    pub(crate) profile: PathBuf,

    /// The application that the profile is of
    #[arg(long, short = 'a', env = "AUTOPGO_APP", value_name = "APP")]
    pub(crate) app: App,

    #[command(flatten)]
    pub(crate) api: Api,

    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args, Debug)]
pub(crate) struct Download {
    /// The application
    #[arg(value_name = "APP")]
    pub(crate) app: App,

    /// Where to write the profile; `-` is standard output. A file that is there is replaced as a whole or not at all
    #[arg(long, short = 'o', env = "AUTOPGO_OUTPUT", default_value = "default.pgo", value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Ask for the compacted form: far smaller, and the compiler makes the same binary of it
    #[arg(long, env = "AUTOPGO_DOWNLOAD_COMPACT", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) compact: bool,

    /// Succeed without writing anything when there is no profile yet
    #[arg(long, env = "AUTOPGO_ALLOW_MISSING", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) allow_missing: bool,

    #[command(flatten)]
    pub(crate) api: Api,

    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) api: Api,

    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The application
    #[arg(value_name = "APP")]
    pub(crate) app: App,

    #[command(flatten)]
    pub(crate) api: Api,

    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["older_than", "larger_than"]).required(true).multiple(true)))]
pub(crate) struct Clean {
    /// Delete a profile that nothing was merged into for this long, such as 720h
    #[arg(long, short = 'd', env = "AUTOPGO_OLDER_THAN", value_name = "DURATION")]
    pub(crate) older_than: Option<GoDuration>,

    /// Delete a profile of this many bytes or more
    #[arg(long, short = 's', env = "AUTOPGO_LARGER_THAN", value_name = "BYTES")]
    pub(crate) larger_than: Option<u64>,

    #[command(flatten)]
    pub(crate) api: Api,

    #[command(flatten)]
    pub(crate) output: Json,
}

/// A duration above zero.
pub(crate) fn positive(text: &str) -> Result<GoDuration> {
    let duration: GoDuration = text.parse()?;
    if duration.0.is_zero() {
        return Err(Error::new(Kind::Invalid, "it must be above zero, such as 30s"));
    }
    Ok(duration)
}
