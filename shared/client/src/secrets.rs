//! What was sent and must not be shown, not even when a server says it back: an API Gateway puts the whole request that it
//! would have signed, a session's token included, into its answer to a wrong signature.

use http::HeaderMap;

/// Shorter values are no secrets that are worth the name, and may stand in any text.
const SHORTEST: usize = 8;

/// The secrets of one request.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those among `headers`: what is marked as one, and of `Bearer X` and the like the `X`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let marked = headers.values().filter(|value| value.is_sensitive());
        let texts = marked.filter_map(|value| value.to_str().ok());
        let mut secrets: Vec<String> = texts
            .flat_map(|text| [Some(text), text.split_once(' ').map(|(_, secret)| secret)])
            .flatten()
            .map(|secret| secret.trim().to_owned())
            .filter(|secret| secret.len() >= SHORTEST)
            .collect();
        // The whole before its parts.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// `text` without them.
    pub(crate) fn hidden(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(secret)"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_marked_is_hidden_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for (name, value, secret) in [
            ("authorization", "Bearer s3cret-token", true),
            ("x-amz-security-token", "AQoD//wE=", true),
            ("x-stage", "prod", true),
            ("accept", "application/json", false),
        ] {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(secret);
            headers.append(name, value);
        }
        let secrets = Secrets::of(&headers);
        let said = "no s3cret-token (Bearer s3cret-token), AQoD//wE= on prod takes application/json";
        let shown = "no (secret) ((secret)), (secret) on prod takes application/json";
        assert_eq!(secrets.hidden(said), shown);
    }
}
