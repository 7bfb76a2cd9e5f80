//! The authorisation matrix: every route of the API, and what becomes of it without a token, with a wrong one, with one
//! that lacks the scope, with one that is for other applications, and with the right one.
//!
//! It knows nothing but a base URL, so that a router in this process, a command, and each cloud's function are driven by
//! the same table. Whoever stands behind the URL has been given [`LIST`].

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};

use crate::profile;

/// The application that the routes are about.
pub const APP: &str = "team-a";

/// A token of [`LIST`]: what it is called, and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// As the server calls it.
    pub name: &'static str,
    /// As its holder has it.
    pub text: &'static str,
}

/// Every scope, for every application.
pub const ALL: Token = Token { name: "all", text: "matrix-all-0f1e2d3c4b5a" };
/// Uploads of [`APP`].
pub const UPLOADER: Token = Token { name: "uploader", text: "matrix-uploader-0f1e2d3c4b5a" };
/// Downloads of [`APP`].
pub const DOWNLOADER: Token = Token { name: "downloader", text: "matrix-downloader-0f1e2d3c4b5a" };
/// Deletions of [`APP`].
pub const DELETER: Token = Token { name: "deleter", text: "matrix-deleter-0f1e2d3c4b5a" };
/// Every scope, for other applications.
pub const ELSEWHERE: Token = Token { name: "elsewhere", text: "matrix-elsewhere-0f1e2d3c4b5a" };
/// No scope, for every application.
pub const WATCHER: Token = Token { name: "watcher", text: "matrix-watcher-0f1e2d3c4b5a" };

/// The server's list of tokens.
pub const LIST: &str = r#"[
  // Each `sha256` is that of the token's text: `printf %s matrix-all-0f1e2d3c4b5a | sha256sum`.
  {"name": "all", "scopes": ["upload", "download", "delete"],
   "sha256": "55b67acd5b7fecc57082f8696a7b879b3b2c7aa46f4bc7f07e60e101e601f2e6"},
  {"name": "uploader", "scopes": ["upload"], "apps": ["team-a", "shared-*"],
   "sha256": "8f772caf9a702e9c55d17059e2d39df56cefac2b915c78f56f3c52caaa5ba560"},
  {"name": "downloader", "scopes": ["download"], "apps": ["team-*"],
   "sha256": "b72d0343b8d833e1034ee713809e12d6cf37812ea8c57e00d2be338945b6c112"},
  {"name": "deleter", "scopes": ["delete"], "apps": ["*-a"],
   "sha256": "a12a3854c5d28da30fb076671b69dfb550e5ae0a50aeebd94e491048c9956378"},
  {"name": "elsewhere", "scopes": ["upload", "download", "delete"], "apps": ["team-b", "team-a-*", "*-team-a"],
   "sha256": "d26981b33581e4cdbd679e76b8e3626822e606a686c25dbd75d1f4436d037358"},
  {"name": "watcher", "scopes": [],
   "sha256": "4f20736f00f5e75f8974039a97f0a2829b04e12b8bb0ce0e9abdece5859d858c"},
]"#;

const TOKENS: [Token; 6] = [ALL, UPLOADER, DOWNLOADER, DELETER, ELSEWHERE, WATCHER];

/// What may be in no log and in no answer: the texts of the tokens, and their hashes.
pub fn secrets() -> Vec<&'static str> {
    let hashes = LIST.split('"').filter(|text| text.len() == 64);
    let secrets: Vec<_> = TOKENS.iter().map(|token| token.text).chain(hashes).collect();
    assert_eq!(secrets.len(), 2 * TOKENS.len());
    secrets
}

/// Which token is right for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Upload,
    Download,
    Delete,
    /// Any, or none.
    Nothing,
}

impl By {
    /// The one that can do this and nothing else, and the scope's name.
    fn only(self) -> Option<(Token, &'static str)> {
        match self {
            Self::Upload => Some((UPLOADER, "upload")),
            Self::Download => Some((DOWNLOADER, "download")),
            Self::Delete => Some((DELETER, "delete")),
            Self::Nothing => None,
        }
    }
}

/// Which statuses an answer may have.
type Status = &'static [u16];

/// A line of the table.
struct Row {
    method: &'static str,
    path: &'static str,
    body: fn() -> Vec<u8>,
    by: By,
    none: Status,
    wrong: Status,
    wrong_scope: Status,
    wrong_app: Status,
    right: Status,
}

const UNKNOWN: Status = &[401];
const LACKING: Status = &[403];

const fn row(
    method: &'static str,
    path: &'static str,
    body: fn() -> Vec<u8>,
    by: By,
    [none, wrong, wrong_scope, wrong_app, right]: [Status; 5],
) -> Row {
    Row { method, path, body, by, none, wrong, wrong_scope, wrong_app, right }
}

/// The routes in an order in which the right tokens can walk them. Of those that end in one of several ways (a store that
/// signs or not, an upload that is merged by now or not) each is named.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    //                                                                    none     wrong    wrong scope wrong app  right
    row("POST",   "/api/profile/team-a",              upload,  By::Upload,   [UNKNOWN, UNKNOWN, LACKING, LACKING, &[201]]),
    row("POST",   "/api/profile/team-a/uploads",      announce, By::Upload,  [UNKNOWN, UNKNOWN, LACKING, LACKING, &[200, 501]]),
    row("POST",   "/api/profile/team-a/uploads/none", nothing, By::Upload,   [UNKNOWN, UNKNOWN, LACKING, LACKING, &[404]]),
    row("GET",    "/api/profile/team-a",              nothing, By::Download, [UNKNOWN, UNKNOWN, LACKING, LACKING, &[200, 404]]),
    row("HEAD",   "/api/profile/team-a",              nothing, By::Download, [UNKNOWN, UNKNOWN, LACKING, LACKING, &[200, 404]]),
    row("GET",    "/api/profile/team-a?form=compact", nothing, By::Download, [UNKNOWN, UNKNOWN, LACKING, LACKING, &[200, 404]]),
    row("GET",    "/api/profile",                     nothing, By::Download, [UNKNOWN, UNKNOWN, LACKING, &[200],  &[200]]),
    row("HEAD",   "/api/profile",                     nothing, By::Download, [UNKNOWN, UNKNOWN, LACKING, &[200],  &[200]]),
    row("DELETE", "/api/profile/team-a",              nothing, By::Delete,   [UNKNOWN, UNKNOWN, LACKING, LACKING, &[200, 404]]),
    // Probes have no token.
    row("GET",    "/api/health",                      nothing, By::Nothing,  [&[200], &[200], &[200], &[200], &[200]]),
    row("GET",    "/api/ready",                       nothing, By::Nothing,  [&[200], &[200], &[200], &[200], &[200]]),
    // A signature counts here and a token nothing; a host whose store signs by itself does not have these.
    row("GET",    FORGED,                             nothing, By::Nothing,  [SIGNED, SIGNED, SIGNED, SIGNED, SIGNED]),
    row("PUT",    FORGED,                             upload,  By::Nothing,  [SIGNED, SIGNED, SIGNED, SIGNED, SIGNED]),
    // There is nothing to be had.
    row("PATCH",  "/api/profile/team-a",              nothing, By::Nothing,  [&[405], &[405], &[405], &[405], &[405]]),
    row("GET",    "/api/nothing",                     nothing, By::Nothing,  [&[404], &[404], &[404], &[404], &[404]]),
];

const FORGED: &str = "/api/objects/team-a/default.pgo?size=3&expires=99999999999999&signature=00";
const SIGNED: Status = &[403, 404];

fn nothing() -> Vec<u8> {
    Vec::new()
}

fn upload() -> Vec<u8> {
    profile::cpu(&[("main.main", "team.Work", 3)])
}

fn announce() -> Vec<u8> {
    br#"{"size": 300}"#.to_vec()
}

/// Tries everything that is refused, and everything that is let in: the whole table.
///
/// # Panics
/// When any of it is not as the table has it.
pub async fn holds(base: &str) {
    refuses(base).await;
    admits(base).await;
}

/// Tries whatever is not the right token, on every route.
///
/// # Panics
/// When any answer is not as the table has it.
pub async fn refuses(base: &str) {
    let mut tried = Tried::new(base);
    for row in TABLE {
        tried.cell(row, row.none, None, "").await;
        let right = row.by.only().map_or(ALL, |(token, _)| token).text;
        for wrong in [
            "Bearer matrix-unknown".to_owned(),
            format!("Bearer {right}x"),
            format!("Bearer {right}, Bearer {right}"),
            format!("Basic {right}"),
            right.to_owned(),
            "Bearer".to_owned(),
        ] {
            tried.cell(row, row.wrong, Some(&wrong), "").await;
        }
        for token in [UPLOADER, DOWNLOADER, DELETER, WATCHER] {
            let Some((only, scope)) = row.by.only() else {
                tried.cell(row, row.wrong_scope, Some(&bearer(token)), "").await;
                continue;
            };
            if token != only {
                let says = format!("the token {} lacks the scope {scope}", token.name);
                tried.cell(row, row.wrong_scope, Some(&bearer(token)), &says).await;
            }
        }
        let says = format!("the token {} is not for the application {APP}", ELSEWHERE.name);
        let says = if row.wrong_app == LACKING && row.by != By::Nothing { &says } else { "" };
        tried.cell(row, row.wrong_app, Some(&bearer(ELSEWHERE)), says).await;
    }
    tried.end();
}

/// Tries the right tokens on every route, one after the other: that for the one scope, and that for all.
///
/// # Panics
/// When any answer is not as the table has it.
pub async fn admits(base: &str) {
    let mut tried = Tried::new(base);
    for row in TABLE {
        let only = row.by.only().map_or(WATCHER, |(token, _)| token);
        for authorization in [bearer(only), bearer(ALL), format!("bearer {}", only.text)] {
            tried.cell(row, row.right, Some(&authorization), "").await;
        }
    }
    tried.end();
}

/// As a header.
fn bearer(token: Token) -> String {
    format!("Bearer {}", token.text)
}

/// What was tried so far, and what of it was wrong: all is said at the end.
struct Tried<'a> {
    base: &'a str,
    client: Client,
    cells: usize,
    wrong: Vec<String>,
}

impl<'a> Tried<'a> {
    fn new(base: &'a str) -> Self {
        // A download that is redirected has been admitted.
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { base, client, cells: 0, wrong: Vec::new() }
    }

    /// Tries one cell: its status, and the form of a refusal, whose message has `says` in it.
    async fn cell(&mut self, row: &Row, expected: Status, authorization: Option<&str>, says: &str) {
        let Row { method, path, body, .. } = *row;
        self.cells += 1;
        let cell = format!("{method} {path} with {authorization:?}");
        let verb = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(verb, format!("{}{path}", self.base)).body(body());
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{cell}: {error}"));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = String::from_utf8_lossy(&answer.bytes().await.expect("a whole answer")).into_owned();
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut problems = Vec::new();
        if !expected.contains(&status) {
            problems.push(format!("answered {status}, and not one of {expected:?}"));
        }
        if (header(WWW_AUTHENTICATE) == Some("Bearer")) != (status == 401) {
            problems.push(format!("its www-authenticate is {:?}", header(WWW_AUTHENTICATE)));
        }
        if (status == 401 || status == 403) && method != "HEAD" {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let message = json["message"].as_str().unwrap_or_default();
            let of_api = header(CONTENT_TYPE) == Some("application/json") && json["code"] == status;
            if !of_api || message.is_empty() || !message.contains(says) {
                problems.push(format!("it is not {says:?} in the API's form: {headers:?} {text}"));
            }
        }
        let shown = format!("{headers:?} {text}");
        if secrets().iter().any(|secret| shown.contains(secret)) {
            problems.push(format!("a secret is in it: {shown}"));
        }
        self.wrong.extend(problems.iter().map(|problem| format!("{cell}: {problem}")));
    }

    fn end(self) {
        assert!(self.cells > TABLE.len(), "{} cells are no matrix", self.cells);
        let Self { base, cells, wrong, .. } = self;
        assert!(wrong.is_empty(), "{base}: {} of {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
    }
}
