//! What an answer means: the status as a kind of error, the API's JSON as its text, and what to make of an answer
//! that is not autopgo's (a proxy's page, a load balancer, some other server on the same port).

use std::time::Duration;

use autopgo_core::api::{self, Failure};
use autopgo_core::error::{Error, Kind};
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::identity::Identity;
use crate::retry::{Again, Fault, retry_after};
use crate::secrets::Secrets;

/// As much of a foreign text as is worth showing.
const LONGEST_TEXT: usize = 400;

/// Who answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// The API, as far as we can tell, which was told this of who asks.
    Api(&'a Identity),
    /// Another host, to which the API sent us on.
    Elsewhere,
    /// The store that a ticket is for.
    Store,
}

/// The fault that an answer with an error status is. Of what it says, the `secrets` that it was asked with are not shown.
pub(crate) fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    from: &str,
    who: Who<'_>,
    secrets: &Secrets,
) -> Fault {
    let said = serde_json::from_slice::<Failure>(body).ok().filter(|failure| failure.code == status.as_u16());
    let ours = said.is_some() && !headers.contains_key(api::UNKNOWN_PATH);
    let mut text = match said {
        Some(failure) => printable(&secrets.hidden(&failure.message)),
        None => foreign(status, headers, body, from, secrets),
    };
    let kind = kind(status, ours);
    if let Some(hint) = hint(status, ours, who) {
        text = format!("{text}; {hint}");
    }
    Fault { error: Error::new(kind, text), again: again(status, headers), status: Some(status) }
}

/// Reads the JSON of a success.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8], from: &str) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|cause| {
        let what =
            format!("what answers at {from} is not autopgo ({}); check --api-url", media_type(headers));
        Fault::never(Error::new(Kind::Invalid, what).because(cause))
    })
}

/// Refuses a page where a profile should be: a portal that wants a login answers 200 to everything.
pub(crate) fn no_page(headers: &HeaderMap, from: &str) -> Result<(), Fault> {
    if media_type(headers) != "text/html" {
        return Ok(());
    }
    let what = format!(
        "{from} answers with a web page, not a profile; check --api-url and what stands in front of it"
    );
    Err(Fault::never(Error::new(Kind::Invalid, what)))
}

/// Server text as it may reach a terminal: no control characters, no more than a few lines' worth.
pub(crate) fn printable(text: &str) -> String {
    let clean: String =
        text.chars().map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c }).take(LONGEST_TEXT).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(status: StatusCode, ours: bool) -> Kind {
    match status.as_u16() {
        401 | 403 | 407 => Kind::Denied,
        // Only the API itself can say that there is no profile: a wrong base URL must not look like one.
        404 if ours => Kind::NotFound,
        409 => Kind::Conflict,
        413 => Kind::TooLarge,
        408 | 429 | 502..=504 => Kind::Unavailable,
        500.. => Kind::Internal,
        _ => Kind::Invalid,
    }
}

fn again(status: StatusCode, headers: &HeaderMap) -> Again {
    if !matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504) {
        return Again::Never;
    }
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let least = asked.and_then(|value| retry_after(value, Timestamp::now()));
    Again::Unclear(least.unwrap_or(Duration::ZERO))
}

fn hint(status: StatusCode, ours: bool, who: Who<'_>) -> Option<&'static str> {
    match (status.as_u16(), who) {
        (407, _) => Some("a proxy stands in between and wants credentials: check HTTP_PROXY and HTTPS_PROXY"),
        // A ticket is all the credentials that there are.
        (_, Who::Store) => None,
        (401 | 403, Who::Elsewhere) => Some(
            "the credentials were not sent on to another host: set --api-url to where the redirect leads",
        ),
        (status @ (401 | 403), Who::Api(identity)) => Some(identity.hint(status, ours)),
        (404 | 405, _) if !ours => Some("check --api-url"),
        _ => None,
    }
}

/// An error that is not in the API's form: the status, and the page's title or the text's start.
fn foreign(status: StatusCode, headers: &HeaderMap, body: &[u8], from: &str, secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(16 << 10)]);
    let printable = |text: &str| printable(&secrets.hidden(text));
    let words = match media_type(headers).as_str() {
        "text/html" => title(&text).map(printable),
        "application/json" => serde_json::from_slice::<serde_json::Value>(body)
            .ok()
            .and_then(|json| {
                ["message", "Message", "error"]
                    .iter()
                    .find_map(|key| Some(json.get(key)?.as_str()?.to_owned()))
            })
            .map(|message| printable(&message)),
        "text/plain" => Some(printable(&text)),
        // The stores of all clouds answer like this; what else is in it is for nobody's eyes.
        "application/xml" | "text/xml" => element(&text, "Code").map(printable),
        _ => None,
    };
    let words =
        words.filter(|words| !words.is_empty()).map(|words| format!(" ({words})")).unwrap_or_default();
    format!("{from} answered {status}{words}")
}

fn title(page: &str) -> Option<&str> {
    // ASCII lower case keeps every byte in its place.
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower[start..].find("</title>")?;
    page.get(start..end)
}

/// The text of an XML element that holds nothing else.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.is_empty() { "no content type".to_owned() } else { printable(&essence) }
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, media: &str, body: &str) -> Fault {
        let mut headers = HeaderMap::new();
        if !media.is_empty() {
            headers.insert(CONTENT_TYPE, media.parse().expect("a media type"));
        }
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let status = StatusCode::from_u16(status).expect("a status");
        let who = Who::Api(&Identity::Open);
        refused(status, &headers, body.as_bytes(), "http://h", who, &Secrets::of(&HeaderMap::new()))
    }

    #[test]
    fn a_refusal_has_the_servers_words_and_its_kind() {
        for (status, kind, again) in [
            (400, Kind::Invalid, Again::Never),
            (401, Kind::Denied, Again::Never),
            (403, Kind::Denied, Again::Never),
            (404, Kind::NotFound, Again::Never),
            (408, Kind::Unavailable, Again::Unclear(Duration::from_secs(7))),
            (409, Kind::Conflict, Again::Never),
            (413, Kind::TooLarge, Again::Never),
            (418, Kind::Invalid, Again::Never),
            (429, Kind::Unavailable, Again::Unclear(Duration::from_secs(7))),
            (500, Kind::Internal, Again::Unclear(Duration::from_secs(7))),
            (501, Kind::Internal, Again::Never),
            (503, Kind::Unavailable, Again::Unclear(Duration::from_secs(7))),
        ] {
            let fault =
                answer(status, "application/json", &format!(r#"{{"message":"it is so","code":{status}}}"#));
            assert_eq!((fault.error.kind(), fault.again), (kind, again), "{status}");
            assert!(fault.error.what().starts_with("it is so"), "{}", fault.error);
        }
    }

    #[test]
    fn a_foreign_answer_is_shown_for_what_it_is() {
        for (status, media, body, says) in [
            (
                502,
                "text/html; charset=utf-8",
                "<html><TITLE>Bad\n Gateway</TITLE>",
                "http://h answered 502 Bad Gateway (Bad Gateway)",
            ),
            (404, "text/html", "<html>", "http://h answered 404 Not Found; check --api-url"),
            (
                404,
                "application/json",
                r#"{"message":"Not Found"}"#,
                "http://h answered 404 Not Found (Not Found); check --api-url",
            ),
            (
                503,
                "text/plain",
                "no \u{1b}[31mbackend\u{202e}",
                "http://h answered 503 Service Unavailable (no [31mbackend)",
            ),
            (500, "", "\u{0}\u{1}", "http://h answered 500 Internal Server Error"),
            (407, "", "", "http://h answered 407 Proxy Authentication Required; a proxy"),
            (
                403,
                "application/xml",
                "<Error><Code>AccessDenied</Code><StringToSign>s3cret</StringToSign></Error>",
                "http://h answered 403 Forbidden (AccessDenied); ",
            ),
        ] {
            let fault = answer(status, media, body);
            assert!(fault.error.what().starts_with(says), "{}", fault.error);
            assert_ne!(fault.error.kind(), Kind::NotFound);
        }
    }

    #[test]
    fn a_very_long_text_is_cut() {
        assert_eq!(printable(&"x".repeat(100_000)).len(), LONGEST_TEXT);
    }
}
