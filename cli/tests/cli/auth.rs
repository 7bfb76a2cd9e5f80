//! Who asks: as the flags say, and by the chains of credentials of the providers' own tools.

use crate::rig::Desk;

#[test]
fn what_cannot_be_meant_is_said_at_the_start() {
    let desk = Desk::facing("https://a1.execute-api.eu-central-1.amazonaws.com/prod");
    for guard in ["iam", "token:x", "SigV4", "sigv4 ", ":"] {
        desk.run(&["list", "--auth", guard]).fails(2, "there are token, sigv4, sigv4:SERVICE/REGION, google");
    }
    let desk = desk.with("AUTOPGO_API_TOKEN", "s3cret");
    let ran = desk.run(&["list", "--auth", "sigv4"]).fails(2, "(AUTOPGO_API_TOKEN) want the same header");
    assert!(!ran.err().contains("s3cret"));
    let desk = Desk::new().with("AUTOPGO_AUTH", "sigv4");
    desk.write("token", b"s3cret");
    desk.run(&["list", "--token-file", "token"]).fails(2, "(the token file token) want the same header");
}

#[test]
#[cfg(not(feature = "aws"))]
fn a_signature_that_is_not_built_in_names_its_feature() {
    Desk::new()
        .run(&["list", "--auth", "sigv4"])
        .fails(2, "this build has no SigV4: build it with the cargo feature aws");
}

#[test]
#[cfg(not(feature = "gcp"))]
fn a_token_that_is_not_built_in_names_its_feature() {
    Desk::new().run(&["list", "--auth", "google"]).fails(2, "with the cargo feature gcp");
}

#[cfg(feature = "aws")]
mod aws {
    use autopgo_fakes::gateway::{Gateway, Keys, Scope};

    use crate::rig::{Desk, Rig, eventually, profile};

    const TOKEN: &str = "s3cret//session+token==";

    /// The API behind a gateway at a stage, which is for a Function URL as far as the signature goes.
    fn rig() -> (Rig, Gateway) {
        let keys = Keys { id: "AKID".into(), secret: "s3cret/key".into(), token: Some(TOKEN.into()) };
        let lasting = Keys { id: "LASTING".into(), token: None, ..keys.clone() };
        let scope = Scope { service: "lambda".into(), region: "eu-west-1".into() };
        let mut gateway = None;
        let rig = Rig::behind(|api| {
            let made = Gateway::start(api, "/prod", scope, vec![keys, lasting]).expect("a gateway");
            gateway.insert(made).url()
        });
        (rig, gateway.expect("made"))
    }

    /// One that finds no credentials but those that a test gives it.
    fn desk(rig: &Rig) -> Desk {
        let desk = Desk::facing(&rig.url).with("AUTOPGO_AUTH", "sigv4:lambda/eu-west-1");
        let none = desk.path("none").display().to_string();
        for name in
            ["AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        {
            assert!(std::env::var_os(name).is_none(), "{name} is set, and would be used");
        }
        desk.with("AWS_EC2_METADATA_DISABLED", "true")
            .with("AWS_CONFIG_FILE", &none)
            .with("AWS_SHARED_CREDENTIALS_FILE", &none)
    }

    #[test]
    fn a_profile_goes_up_and_comes_down_by_the_environments_keys() {
        let (rig, gateway) = rig();
        let desk = desk(&rig)
            .with("AWS_ACCESS_KEY_ID", "AKID")
            .with("AWS_SECRET_ACCESS_KEY", "s3cret/key")
            .with("AWS_SESSION_TOKEN", TOKEN);
        let file = profile("hello-app/a-1.pprof");
        desk.run(&["upload", file.to_str().expect("UTF-8"), "--app", "checkout"]).ok();
        eventually("it is merged", || {
            desk.run(&["download", "checkout", "--allow-missing"]).ok();
            desk.path("default.pgo").exists()
        });
        assert!(desk.run(&["list"]).ok().out().contains("checkout"));
        desk.run(&["delete", "checkout"]).ok();
        desk.run(&["download", "checkout"]).fails(3, "no profile");
        assert!(
            gateway.seen().iter().all(|seen| seen.signed.ends_with("host;x-amz-date;x-amz-security-token"))
        );
    }

    #[test]
    fn the_files_of_the_command_line_tool_do_as_well() {
        let (rig, _gateway) = rig();
        let desk = desk(&rig).with("AWS_PROFILE", "pgo");
        let file = b"[pgo]\naws_access_key_id = LASTING\naws_secret_access_key = s3cret/key\n";
        let path = desk.write("credentials", file).display().to_string();
        desk.with("AWS_SHARED_CREDENTIALS_FILE", &path).run(&["list"]).ok();
    }

    #[test]
    fn no_credentials_are_exit_code_4_and_what_is_signed_for_must_be_known() {
        let (rig, gateway) = rig();
        let ran = desk(&rig)
            .run(&["list"])
            .fails(4, "signing a request: no credentials were found; set AWS_ACCESS_KEY_ID");
        assert!(!ran.err().contains("trying again"), "{}", ran.err());
        desk(&rig)
            .run(&["list", "--auth", "sigv4"])
            .fails(2, "the host 127.0.0.1 does not tell what to sign for");
        desk(&rig).run(&["list", "--auth", "sigv4:x"]).fails(2, "write it as execute-api/eu-central-1");
        assert!(gateway.seen().is_empty());
    }

    #[test]
    fn a_wrong_key_is_exit_code_4_and_says_nothing_of_it() {
        let (rig, _gateway) = rig();
        let desk = desk(&rig)
            .with("AWS_ACCESS_KEY_ID", "AKID")
            .with("AWS_SECRET_ACCESS_KEY", "other-s3cret")
            .with("AWS_SESSION_TOKEN", TOKEN);
        let ran =
            desk.run(&["list", "-l", "debug"]).fails(4, "lambda:InvokeFunctionUrl and lambda:InvokeFunction");
        assert!(!ran.err().contains("s3cret"), "{}", ran.err());
    }

    #[test]
    #[cfg(feature = "scrape")]
    fn the_scraper_signs_as_well() {
        use std::process::Stdio;

        use crate::rig::{answer, fake};
        use crate::scrape::Running;

        let (rig, gateway) = rig();
        let desk =
            desk(&rig).with("AWS_ACCESS_KEY_ID", "LASTING").with("AWS_SECRET_ACCESS_KEY", "s3cret/key");
        let recorded = std::fs::read(profile("hello-app/a-3.pprof")).expect("a profile");
        let target = fake(vec![answer("200 OK", "application/octet-stream", &recorded); 50]);
        desk.write("config.json", format!("[{{\"address\": \"{target}\"}}]").as_bytes());
        let free = std::net::TcpListener::bind("[::]:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a port").port().to_string();
        let args = ["scrape", "config.json", "-s", "1", "-a", "scraped", "-d", "1s", "-f", "1s", "-p", &port];
        let child = desk.command(&args).stderr(Stdio::null()).spawn().expect("it starts");
        let _running = Running(child);
        eventually("two uploads came", || gateway.seen().len() > 1);
        assert!(gateway.seen().iter().all(|seen| seen.line == "POST /prod/api/profile/scraped"));
    }
}

#[cfg(feature = "gcp")]
mod gcp {
    use std::time::Duration;

    use autopgo_fakes::google::{CloudRun, Google, MACHINE};

    use crate::rig::{Desk, Rig, answer, eventually, fake, profile};

    const OTHER: &str = "other@fake.iam.gserviceaccount.com";

    fn rig(google: &Google) -> (Rig, CloudRun) {
        let mut service = None;
        let rig = Rig::behind(|api| {
            let audiences = ["https://pgo.example.com"];
            service.insert(google.cloud_run(api, &[MACHINE, OTHER], &audiences).expect("a service")).url()
        });
        (rig, service.expect("made"))
    }

    /// One on a machine that has `google` for its metadata server, and no file of credentials.
    fn desk(rig: &Rig, google: &Google) -> Desk {
        let name = "GOOGLE_APPLICATION_CREDENTIALS";
        assert!(std::env::var_os(name).is_none(), "{name} is set, and would be used");
        let desk = Desk::facing(&rig.url).with("AUTOPGO_AUTH", "google");
        let home = desk.path("home").display().to_string();
        desk.with("GCE_METADATA_HOST", &google.host()).with("HOME", &home)
    }

    #[test]
    fn a_profile_goes_up_and_comes_down_by_the_machines_identity() {
        let google = Google::start(Duration::from_secs(3600)).expect("a fake");
        let (rig, service) = rig(&google);
        let desk = desk(&rig, &google);
        let file = profile("hello-app/a-1.pprof");
        desk.run(&["upload", file.to_str().expect("UTF-8"), "--app", "checkout"]).ok();
        eventually("it is merged", || {
            desk.run(&["download", "checkout", "--allow-missing"]).ok();
            desk.path("default.pgo").exists()
        });
        // Whoever gives out the tokens may be away for a moment.
        google.be_busy(1);
        let ran = desk.run(&["list", "--auth", "google:https://pgo.example.com"]).ok();
        assert!(ran.err().contains("listing profiles failed; trying again"), "{}", ran.err());
        desk.run(&["delete", "checkout"]).ok();
        let ran = desk.run(&["list", "--auth", "google:https://other.example.com", "-l", "debug"]);
        let ran = ran.fails(4, "the identity needs roles/run.invoker on the service");
        assert!(google.given().iter().all(|token| !ran.err().contains(token)));
        // With a token of the API's own.
        let desk = desk.with("AUTOPGO_API_TOKEN", "ours");
        desk.run(&["list"]).ok();
        let seen = service.seen().pop().expect("one");
        assert_eq!(seen["authorization"], "Bearer ours");
        assert!(seen.contains_key("x-serverless-authorization"));
    }

    #[test]
    fn who_is_impersonated_gets_in() {
        let google = Google::start(Duration::from_secs(3600)).expect("a fake");
        let (rig, service) = rig(&google);
        let desk = desk(&rig, &google);
        let path = desk.write("adc.json", google.impersonating(OTHER).to_string().as_bytes());
        let desk = desk.with("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().expect("UTF-8"));
        desk.run(&["list"]).ok();
        assert_eq!((service.seen().len(), google.given().len()), (1, 1));
    }

    #[test]
    fn who_can_have_no_token_is_told_what_to_do() {
        let google = Google::start(Duration::from_secs(3600)).expect("a fake");
        let (rig, service) = rig(&google);
        let key = google.impersonating(OTHER)["source_credentials"].to_string();
        let person =
            r#"{"type":"authorized_user","client_id":"1","client_secret":"s3cret","refresh_token":"s3cret"}"#;
        for (file, code, says) in [
            (person, 4, "--impersonate-service-account=EMAIL"),
            (
                r#"{"type":"external_account","audience":"s3cret"}"#,
                4,
                "AUTOPGO_API_TOKEN=$(gcloud auth print-identity-token)",
            ),
            (
                r#"{"type":"service_account","client_email":"s3cret"}"#,
                4,
                "correct GOOGLE_APPLICATION_CREDENTIALS",
            ),
            ("s3cret", 4, "correct GOOGLE_APPLICATION_CREDENTIALS"),
            // Its own key asks Google itself, which nobody reaches through this proxy.
            (&key, 5, "asking Google for an identity token: none could be had now"),
        ] {
            let desk = desk(&rig, &google)
                .with("HTTPS_PROXY", &fake(vec![answer("403 Forbidden", "text/plain", b"")]));
            let path = desk.write("adc.json", file.as_bytes());
            let desk = desk.with("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().expect("UTF-8"));
            let ran = desk.run(&["list"]).fails(code, says);
            assert!(!ran.err().contains("s3cret") && !ran.err().contains("PRIVATE KEY"), "{}", ran.err());
        }
        let gone = desk(&rig, &google).with("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere");
        gone.run(&["list"]).fails(4, "that GOOGLE_APPLICATION_CREDENTIALS names cannot be read");
        assert!(service.seen().is_empty());
    }
}
