//! The parameters of an `s3://` URL: those of gocloud.dev v0.40, `blob/s3blob` and `aws`, on Go's SDK v2.

use autopgo_core::address::Params;
use autopgo_core::error::{Error, Kind, Result};
use aws_sdk_s3::types::ServerSideEncryption;

/// What a URL asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) path_style: bool,
    pub(super) dual_stack: bool,
    pub(super) fips: bool,
    pub(super) accelerate: bool,
    /// The size of the token bucket that retries are paid from; 0 is the usual one.
    pub(super) retry_tokens: usize,
    pub(super) encryption: Option<ServerSideEncryption>,
    pub(super) kms_key: Option<String>,
}

/// What Go's SDK v1 takes and v2 does not, and what to write instead.
const OF_V1: [(&str, &str); 4] = [
    ("s3ForcePathStyle", "use_path_style=true"),
    ("s3_force_path_style", "use_path_style=true"),
    ("disableSSL", "endpoint=http://HOST (disable_https in Go's SDK v2)"),
    ("disable_ssl", "endpoint=http://HOST (disable_https in Go's SDK v2)"),
];

impl Settings {
    /// Takes every parameter. A repeated one counts the first time, as with gocloud.dev.
    pub(super) fn of(params: Params) -> Result<Self> {
        let mut params = params.first_wins();
        if params.text("awssdk")?.is_some_and(|version| version.eq_ignore_ascii_case("v1")) {
            return Err(invalid(
                "awssdk=v1 is Go's SDK v1, which is not here; leave it out: the parameters are those of v2",
            ));
        }
        for (name, instead) in OF_V1 {
            if params.text(name)?.is_some() {
                return Err(invalid(format!("parameter {name} is of Go's SDK v1; write {instead}")));
            }
        }
        if params.flag("disable_https")? == Some(true) {
            return Err(invalid(
                "disable_https=true cannot be honoured for AWS itself; for another store write endpoint=http://HOST",
            ));
        }
        // A host that may not be changed has no bucket put before it, and then the bucket stands in the path.
        let immutable = params.flag("hostname_immutable")?.unwrap_or(false);
        let endpoint = given(&mut params, "endpoint")?.map(endpoint).transpose()?;
        let settings = Self {
            region: given(&mut params, "region")?,
            profile: given(&mut params, "profile")?,
            path_style: params.flag("use_path_style")?.unwrap_or(false) || (immutable && endpoint.is_some()),
            endpoint,
            dual_stack: params.flag("dualstack")?.unwrap_or(false),
            fips: params.flag("fips")?.unwrap_or(false),
            accelerate: params.flag("accelerate")?.unwrap_or(false),
            retry_tokens: params.number::<u16>("rate_limiter_capacity")?.unwrap_or(0).into(),
            encryption: params.text("ssetype")?.map(|text| encryption(&text)).transpose()?,
            kms_key: given(&mut params, "kmskeyid")?,
        };
        params.finish()?;
        Ok(settings)
    }
}

/// A parameter that must have a value if it is there: an empty one is most often a variable that was not set.
fn given(params: &mut Params, key: &'static str) -> Result<Option<String>> {
    match params.text(key)? {
        Some(value) if value.is_empty() => Err(invalid(format!("parameter {key} is empty; leave it out"))),
        value => Ok(value),
    }
}

fn endpoint(text: String) -> Result<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(|| {
        invalid(format!(
            "parameter endpoint is {text:?}, which has no scheme; write endpoint=https://{text}, or http:// for one \
             without encryption"
        ))
    })?;
    // Its text may hold a secret here, so it is not repeated.
    if host.contains('@') {
        return Err(invalid("parameter endpoint carries credentials; give them by the environment"));
    }
    if host.trim_start_matches('/').is_empty() || host.contains(['?', '#', ' ']) {
        return Err(invalid(format!(
            "parameter endpoint is {text:?}; write it as https://HOST or http://HOST:PORT"
        )));
    }
    Ok(text)
}

fn encryption(text: &str) -> Result<ServerSideEncryption> {
    match text.to_ascii_lowercase().as_str() {
        "aes256" => Ok(ServerSideEncryption::Aes256),
        "aws:kms" => Ok(ServerSideEncryption::AwsKms),
        "aws:kms:dsse" => Ok(ServerSideEncryption::AwsKmsDsse),
        _ => Err(invalid(format!("parameter ssetype is {text:?}, not one of AES256, aws:kms, aws:kms:dsse"))),
    }
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("s3://: {what}"))
}

#[cfg(test)]
mod tests {
    use autopgo_core::address::Address;

    use super::*;

    fn read(query: &str) -> Result<Settings> {
        Settings::of(Address::parse(&format!("s3://bucket?{query}")).expect(query).params())
    }

    fn check(query: &str, expected: &Settings) {
        assert_eq!(&read(query).expect(query), expected, "{query}");
    }

    #[test]
    fn every_parameter_is_read() {
        check("", &Settings::default());
        check("awssdk=v2&disable_https=false&hostname_immutable=true", &Settings::default());
        check("region=eu-west-1", &Settings { region: Some("eu-west-1".into()), ..Settings::default() });
        check("profile=ci", &Settings { profile: Some("ci".into()), ..Settings::default() });
        let minio = Settings {
            endpoint: Some("http://127.0.0.1:9000".into()),
            path_style: true,
            ..Settings::default()
        };
        check("endpoint=http://127.0.0.1:9000&use_path_style=true", &minio);
        check("endpoint=http%3A%2F%2F127.0.0.1%3A9000&hostname_immutable=1", &minio);
        check(
            "dualstack=t&fips=TRUE&accelerate=True&rate_limiter_capacity=7",
            &Settings {
                dual_stack: true,
                fips: true,
                accelerate: true,
                retry_tokens: 7,
                ..Settings::default()
            },
        );
        for (text, encryption) in [
            ("aes256", ServerSideEncryption::Aes256),
            ("AWS:KMS", ServerSideEncryption::AwsKms),
            ("aws:kms:dsse", ServerSideEncryption::AwsKmsDsse),
        ] {
            check(
                &format!("ssetype={text}&kmskeyid=alias/pgo"),
                &Settings {
                    encryption: Some(encryption),
                    kms_key: Some("alias/pgo".into()),
                    ..Settings::default()
                },
            );
        }
    }

    #[test]
    fn of_a_repeated_parameter_the_first_counts() {
        check("region=a&region=b", &Settings { region: Some("a".into()), ..Settings::default() });
    }

    #[test]
    fn what_cannot_be_honoured_says_what_to_write() {
        for (query, says) in [
            ("awssdk=v1", "leave it out"),
            ("awssdk=V1", "leave it out"),
            ("s3ForcePathStyle=true", "s3ForcePathStyle is of Go's SDK v1; write use_path_style=true"),
            ("s3_force_path_style=false", "write use_path_style=true"),
            ("disableSSL=true", "write endpoint=http://HOST"),
            ("disable_ssl=true", "write endpoint=http://HOST"),
            ("disable_https=true", "write endpoint=http://HOST"),
            ("region=", "parameter region is empty"),
            ("endpoint=127.0.0.1:9000", "write endpoint=https://127.0.0.1:9000"),
            ("endpoint=http://", "write it as https://HOST"),
            ("ssetype=none", "not one of AES256"),
            ("fips=yes", "parameter fips is \"yes\""),
            ("rate_limiter_capacity=-1", "not a number in its range"),
            ("anonymous=true", "unknown parameter \"anonymous\""),
            ("Region=x", "unknown parameter \"Region\""),
        ] {
            let error = read(query).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
        let secret = read("endpoint=http://me:secret@host").expect_err("credentials");
        assert!(
            secret.what().contains("carries credentials") && !secret.what().contains("secret"),
            "{secret}"
        );
    }
}
