//! The ways to deploy the scraper in `infra/scraper`: what systemd's unit and the pod tell it is told to the same program
//! here, so that every flag, variable and path in them is one that there is.

use std::path::Path;

use autopgo_e2e::matrix::{self, ALL, APP, UPLOADER};
use autopgo_e2e::process::{Running, autopgo, call, free_address};
use autopgo_e2e::{paths, wait};
use axum::Router;
use reqwest::Client;
use serde_json::Value;

/// A server that asks for tokens, a target, and what the scraper is given.
struct World {
    server: Running,
    folder: tempfile::TempDir,
    target: String,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let (port, data) = (address.port().to_string(), folder.path().join("data").display().to_string());
        let mut command = autopgo(&["local", "--port", &port, "--data-dir", &data]);
        command.env("AUTOPGO_TOKENS", matrix::LIST);
        let server = Running::start(command, address).await;
        let bytes = std::fs::read(paths::fixture("hello-app/a-2.pprof")).expect("a fixture");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let target = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(move || async move { bytes });
        tokio::spawn(async move { axum::serve(listener, router).await });
        std::fs::write(folder.path().join("token"), UPLOADER.text).expect("written");
        Self { server, folder, target }
    }

    /// The list of targets as it is given, with the target in the place of each of its own, for our application.
    fn targets(&self, list: &str) -> String {
        let mut list: String = list.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for (name, value) in [("address", self.target.as_str()), ("app", APP)] {
            let begin = format!("\"{name}\": \"");
            let parts: Vec<&str> = list.split(&begin).collect();
            assert!(parts.len() > 1, "no {name} in {list}");
            let rest = parts[1..].iter().map(|part| part.split_once('"').expect("an end").1);
            list = rest.fold(parts[0].to_owned(), |list, rest| format!("{list}{begin}{value}\"{rest}"));
        }
        let file = self.folder.path().join("targets.json");
        std::fs::write(&file, list).expect("written");
        file.display().to_string()
    }

    fn token(&self) -> String {
        self.folder.path().join("token").display().to_string()
    }

    /// Waits until what was sampled is merged, and ends it all.
    async fn ends_well(self, scraper: Running) {
        let url = format!("{}/api/profile/{APP}", self.server.url);
        let client = Client::new();
        wait::until("what was sampled is merged", async || {
            client.get(&url).bearer_auth(ALL.text).send().await.ok()?.error_for_status().ok()
        })
        .await;
        let metrics = reqwest::get(format!("{}/metrics", scraper.url)).await.expect("answered");
        assert!(metrics.text().await.expect("text").contains("autopgo_scrapes_total{outcome=\"uploaded\"}"));
        for running in [scraper, self.server] {
            let (code, log) = running.stop().await;
            assert_eq!(code, Some(0), "{log:#?}");
            assert!(!log.iter().any(|line| line.contains(UPLOADER.text)), "{log:#?}");
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(paths::root().join("infra/scraper").join(path)).expect("a file of infra/scraper")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_samples_and_answers_its_probes() {
    let world = World::start().await;
    let manifest = |name: &str| -> Value {
        serde_saphyr::from_str(&read(&format!("kubernetes/{name}.yaml"))).expect("YAML")
    };
    let deployment = manifest("deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let list = manifest("targets");
    let targets = world.targets(list["data"]["targets.json"].as_str().expect("a list"));

    // Where the volumes are, and what lies in them.
    let mounted = |name: &str| {
        let mounts = container["volumeMounts"].as_array().expect("mounts").iter();
        let mount = mounts.clone().find(|mount| mount["name"] == name).expect(name);
        mount["mountPath"].as_str().expect("a path").to_owned()
    };
    let volume = |name: &str| {
        pod["volumes"].as_array().expect("volumes").iter().find(|volume| volume["name"] == name).expect(name)
    };
    assert_eq!(volume("targets")["configMap"]["name"], list["metadata"]["name"]);
    let (list_inside, token_inside) =
        (format!("{}/targets.json", mounted("targets")), format!("{}/token", mounted("token")));
    let words = container["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
    let words: Vec<&str> =
        words.map(|word| if word == list_inside { targets.as_str() } else { word }).collect();
    assert!(words.contains(&targets.as_str()), "{words:?}");

    let address = free_address();
    let mut command = autopgo(&words);
    for variable in container["env"].as_array().expect("variables") {
        let (name, value) =
            (variable["name"].as_str().expect("a name"), variable["value"].as_str().expect("a value"));
        match name {
            "AUTOPGO_API_URL" => command.env(name, &world.server.url),
            "AUTOPGO_TOKEN_FILE" => {
                assert_eq!(value, token_inside);
                command.env(name, world.token())
            }
            _ => command.env(name, value),
        };
    }
    command.env("AUTOPGO_PORT", address.port().to_string());
    let scraper = Running::start(command, address).await;
    assert_eq!(container["ports"][0]["containerPort"], 8080, "the default of --port");
    for probe in ["livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().expect("a path");
        let answer = reqwest::get(format!("{}{path}", scraper.url)).await.expect("answered");
        assert_eq!(answer.status(), 200, "{probe}");
    }
    world.ends_well(scraper).await;
}

#[test]
fn a_pod_may_nothing_that_sampling_does_not_need() {
    let deployment: Value = serde_saphyr::from_str(&read("kubernetes/deployment.yaml")).expect("YAML");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for (said, wanted) in [
        (&pod["automountServiceAccountToken"], Value::Bool(false)),
        (&pod["enableServiceLinks"], Value::Bool(false)),
        (&pod["securityContext"]["runAsNonRoot"], Value::Bool(true)),
        (&pod["securityContext"]["seccompProfile"]["type"], Value::from("RuntimeDefault")),
        (&container["securityContext"]["allowPrivilegeEscalation"], Value::Bool(false)),
        (&container["securityContext"]["readOnlyRootFilesystem"], Value::Bool(true)),
        (&container["securityContext"]["capabilities"]["drop"], serde_json::json!(["ALL"])),
        (&container["securityContext"]["capabilities"]["add"], Value::Null),
    ] {
        assert_eq!(*said, wanted);
    }
    let account: Value = serde_saphyr::from_str(&read("kubernetes/serviceaccount.yaml")).expect("YAML");
    assert_eq!(account["automountServiceAccountToken"], Value::Bool(false));
    assert_eq!(account["metadata"]["name"], pod["serviceAccountName"]);
}

/// `user-data` for a machine, and the files that it would write.
fn user_data(targets: &Path) -> (Value, String) {
    let script = paths::root().join("infra/scraper/vm/user-data");
    let mut command =
        call(script, &["--binary-url", "https://releases.example/autopgo-0.1.0-x86_64-linux.tar.gz"]);
    command.args([
        "--sha256",
        &"a".repeat(64),
        "--api-url",
        "https://autopgo.example/prod",
        "--sample-size",
        "7",
    ]);
    command.args(["--token-command", "cloud secrets read 'autopgo/scraper'", "--targets"]).arg(targets);
    let made = command.output().expect("it starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).expect("UTF-8");
    (serde_saphyr::from_str(&text).expect("YAML"), text)
}

fn written(data: &Value, path: &str) -> (String, String) {
    use std::io::Write;
    let files = data["write_files"].as_array().expect("files");
    let file = files.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("no {path}"));
    assert_eq!(file["encoding"], "b64");
    let mut decode = std::process::Command::new("base64")
        .arg("--decode")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("base64 starts");
    let mut pipe = decode.stdin.take().expect("a pipe");
    pipe.write_all(file["content"].as_str().expect("text").as_bytes()).expect("written");
    drop(pipe);
    let text = String::from_utf8(decode.wait_with_output().expect("decoded").stdout).expect("UTF-8");
    (text, file["permissions"].as_str().expect("a mode").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_told_all_that_the_unit_needs() {
    let world = World::start().await;
    let example = paths::root().join("infra/scraper/vm/targets.json");
    let (data, text) = user_data(&example);
    assert!(text.starts_with("#cloud-config\n"), "cloud-init knows it by its first line");
    let (unit, _) = written(&data, "/etc/systemd/system/autopgo-scraper.service");
    assert_eq!(unit, read("vm/autopgo-scraper.service"));
    let (list, mode) = written(&data, "/etc/autopgo/targets.json");
    // The user of the unit is nobody's, and reads it.
    assert_eq!(mode, "0644");
    let (token, mode) = written(&data, "/etc/autopgo/token");
    assert_eq!((token.as_str(), mode.as_str()), ("cloud secrets read 'autopgo/scraper'\n", "0700"));
    let (install, mode) = written(&data, "/etc/autopgo/install");
    assert_eq!((data["runcmd"][0][0].as_str(), mode.as_str()), (Some("/etc/autopgo/install"), "0700"));
    let syntax = call("sh", &["-n", "-c", &install]).status().expect("sh runs");
    assert!(syntax.success(), "{install}");
    for part in [&"a".repeat(64), "https://releases.example/", "enable --now autopgo-scraper.service"] {
        assert!(install.contains(part), "{install}");
    }

    // What systemd would run, with what it would set.
    let (environment, _) = written(&data, "/etc/autopgo/scraper.env");
    let targets = world.targets(&list);
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a program");
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/autopgo"));
    let token = world.token();
    let words: Vec<&str> = words
        .map(|word| match word {
            "/etc/autopgo/targets.json" => targets.as_str(),
            "${CREDENTIALS_DIRECTORY}/token" => token.as_str(),
            _ => word,
        })
        .collect();
    assert!(words.contains(&targets.as_str()) && words.contains(&token.as_str()), "{words:?}");
    let address = free_address();
    let mut command = autopgo(&words);
    for line in environment.lines() {
        let (name, value) = line.split_once('=').expect("NAME=value");
        let value = value.trim_matches('"');
        command.env(name, if value.starts_with("http") { &world.server.url } else { value });
    }
    command.env("AUTOPGO_PORT", address.port().to_string());
    let scraper = Running::start(command, address).await;
    world.ends_well(scraper).await;
}
