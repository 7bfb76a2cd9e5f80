//! `autopgo token`: a new token, and the entry by which a server knows it.
//!
//! The token alone goes to standard output, so that `> ci.token` is a file for `--token-file`; what a person is told of it
//! goes to standard error.

use autopgo_core::error::{Error, Kind};
use autopgo_http::access::{self, Secret};
use serde::Serialize;

use crate::args::token::Token;
use crate::output::{self, Failure};

/// All of it, for scripts.
#[derive(Serialize)]
struct Made<'a> {
    token: &'a str,
    entry: access::Token,
}

pub(crate) fn run(args: Token) -> Result<(), Failure> {
    let secret = Secret::fresh()?;
    let entry = access::Token::new(args.name, &secret, args.scope, args.app);
    let token = secret.reveal();
    if args.json {
        return output::json(&Made { token, entry });
    }
    let line = serde_json::to_string(&entry)
        .map_err(|error| Error::new(Kind::Internal, "writing the entry").because(error))?;
    output::write(token)?;
    output::note(format_args!(
        "This token is shown once. Its holder sets AUTOPGO_API_TOKEN to it, or keeps it in a file for --token-file.\n\
         The server knows it by this entry of its list (--tokens-file, AUTOPGO_TOKENS_FILE, or AUTOPGO_TOKENS):\n\n\
         {line}"
    ));
    Ok(())
}
