//! What a policy of IAM grants, one action on one resource at a time.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// One action on one resource, as a policy writes them: `*` stands for any characters, `?` for any one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// As policies name it: `s3:GetObject`.
    pub action: String,
    /// An ARN.
    pub resource: String,
}

impl Grant {
    /// Whether it gives what is needed.
    pub fn allows(&self, need: &super::Need) -> bool {
        // The case of actions does not matter.
        let [granted, needed] = [&self.action, &need.action].map(|action| action.to_ascii_lowercase());
        stands_for(granted.as_bytes(), needed.as_bytes())
            && stands_for(self.resource.as_bytes(), need.resource.as_bytes())
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// Everything that the policy, as JSON, grants.
///
/// # Errors
/// What the policy says that is not understood here, a condition for one: it might be granted or not.
pub fn grants(policy: &str) -> Result<BTreeSet<Grant>, String> {
    let policy: Value = serde_json::from_str(policy).map_err(|error| format!("no JSON: {error}"))?;
    let mut grants = BTreeSet::new();
    for statement in listed(&policy["Statement"]) {
        let fields = statement.as_object().ok_or_else(|| format!("no statement: {statement}"))?;
        let strange =
            fields.keys().find(|key| !["Sid", "Effect", "Action", "Resource"].contains(&key.as_str()));
        if let Some(strange) = strange {
            return Err(format!("{strange} is not understood here: {statement}"));
        }
        if fields.get("Effect").and_then(Value::as_str) != Some("Allow") {
            return Err(format!("not understood here, for it does not allow: {statement}"));
        }
        let texts = |field: &str| -> Result<Vec<String>, String> {
            let texts = listed(&statement[field]).map(|text| text.as_str().map(str::to_owned));
            let texts: Option<Vec<String>> = texts.collect();
            texts.filter(|texts| !texts.is_empty()).ok_or_else(|| format!("no {field}: {statement}"))
        };
        for action in texts("Action")? {
            grants.extend(
                texts("Resource")?.into_iter().map(|resource| Grant { action: action.clone(), resource }),
            );
        }
    }
    if grants.is_empty() { Err("a policy that grants nothing".to_owned()) } else { Ok(grants) }
}

/// What is in a list, or stands in its place.
fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
    .iter()
}

/// Whether `pattern` stands for `text`. At a mismatch the last `*` takes a byte more.
fn stands_for(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::Need;

    #[test]
    fn patterns_stand_for_what_they_should() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("a", "", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("a*c", "abbbc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a.b.b.c", true),
            ("*/staging/*", "shop/staging/1", true),
            ("*/staging/*", "staging/1", false),
            ("*/default.pgo", "a/b/default.pgo", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
        ] {
            assert_eq!(stands_for(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn both_action_and_resource_must_be_granted() {
        let grant = |action: &str, resource: &str| Grant { action: action.into(), resource: resource.into() };
        let need = Need { action: "s3:GetObject".into(), resource: "arn:aws:s3:::b/k".into() };
        for (grant, expected) in [
            (grant("s3:GetObject", "arn:aws:s3:::b/k"), true),
            (grant("S3:getobject", "*"), true),
            (grant("s3:Get*", "arn:aws:s3:::b/*"), true),
            (grant("s3:GetObject", "arn:aws:s3:::b"), false),
            (grant("s3:GetObject", "arn:aws:s3:::B/k"), false),
            (grant("s3:PutObject", "*"), false),
        ] {
            assert_eq!(grant.allows(&need), expected, "{grant}");
        }
    }

    #[test]
    fn every_pair_is_granted() {
        let policy = r#"{"Version": "2012-10-17", "Statement": [
            {"Sid": "One", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "b"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["x", "y"]}]}"#;
        let shown: Vec<String> = grants(policy).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "s3:GetObject on x",
                "s3:GetObject on y",
                "s3:ListBucket on b",
                "s3:PutObject on x",
                "s3:PutObject on y"
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_no_policy() {
        for policy in [
            "no policy",
            "{}",
            r#"{"Statement": []}"#,
            r#"{"Statement": ["Allow"]}"#,
            r#"{"Statement": {"Effect": "Deny", "Action": "a", "Resource": "r"}}"#,
            r#"{"Statement": {"Effect": "Allow", "NotAction": "a", "Resource": "r"}}"#,
            r#"{"Statement": {"Effect": "Allow", "Action": "a", "Resource": "r", "Condition": {}}}"#,
            r#"{"Statement": {"Effect": "Allow", "Action": "a"}}"#,
            r#"{"Statement": {"Effect": "Allow", "Action": [1], "Resource": "r"}}"#,
        ] {
            assert!(grants(policy).is_err(), "{policy}");
        }
    }
}
