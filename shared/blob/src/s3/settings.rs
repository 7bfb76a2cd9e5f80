//! The parameters of an `s3://` URL: those of gocloud.dev v0.40, `blob/s3blob`, beside those of every service of Amazon.

use autopgo_aws::access::{Access, given};
use autopgo_core::address::Params;
use autopgo_core::error::{Error, Kind, Result};
use aws_sdk_s3::types::ServerSideEncryption;

/// What a URL asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) path_style: bool,
    pub(super) accelerate: bool,
    pub(super) encryption: Option<ServerSideEncryption>,
    pub(super) kms_key: Option<String>,
}

/// What Go's SDK v1 takes and v2 does not, and what to write instead.
const OF_V1: [(&str, &str); 4] = [
    ("s3ForcePathStyle", "write use_path_style=true"),
    ("s3_force_path_style", "write use_path_style=true"),
    ("disableSSL", "write endpoint=http://HOST (disable_https in Go's SDK v2)"),
    ("disable_ssl", "write endpoint=http://HOST (disable_https in Go's SDK v2)"),
];

impl Settings {
    /// Takes every parameter. A repeated one counts the first time, as with gocloud.dev.
    pub(super) fn of(params: Params) -> Result<Self> {
        let mut params = params.first_wins();
        let access = Access::take("s3", &mut params, &OF_V1)?;
        if params.flag("disable_https")? == Some(true) {
            return Err(invalid(
                "disable_https=true cannot be honoured for AWS itself; for another store write endpoint=http://HOST",
            ));
        }
        // A host that may not be changed has no bucket put before it, and then the bucket stands in the path.
        let immutable = access.immutable_host && access.endpoint.is_some();
        let settings = Self {
            access,
            path_style: params.flag("use_path_style")?.unwrap_or(false) || immutable,
            accelerate: params.flag("accelerate")?.unwrap_or(false),
            encryption: params.text("ssetype")?.map(|text| encryption(&text)).transpose()?,
            kms_key: given("s3", &mut params, "kmskeyid")?,
        };
        params.finish()?;
        Ok(settings)
    }
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

    fn of(access: Access) -> Settings {
        Settings { access, ..Settings::default() }
    }

    #[test]
    fn every_parameter_is_read() {
        check("", &Settings::default());
        check("awssdk=v2&disable_https=false", &Settings::default());
        check("hostname_immutable=true", &of(Access { immutable_host: true, ..Access::default() }));
        check("region=eu-west-1", &of(Access { region: Some("eu-west-1".into()), ..Access::default() }));
        check("profile=ci", &of(Access { profile: Some("ci".into()), ..Access::default() }));
        let here = Access { endpoint: Some("http://127.0.0.1:9000".into()), ..Access::default() };
        let minio = Settings { path_style: true, ..of(here.clone()) };
        check("endpoint=http://127.0.0.1:9000&use_path_style=true", &minio);
        let minio = Settings { path_style: true, ..of(Access { immutable_host: true, ..here }) };
        check("endpoint=http%3A%2F%2F127.0.0.1%3A9000&hostname_immutable=1", &minio);
        let access = Access { dual_stack: true, fips: true, retry_tokens: 7, ..Access::default() };
        check(
            "dualstack=t&fips=TRUE&accelerate=True&rate_limiter_capacity=7",
            &Settings { accelerate: true, ..of(access) },
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
        check("region=a&region=b", &of(Access { region: Some("a".into()), ..Access::default() }));
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
