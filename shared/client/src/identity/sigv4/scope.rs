//! What is signed for: a service and a region.

use autopgo_core::error::{Error, Kind, Result};

/// What a signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) service: String,
    pub(super) region: String,
}

/// The hosts that Amazon gives out: the service, how it is called in the host's name, and what is behind the region.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-test-invoke-url.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>
const HOSTS: [(&str, &str, &str); 5] = [
    ("execute-api", "execute-api", ".vpce.amazonaws.com"),
    ("execute-api", "execute-api", ".vpce.amazonaws.com.cn"),
    ("execute-api", "execute-api", ".amazonaws.com"),
    ("execute-api", "execute-api", ".amazonaws.com.cn"),
    ("lambda", "lambda-url", ".on.aws"),
];

impl Scope {
    /// Reads `SERVICE/REGION`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        match text.split_once('/') {
            Some((service, region)) if word(service) && word(region) => {
                Ok(Self { service: service.to_owned(), region: region.to_owned() })
            }
            _ => Err(Error::new(
                Kind::Invalid,
                format!(
                    "{text:?} is nothing to sign for; write it as execute-api/eu-central-1 or lambda/eu-central-1"
                ),
            )),
        }
    }

    /// What the name of a host tells.
    pub(super) fn of(host: &str) -> Result<Self> {
        let found = HOSTS.iter().find_map(|(service, called, behind)| {
            let (left, region) = host.strip_suffix(behind)?.rsplit_once('.')?;
            let (id, name) = left.rsplit_once('.')?;
            (name == *called && !id.is_empty() && !region.is_empty())
                .then(|| Self { service: (*service).to_owned(), region: region.to_owned() })
        });
        found.ok_or_else(|| {
            let what = format!(
                "the host {host} does not tell what to sign for; say --auth sigv4:execute-api/REGION for an API Gateway, \
                 or sigv4:lambda/REGION for a Function URL"
            );
            Error::new(Kind::Invalid, what)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_amazons_tells_what_to_sign_for() {
        for (host, service, region) in [
            ("a1b2.execute-api.eu-central-1.amazonaws.com", "execute-api", "eu-central-1"),
            ("a1b2.execute-api.cn-north-1.amazonaws.com.cn", "execute-api", "cn-north-1"),
            ("a1b2-vpce-0f1e.execute-api.us-gov-west-1.amazonaws.com", "execute-api", "us-gov-west-1"),
            ("vpce-0f1e-x.execute-api.eu-west-1.vpce.amazonaws.com", "execute-api", "eu-west-1"),
            ("x9y8.lambda-url.eu-west-1.on.aws", "lambda", "eu-west-1"),
        ] {
            let scope = Scope::of(host).expect(host);
            assert_eq!((scope.service.as_str(), scope.region.as_str()), (service, region), "{host}");
        }
        for host in [
            "pgo.example.com",
            "execute-api.eu-central-1.amazonaws.com",
            "a.execute-api..amazonaws.com",
            "a.s3.eu-central-1.amazonaws.com",
            "a.execute-api.eu-central-1.amazonaws.com.example.com",
            "a.lambda-url.eu-west-1.amazonaws.com",
            "127.0.0.1",
            "",
        ] {
            let error = Scope::of(host).expect_err(host);
            let says = "--auth sigv4:execute-api/REGION";
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{error}");
        }
    }

    #[test]
    fn a_scope_is_a_service_and_a_region() {
        let scope = Scope::parse("lambda/eu-west-1").expect("a scope");
        assert_eq!(scope, Scope { service: "lambda".into(), region: "eu-west-1".into() });
        for text in
            ["", "/", "lambda", "lambda/", "/eu-west-1", "lambda/eu/west", "Lambda/eu-west-1", "a b/c"]
        {
            let error = Scope::parse(text).expect_err(text);
            assert!(error.what().contains("write it as execute-api/eu-central-1"), "{error}");
        }
    }
}
