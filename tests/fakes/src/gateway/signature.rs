//! Whether a request is signed as it says: the signature, made once more from what came.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use axum::http::header;
use axum::http::request::Parts;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{Keys, Scope};

/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(5 * 60);
const FORM: &str = "%Y%m%dT%H%M%SZ";
/// All but the unreserved characters.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that was signed well.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /prod/api/profile`.
    pub line: String,
    /// What stands in `x-amz-date`.
    pub date: String,
    /// The names of what was signed, with `;` between.
    pub signed: String,
    /// The signature.
    pub signature: String,
}

/// Checks what came at `now`.
pub(super) fn check(
    parts: &Parts,
    body: &[u8],
    scope: &Scope,
    keys: &[Keys],
    now: Timestamp,
) -> Result<Seen, String> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization").ok_or("Missing Authentication Token")?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| {
        format!("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization={}", hex(&Sha256::digest(authorization)))
    })?;
    let fields: BTreeMap<_, _> = fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
    let field = |name: &str| {
        fields.get(name).copied().ok_or_else(|| format!("Authorization header requires '{name}' parameter."))
    };
    let (credential, signed, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);

    let date =
        text("x-amz-date").ok_or("Authorization header requires existence of a 'X-Amz-Date' header.")?;
    let parsed = DateTime::strptime(FORM, date).and_then(|date| date.to_zoned(TimeZone::UTC));
    let at =
        parsed.map_err(|_| format!("Date must be in ISO-8601 'basic format'. Got '{date}'."))?.timestamp();
    let shown = |time: Timestamp| time.strftime(FORM).to_string();
    if at < now - SKEW {
        return Err(format!(
            "Signature expired: {date} is now earlier than {} ({} - 5 min.)",
            shown(now - SKEW),
            shown(now)
        ));
    }
    if at > now + SKEW {
        return Err(format!(
            "Signature not yet current: {date} is still later than {} ({} + 5 min.)",
            shown(now + SKEW),
            shown(now)
        ));
    }

    let [id, day, region, service, end] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err("Credential must have exactly 5 slash-delimited elements.".to_owned());
    };
    if !date.starts_with(&format!("{day}T")) || end != "aws4_request" {
        return Err(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."
                .to_owned(),
        );
    }
    if region != scope.region {
        return Err(format!("Credential should be scoped to a valid region, not '{region}'."));
    }
    if service != scope.service {
        return Err(format!("Credential should be scoped to correct service: '{}'.", scope.service));
    }
    let invalid = "The security token included in the request is invalid.";
    let keys = keys.iter().find(|keys| keys.id == id).ok_or(invalid)?;
    if keys.token.as_deref() != text("x-amz-security-token") {
        return Err(invalid.to_owned());
    }

    let names: Vec<_> = signed.split(';').collect();
    let must = parts
        .headers
        .keys()
        .map(header::HeaderName::as_str)
        .filter(|name| ["host", "content-type"].contains(name) || name.starts_with("x-amz-"));
    for name in must {
        if !names.contains(&name) {
            return Err(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."));
        }
    }
    let request = canonical(parts, &names, body);
    let hash = hex(&Sha256::digest(&request));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{hash}");
    let key = [day, region, service, "aws4_request", &to_sign]
        .iter()
        .fold(format!("AWS4{}", keys.secret).into_bytes(), |key, message| mac(&key, message.as_bytes()));
    if hex(&key) != signature {
        return Err(format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this \
             request should have been\n'{request}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
        ));
    }
    let line = format!("{} {}", parts.method, parts.uri);
    Ok(Seen { line, date: date.to_owned(), signed: signed.to_owned(), signature: signature.to_owned() })
}

/// Step 1: a canonical request.
fn canonical(parts: &Parts, names: &[&str], body: &[u8]) -> String {
    let mut lines = String::new();
    for name in names {
        let values: Vec<_> =
            parts.headers.get_all(*name).iter().map(|value| squeezed(value.as_bytes())).collect();
        // Infallible into a string.
        let _ = writeln!(lines, "{name}:{}", values.join(","));
    }
    format!(
        "{}\n{}\n{}\n{lines}\n{}\n{}",
        parts.method,
        path(parts.uri.path()),
        query(parts.uri.query().unwrap_or_default()),
        names.join(";"),
        hex(&Sha256::digest(body))
    )
}

/// The path without what is redundant in it, each segment encoded once more than it came.
fn path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let trailing = path.len() > 1 && path.ends_with('/') && !segments.is_empty();
    let encoded: Vec<_> =
        segments.iter().map(|segment| utf8_percent_encode(segment, &ENCODED).to_string()).collect();
    format!("/{}{}", encoded.join("/"), if trailing { "/" } else { "" })
}

/// The parameters, encoded and then sorted.
fn query(query: &str) -> String {
    let encoded = |text: &str| {
        let plain: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&plain, &ENCODED).to_string()
    };
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A header's value without white space around it, and with one blank where there are several.
fn squeezed(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of HMAC may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// Amazon's Signature Version 4 test suite, `get-vanilla`.
    #[test]
    fn amazons_example_is_let_through_and_nothing_but_it() {
        let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let scope = Scope { service: "service".into(), region: "us-east-1".into() };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned();
        let keys = [Keys { id: "AKIDEXAMPLE".into(), secret, token: None }];
        let now = "2015-08-30T12:36:00Z".parse().expect("a time");
        let try_it = |uri: &str, signature: &str| {
            let credential = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
            let request = Request::get(uri)
                .header("host", "example.amazonaws.com")
                .header("x-amz-date", "20150830T123600Z")
                .header("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={signature}"))
                .body(())
                .expect("a request");
            check(&request.into_parts().0, b"", &scope, &keys, now).map(|seen| seen.line)
        };
        assert_eq!(try_it("/", signature).expect("let through"), "GET /");
        for (uri, signature) in [("/x", signature), ("/", "0000"), ("/?a", signature)] {
            let error = try_it(uri, signature).expect_err(uri);
            assert!(error.contains("does not match"), "{error}");
        }
    }
}
