//! Signed URLs, version 4: <https://cloud.google.com/storage/docs/authentication/canonical-requests> and
//! <https://cloud.google.com/storage/docs/authentication/signatures>.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use jiff::civil::DateTime;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::refusal::Refusal;
use crate::account::Account;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";
/// A week, in seconds.
const LONGEST: i64 = 604_800;
/// Clocks may differ by this much.
const SKEW: i64 = 15 * 60;

/// Whether the account signed this request, and still stands by it.
pub(super) fn check(
    account: &Account,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let pairs: BTreeMap<&str, &str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let param = |name: &str| {
        let value = pairs.get(name).ok_or_else(|| Refusal::invalid(format!("Missing {name}")))?;
        let value = percent_decode_str(value).decode_utf8();
        value.map(std::borrow::Cow::into_owned).map_err(|_| Refusal::invalid(format!("Invalid {name}")))
    };
    if param("X-Goog-Algorithm")? != ALGORITHM {
        return Err(Refusal::invalid("Invalid X-Goog-Algorithm"));
    }
    let (date, credential) = (param("X-Goog-Date")?, param("X-Goog-Credential")?);
    let (email, scope) = credential.split_once('/').unwrap_or_default();
    let day = date.get(..8).unwrap_or_default();
    let whole = ["auto", "storage", "goog4_request"];
    if email != account.email() || !scope.starts_with(day) || !scope.split('/').skip(1).eq(whole) {
        return Err(Refusal::signature("The credential is none of a known account."));
    }
    let begins = DateTime::strptime("%Y%m%dT%H%M%SZ", &date)
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| Refusal::invalid("Invalid X-Goog-Date"))?
        .timestamp()
        .as_second();
    let lasts: i64 =
        param("X-Goog-Expires")?.parse().map_err(|_| Refusal::invalid("Invalid X-Goog-Expires"))?;
    if !(1..=LONGEST).contains(&lasts) {
        return Err(Refusal::invalid("Invalid X-Goog-Expires"));
    }
    let now = Timestamp::now().as_second();
    if now + SKEW < begins {
        return Err(Refusal::signature("It is of a time to come."));
    }
    if now >= begins + lasts {
        return Err(Refusal::expired());
    }
    let names = param("X-Goog-SignedHeaders")?;
    let signed: Vec<&str> = names.split(';').collect();
    // Whatever goes by this name changes what is done, so it has to be signed.
    for name in headers.keys() {
        if name.as_str().starts_with("x-goog-") && !signed.contains(&name.as_str()) {
            return Err(Refusal::unsigned_header(name.as_str()));
        }
    }
    let signature =
        hex(&param("X-Goog-Signature")?).ok_or_else(|| Refusal::signature("It is no signature."))?;
    let query: Vec<String> = pairs
        .iter()
        .filter(|(name, _)| **name != "X-Goog-Signature")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    // Google is on the usual ports alone, where a host has none behind it; some of its clients sign it without on others.
    let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
    let good = [host, bare].iter().any(|host| {
        let request = canonical(method, uri.path(), &query.join("&"), &signed, headers, host);
        let mut hash = String::new();
        for byte in Sha256::digest(request.as_bytes()) {
            // Writing to a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        account.has_signed(format!("{ALGORITHM}\n{date}\n{scope}\n{hash}").as_bytes(), &signature)
    });
    if good { Ok(()) } else { Err(Refusal::signature("Access denied: the signature does not match.")) }
}

fn canonical(
    method: &Method,
    path: &str,
    query: &str,
    signed: &[&str],
    headers: &HeaderMap,
    host: &str,
) -> String {
    let mut lines = String::new();
    for name in signed {
        let values: Vec<String> = headers
            .get_all(*name)
            .iter()
            .map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        let value = if *name == "host" { host.to_owned() } else { values.join(",") };
        let _ = writeln!(lines, "{name}:{value}");
    }
    let names = signed.join(";");
    let payload = headers.get("x-goog-content-sha256").and_then(|sum| sum.to_str().ok());
    let payload = payload.unwrap_or("UNSIGNED-PAYLOAD");
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}")
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
