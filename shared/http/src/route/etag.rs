//! `If-None-Match` (RFC 9110 section 13.1.2): the states that a client has already.

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

/// What the client has.
pub(crate) enum Known {
    /// `*`: something, whatever there is.
    Any,
    /// The opaque parts of these tags, quotes included. The comparison is the weak one, so `W/` says nothing.
    Tags(Vec<String>),
}

impl Known {
    /// What `headers` name. A list that is malformed ends where it is: the client then gets the whole answer.
    pub(crate) fn by(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = Vec::new();
        for line in lines {
            if line.trim() == "*" {
                return Self::Any;
            }
            let mut rest = line;
            while let Some((tag, after)) = first(rest) {
                tags.push(tag.to_owned());
                rest = after;
            }
        }
        Self::Tags(tags)
    }

    /// Whether the client has the state that `etag` names.
    pub(crate) fn has(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == etag.strip_prefix("W/").unwrap_or(etag)),
        }
    }
}

/// The first tag of a list, and what is behind it. A tag may have commas in it, so the quotes count.
fn first(list: &str) -> Option<(&str, &str)> {
    let list = list.trim_start_matches([',', ' ', '\t']);
    let tag = list.strip_prefix("W/").unwrap_or(list);
    let end = tag.strip_prefix('"')?.find('"')? + 2;
    Some(tag.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[track_caller]
    fn check(lines: &[&'static str], etag: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, HeaderValue::from_static(line));
        }
        assert_eq!(Known::by(&headers).has(etag), expected, "{lines:?} {etag}");
    }

    #[test]
    fn lists_are_compared_weakly() {
        check(&[], "\"a\"", false);
        check(&["*"], "\"a\"", true);
        check(&["\"a\""], "\"a\"", true);
        check(&["W/\"a\""], "\"a\"", true);
        check(&["\"a\""], "W/\"a\"", true);
        check(&["\"b\", W/\"a\""], "W/\"a\"", true);
        check(&["\"b\"", "\"c\",\"a\" "], "\"a\"", true);
        check(&["\"b,\",,\"a\""], "\"a\"", true);
        check(&["\"b, \"a\""], "\"a\"", false);
        check(&["a"], "\"a\"", false);
        check(&["\"a"], "\"a\"", false);
        check(&["\"A\""], "\"a\"", false);
        check(&["\"*\""], "\"a\"", false);
        check(&[""], "\"\"", false);
    }
}
