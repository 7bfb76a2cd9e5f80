//! The parameters of an `azblob://` URL and the variables behind them: those of gocloud.dev v0.40, `blob/azureblob`.
//!
//! Who one is comes from the environment alone, the first of these that is there:
//! 1. `AZURE_STORAGE_KEY`, a key of the account;
//! 2. `AZURE_STORAGE_SAS_TOKEN`, a shared access signature;
//! 3. `AZURE_STORAGE_CONNECTION_STRING`, else `AZURE_STORAGEBLOB_CONNECTIONSTRING`; the service is then the string's,
//!    whatever `domain` and `protocol` say;
//! 4. Entra, as Azure's `DefaultAzureCredential`: a client's secret (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`,
//!    `AZURE_CLIENT_SECRET`), a workload identity (`AZURE_FEDERATED_TOKEN_FILE` instead of the secret), the managed
//!    identity of where this runs (`IDENTITY_ENDPOINT`, or the metadata service; `AZURE_CLIENT_ID` chooses one of
//!    several), the Azure CLI. `AZURE_AUTHORITY_HOST` names another cloud's Entra.
//!
//! Not here: a client's certificate, a user's password, the Azure Developer CLI.

use std::fmt;

use autopgo_core::address::Params;
use autopgo_core::error::{Error, Kind, Result};

use super::connection;

/// Where the value of a variable comes from.
pub(super) type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What a URL and the environment ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The URL of the blob service, without a slash at the end.
    pub(super) service: String,
    /// The account's name; empty where nobody said it and nobody needs it.
    pub(super) account: String,
    pub(super) identity: Identity,
}

/// Who one is to the service.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Whoever has a key of the account.
    Key(Secret),
    /// Whoever has this shared access signature.
    Sas(Secret),
    /// Somebody that Entra knows.
    Entra(Entra),
}

/// How one shows Entra who one is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entra {
    /// Entra itself, where it is not the public cloud's.
    pub(super) authority: Option<String>,
    pub(super) proof: Proof,
}

/// What Entra is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The secret of an application.
    Secret { tenant: String, client: String, secret: Secret },
    /// A token that somebody else keeps fresh in a file.
    Workload { tenant: String, client: String, file: String },
    /// The place where this runs, or else what the Azure CLI knows.
    Managed { client: Option<String>, endpoint: Option<String> },
}

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

const CONNECTION_STRINGS: [&str; 2] =
    ["AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGEBLOB_CONNECTIONSTRING"];

impl Settings {
    /// Takes every parameter, and of the environment what they leave open.
    pub(super) fn of(mut params: Params, variables: &Variables<'_>) -> Result<Self> {
        let set = |name: &str| variables(name).filter(|value| !value.trim().is_empty());
        let account = given(&mut params, "storage_account")?.or_else(|| set("AZURE_STORAGE_ACCOUNT"));
        let domain = given(&mut params, "domain")?.or_else(|| set("AZURE_STORAGE_DOMAIN"));
        let protocol = given(&mut params, "protocol")?.or_else(|| set("AZURE_STORAGE_PROTOCOL"));
        let cdn = flag(params.flag("cdn")?, "AZURE_STORAGE_IS_CDN", &set)?;
        let local = flag(params.flag("localemu")?, "AZURE_STORAGE_IS_LOCAL_EMULATOR", &set)?;
        params.finish()?;

        let place = Place {
            domain: domain.unwrap_or_else(|| "blob.core.windows.net".to_owned()),
            protocol: protocol.unwrap_or_else(|| "https".to_owned()),
            cdn,
            local,
        };
        place.check()?;
        if let (Some(account), Some(key)) = (&account, set("AZURE_STORAGE_KEY")) {
            return Ok(place.of(account, Identity::Key(Secret::new(key))));
        }
        if let Some(token) = set("AZURE_STORAGE_SAS_TOKEN") {
            return Ok(place.of(needed(account.as_deref())?, Identity::Sas(Secret::new(token))));
        }
        if let Some((name, text)) = CONNECTION_STRINGS.iter().find_map(|name| Some((name, set(name)?))) {
            let connection = connection::read(name, &text)?;
            return Ok(Self {
                service: connection.service,
                account: connection.account,
                identity: connection.identity,
            });
        }
        let entra = Entra::of(&set)?;
        if place.protocol == "http" && !place.is_local() {
            return Err(invalid("protocol=http would show everybody the token from Entra; leave it out"));
        }
        Ok(place.of(needed(account.as_deref())?, Identity::Entra(entra)))
    }
}

/// The parts of the service's URL.
struct Place {
    domain: String,
    protocol: String,
    cdn: bool,
    local: bool,
}

impl Place {
    fn check(&self) -> Result<()> {
        if !matches!(self.protocol.as_str(), "http" | "https") {
            return Err(invalid(format!(
                "protocol (AZURE_STORAGE_PROTOCOL) is {:?}, neither http nor https",
                self.protocol
            )));
        }
        // Its text may hold a secret here, so it is not repeated.
        if self.domain.contains('@') {
            return Err(invalid("domain carries credentials; give them by the environment"));
        }
        if self.domain.contains(['/', '?', '#', ' ']) {
            return Err(invalid(format!(
                "domain (AZURE_STORAGE_DOMAIN) is {:?}; write a host such as blob.core.windows.net or \
                 127.0.0.1:10000, and the rest as protocol=",
                self.domain
            )));
        }
        Ok(())
    }

    fn is_local(&self) -> bool {
        self.local || self.domain.starts_with("127.0.0.1") || self.domain.starts_with("localhost")
    }

    fn of(&self, account: &str, identity: Identity) -> Settings {
        let Self { domain, protocol, .. } = self;
        let service = if self.is_local() {
            format!("{protocol}://{domain}/{account}")
        } else if self.cdn {
            format!("{protocol}://{domain}")
        } else {
            format!("{protocol}://{account}.{domain}")
        };
        Settings { service, account: account.to_owned(), identity }
    }
}

impl Entra {
    fn of(set: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let (tenant, client) = (set("AZURE_TENANT_ID"), set("AZURE_CLIENT_ID"));
        let both = |what: &str| match (tenant.clone(), client.clone()) {
            (Some(tenant), Some(client)) => Ok((tenant, client)),
            _ => Err(invalid(format!(
                "{what} is set, and AZURE_TENANT_ID or AZURE_CLIENT_ID is not; set both"
            ))),
        };
        let proof = if let Some(secret) = set("AZURE_CLIENT_SECRET") {
            let (tenant, client) = both("AZURE_CLIENT_SECRET")?;
            Proof::Secret { tenant, client, secret: Secret::new(secret) }
        } else if set("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
            return Err(invalid(
                "AZURE_CLIENT_CERTIFICATE_PATH: clients are not known by certificates here; use AZURE_CLIENT_SECRET, a \
                 workload identity (AZURE_FEDERATED_TOKEN_FILE) or a managed identity",
            ));
        } else if let Some(file) = set("AZURE_FEDERATED_TOKEN_FILE") {
            let (tenant, client) = both("AZURE_FEDERATED_TOKEN_FILE")?;
            Proof::Workload { tenant, client, file }
        } else {
            Proof::Managed { client, endpoint: set("IDENTITY_ENDPOINT") }
        };
        let authority = set("AZURE_AUTHORITY_HOST").map(|host| host.trim_end_matches('/').to_owned());
        Ok(Self { authority, proof })
    }
}

/// A parameter that must have a value if it is there: an empty one is most often a variable that was not set.
fn given(params: &mut Params, key: &'static str) -> Result<Option<String>> {
    match params.text(key)? {
        Some(value) if value.is_empty() => Err(invalid(format!("parameter {key} is empty; leave it out"))),
        value => Ok(value),
    }
}

/// A switch, by its parameter or else by its variable, in the spellings of Go's `strconv.ParseBool`.
fn flag(param: Option<bool>, name: &str, set: &dyn Fn(&str) -> Option<String>) -> Result<bool> {
    match (param, set(name)) {
        (Some(on), _) => Ok(on),
        (None, None) => Ok(false),
        (None, Some(text)) => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(invalid(format!("{name} is {text:?}, not a boolean: true or false"))),
        },
    }
}

fn needed(account: Option<&str>) -> Result<&str> {
    account.ok_or_else(|| {
        invalid(
            "no storage account; add storage_account= or set AZURE_STORAGE_ACCOUNT, or set \
             AZURE_STORAGE_CONNECTION_STRING, which names one",
        )
    })
}

fn invalid(what: impl fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("azblob://: {what}"))
}

#[cfg(test)]
mod tests {
    use autopgo_core::address::Address;

    use super::*;

    fn read(query: &str, variables: &[(&str, &str)]) -> Result<Settings> {
        let params = Address::parse(&format!("azblob://container?{query}")).expect(query).params();
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::of(params, &lookup)
    }

    const KEY: (&str, &str) = ("AZURE_STORAGE_KEY", "a2V5");
    const ACCOUNT: (&str, &str) = ("AZURE_STORAGE_ACCOUNT", "acme");

    fn key() -> Identity {
        Identity::Key(Secret::new("a2V5"))
    }

    #[test]
    fn the_service_follows_from_parameters_and_variables() {
        for (query, variables, service) in [
            ("storage_account=acme", &[][..], "https://acme.blob.core.windows.net"),
            ("", &[ACCOUNT], "https://acme.blob.core.windows.net"),
            ("storage_account=other", &[ACCOUNT], "https://other.blob.core.windows.net"),
            (
                "storage_account=acme&domain=blob.core.chinacloudapi.cn",
                &[],
                "https://acme.blob.core.chinacloudapi.cn",
            ),
            ("domain=blob.example", &[ACCOUNT, ("AZURE_STORAGE_DOMAIN", "x")], "https://acme.blob.example"),
            ("", &[ACCOUNT, ("AZURE_STORAGE_DOMAIN", "x")], "https://acme.x"),
            ("protocol=http", &[ACCOUNT], "http://acme.blob.core.windows.net"),
            ("", &[ACCOUNT, ("AZURE_STORAGE_PROTOCOL", "http")], "http://acme.blob.core.windows.net"),
            ("cdn=true&domain=cdn.example", &[ACCOUNT], "https://cdn.example"),
            ("domain=cdn.example", &[ACCOUNT, ("AZURE_STORAGE_IS_CDN", "1")], "https://cdn.example"),
            ("cdn=false&domain=c", &[ACCOUNT, ("AZURE_STORAGE_IS_CDN", "1")], "https://acme.c"),
            ("domain=127.0.0.1:10000&protocol=http", &[ACCOUNT], "http://127.0.0.1:10000/acme"),
            ("domain=localhost:10000&cdn=true", &[ACCOUNT], "https://localhost:10000/acme"),
            ("domain=azurite:10000&localemu=true&protocol=http", &[ACCOUNT], "http://azurite:10000/acme"),
            ("domain=d", &[ACCOUNT, ("AZURE_STORAGE_IS_LOCAL_EMULATOR", "True")], "https://d/acme"),
        ] {
            let variables: Vec<_> = variables.iter().copied().chain([KEY]).collect();
            let settings = read(query, &variables).expect(query);
            assert_eq!((settings.service.as_str(), settings.identity), (service, key()), "{query}");
        }
    }

    #[test]
    fn the_first_credentials_that_are_there_count() {
        let sas = ("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=x");
        let string = ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=str;AccountKey=c3Ry");
        let other = ("AZURE_STORAGEBLOB_CONNECTIONSTRING", "AccountName=other;AccountKey=b3RoZXI=");
        let secret = ("AZURE_CLIENT_SECRET", "s");
        let ids = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        let all = [ACCOUNT, KEY, sas, string, other, secret, ids[0], ids[1]];
        let which = |from: usize| read("", &[&[ACCOUNT], &all[from..]].concat()).expect("settings");
        assert_eq!(which(1).identity, key());
        assert_eq!(which(2).identity, Identity::Sas(Secret::new("?sv=1&sig=x")));
        assert_eq!((which(3).account.as_str(), which(4).account.as_str()), ("str", "other"));
        assert_eq!(which(3).service, "https://str.blob.core.windows.net");
        let proof = Proof::Secret { tenant: "t".into(), client: "c".into(), secret: Secret::new("s") };
        assert_eq!(which(5).identity, Identity::Entra(Entra { authority: None, proof }));

        // A key without an account is nobody's, and a connection string needs no account beside it.
        assert_eq!(read("", &[KEY, string]).expect("a string").account, "str");
        let china = ("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/");
        let file = ("AZURE_FEDERATED_TOKEN_FILE", "/token");
        let workload = read("", &[ACCOUNT, ids[0], ids[1], file, china]).expect("a workload identity");
        let proof = Proof::Workload { tenant: "t".into(), client: "c".into(), file: "/token".into() };
        let authority = Some("https://login.chinacloudapi.cn".to_owned());
        assert_eq!(workload.identity, Identity::Entra(Entra { authority, proof }));
        let managed = read("", &[ACCOUNT, ids[1], ("IDENTITY_ENDPOINT", "http://x")]).expect("managed");
        let proof = Proof::Managed { client: Some("c".into()), endpoint: Some("http://x".into()) };
        assert_eq!(managed.identity, Identity::Entra(Entra { authority: None, proof }));
    }

    #[test]
    fn what_cannot_be_honoured_says_what_to_write() {
        let http = ("AZURE_STORAGE_PROTOCOL", "http");
        for (query, variables, says) in [
            ("", &[][..], "add storage_account= or set AZURE_STORAGE_ACCOUNT"),
            ("", &[("AZURE_STORAGE_SAS_TOKEN", "s")], "add storage_account="),
            ("storage_account=", &[], "parameter storage_account is empty"),
            ("storage_account=a&storage_account=b", &[KEY], "storage_account is given more than once"),
            ("protocol=ftp", &[ACCOUNT, KEY], "neither http nor https"),
            ("protocol=HTTP", &[ACCOUNT, KEY], "neither http nor https"),
            ("", &[ACCOUNT, http], "protocol=http would show everybody the token"),
            ("domain=https://x", &[ACCOUNT, KEY], "write a host such as"),
            ("cdn=yes", &[ACCOUNT, KEY], "parameter cdn is \"yes\""),
            ("", &[ACCOUNT, KEY, ("AZURE_STORAGE_IS_CDN", "on")], "AZURE_STORAGE_IS_CDN is \"on\""),
            ("", &[ACCOUNT, ("AZURE_CLIENT_SECRET", "s")], "set both"),
            ("", &[ACCOUNT, ("AZURE_FEDERATED_TOKEN_FILE", "f")], "set both"),
            ("", &[ACCOUNT, ("AZURE_CLIENT_CERTIFICATE_PATH", "p")], "use AZURE_CLIENT_SECRET"),
            ("account=a", &[ACCOUNT, KEY], "unknown parameter \"account\""),
            ("", &[("AZURE_STORAGE_CONNECTION_STRING", "x")], "AZURE_STORAGE_CONNECTION_STRING is no"),
        ] {
            let error = read(query, variables).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
        let secret = read("domain=me:hunter2@host", &[ACCOUNT, KEY]).expect_err("credentials");
        assert!(!secret.what().contains("hunter2"), "{secret}");
        assert!(!format!("{:?}", read("", &[ACCOUNT, KEY])).contains("a2V5"));
    }
}
