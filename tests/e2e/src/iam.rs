//! What IAM would say of requests to AWS: which permissions they need, and which a policy gives.

mod policy;
mod request;

use std::collections::BTreeSet;
use std::fmt;

pub use policy::{Grant, grants};
pub use request::{Asked, needs};

/// What one request needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// As policies name it: `s3:GetObject`.
    pub action: String,
    /// The ARN of what it is done to.
    pub resource: String,
}

impl Need {
    fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into() }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// What is needed and not granted.
pub fn refused<'a>(grants: &BTreeSet<Grant>, needs: &'a BTreeSet<Need>) -> Vec<&'a Need> {
    needs.iter().filter(|need| !grants.iter().any(|grant| grant.allows(need))).collect()
}

/// What is granted and needed by nothing.
pub fn unused<'a>(grants: &'a BTreeSet<Grant>, needs: &BTreeSet<Need>) -> Vec<&'a Grant> {
    grants.iter().filter(|grant| !needs.iter().any(|need| grant.allows(need))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_held_to_what_was_asked() {
        let policy = r#"{"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::b/*/staging/*", "arn:aws:s3:::b/*/default.pgo"]}]}"#;
        let grants = grants(policy).unwrap();
        let needs = BTreeSet::from([
            Need::new("s3:GetObject", "arn:aws:s3:::b/shop/default.pgo"),
            Need::new("s3:PutObject", "arn:aws:s3:::b/shop/staging/1"),
            Need::new("s3:PutObject", "arn:aws:s3:::b/shop/rejected/1"),
            Need::new("s3:DeleteObject", "arn:aws:s3:::b/shop/staging/1"),
        ]);
        let shown = |list: Vec<String>| list.join("; ");
        assert_eq!(
            shown(refused(&grants, &needs).iter().map(ToString::to_string).collect()),
            "s3:DeleteObject on arn:aws:s3:::b/shop/staging/1; s3:PutObject on arn:aws:s3:::b/shop/rejected/1"
        );
        assert_eq!(
            shown(unused(&grants, &needs).iter().map(ToString::to_string).collect()),
            "s3:GetObject on arn:aws:s3:::b/*/staging/*; s3:PutObject on arn:aws:s3:::b/*/default.pgo"
        );
    }
}
