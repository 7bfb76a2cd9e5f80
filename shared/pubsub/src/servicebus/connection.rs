//! Connection strings: `Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=...;SharedAccessKey=...`, as the
//! portal shows them
//! (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-dotnet-get-started-with-queues#get-the-connection-string>).
//! With `UseDevelopmentEmulator=true` the endpoint is one without TLS
//! (<https://learn.microsoft.com/azure/service-bus-messaging/overview-emulator>). No error repeats any part of one but
//! names.

use std::collections::BTreeMap;

use autopgo_core::error::Result;

use super::settings::{Access, Secret, Settings, invalid};

/// Reads the connection string that the variable `name` holds, for `topic`. With a key and a signature the key counts.
pub(super) fn read(name: &str, text: &str, topic: &str) -> Result<Settings> {
    let wrong = |what: &str| invalid(format_args!("{name} {what}"));
    let mut parts = BTreeMap::new();
    for part in text.trim().split(';').filter(|part| !part.trim().is_empty()) {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| wrong("is no connection string: it has a part without a ="))?;
        parts.insert(key.trim().to_ascii_lowercase(), value.trim());
    }
    let part = |key: &str| parts.get(key).copied().filter(|value| !value.is_empty());

    let endpoint = part("endpoint").ok_or_else(|| wrong("has no Endpoint"))?;
    let host = ["sb://", "https://", "http://", "amqps://", "amqp://"]
        .iter()
        .find_map(|scheme| endpoint.strip_prefix(scheme))
        .map(|host| host.trim_end_matches('/'))
        .filter(|host| !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ', '\\']))
        .ok_or_else(|| wrong("names no namespace; write Endpoint=sb://acme.servicebus.windows.net/"))?;
    let emulated = part("usedevelopmentemulator").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let scheme = if emulated { "http" } else { "https" };
    // Of a queue, a topic, or a subscription to one.
    if let Some(entity) = part("entitypath") {
        let entity = entity.to_lowercase();
        let entity = entity.split("/subscriptions/").next().unwrap_or_default();
        if entity.trim_matches('/') != topic.to_lowercase() {
            return Err(wrong(
                "is for another topic, which its EntityPath names; take that of the topic in the URL, or one of the \
                 whole namespace",
            ));
        }
    }
    let access = match (part("sharedaccesskeyname"), part("sharedaccesskey"), part("sharedaccesssignature")) {
        (Some(rule), Some(key), _) => Access::Key { rule: rule.to_owned(), key: Secret::new(key) },
        (None, Some(_), None) => return Err(wrong("has a SharedAccessKey and no SharedAccessKeyName")),
        (_, _, Some(signature)) => Access::Signature(Secret::new(signature)),
        (_, None, None) => return Err(wrong("has neither SharedAccessKey nor SharedAccessSignature")),
    };
    Ok(Settings { base: format!("{scheme}://{host}"), access })
}

#[cfg(test)]
mod tests {
    use autopgo_core::error::Kind;

    use super::*;

    #[test]
    fn all_there_is_to_know_is_in_it() {
        let key =
            || Access::Key { rule: "RootManageSharedAccessKey".to_owned(), key: Secret::new("a2V5+/==") };
        let signature = || Access::Signature(Secret::new("SharedAccessSignature sr=a&sig=b%3d&se=1&skn=r"));
        for (text, base, access) in [
            (
                "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;\
                 SharedAccessKey=a2V5+/==",
                "https://acme.servicebus.windows.net",
                key(),
            ),
            (
                " Endpoint = sb://localhost:5300 ; SharedAccessKeyName=RootManageSharedAccessKey;\
                 SharedAccessKey=a2V5+/==;UseDevelopmentEmulator=true;",
                "http://localhost:5300",
                key(),
            ),
            (
                "Endpoint=sb://acme.servicebus.windows.net/;EntityPath=PGO;SharedAccessSignature=SharedAccessSignature \
                 sr=a&sig=b%3d&se=1&skn=r",
                "https://acme.servicebus.windows.net",
                signature(),
            ),
            (
                "Endpoint=sb://acme/;EntityPath=pgo/Subscriptions/worker;SharedAccessSignature=SharedAccessSignature \
                 sr=a&sig=b%3d&se=1&skn=r",
                "https://acme",
                signature(),
            ),
        ] {
            let expected = Settings { base: base.to_owned(), access };
            assert_eq!(read("V", text, "pgo").expect(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_repeated() {
        for (text, says) in [
            ("hunter2", "V is no connection string"),
            ("SharedAccessKeyName=r;SharedAccessKey=hunter2", "has no Endpoint"),
            ("Endpoint=hunter2", "names no namespace"),
            ("Endpoint=sb://u:hunter2@h", "names no namespace"),
            ("Endpoint=sb://h/;SharedAccessKeyName=hunter2", "neither SharedAccessKey nor"),
            ("Endpoint=sb://h/;SharedAccessKey=hunter2", "a SharedAccessKey and no SharedAccessKeyName"),
            ("Endpoint=sb://h/;EntityPath=hunter2;SharedAccessKey=k", "for another topic"),
        ] {
            let error = read("V", text, "pgo").expect_err(text);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{text}: {error}");
            assert!(!error.what().contains("hunter2"), "{error}");
        }
    }
}
