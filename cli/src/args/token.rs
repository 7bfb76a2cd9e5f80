//! The command that makes tokens.

use autopgo_http::access::{Name, Pattern, Scope};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

#[derive(Args, Debug)]
pub(crate) struct Token {
    /// What the server calls the token, in its log and in its answers; each token has a name of its own
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Name,

    /// What it is for; may be given more than once, or with commas between
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(Scope::NAMES).try_map(|name| name.parse::<Scope>()))]
    pub(crate) scope: Vec<Scope>,

    /// Which applications it is for: a name, or a pattern with `*`; may be given more than once, or with commas between
    #[arg(long, value_name = "APP", default_value = "*", value_delimiter = ',')]
    pub(crate) app: Vec<Pattern>,

    /// Write the token and its entry as JSON: {"token": "...", "entry": {...}}
    #[arg(long)]
    pub(crate) json: bool,
}
