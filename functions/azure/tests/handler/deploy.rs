//! The files that are deployed: as the host wants them, and as the handler needs them.

use autopgo_core::api;
use autopgo_core::app::App as Name;
use autopgo_fakes::functions_host::{App, Trigger};
use serde_json::{Value, json};

use crate::world::{changed, deployed};

#[test]
fn the_files_are_as_the_host_wants_them() {
    let app = App::read(&deployed()).expect("an app");
    assert_eq!(app.executable, "autopgo-azure");
    // The default of the handler, AUTOPGO_FUNCTION_TIMEOUT.
    assert_eq!(app.timeout, autopgo_boot::Config::default().function_timeout);
    assert!(app.forwards && app.proxies);
    let names: Vec<&str> = app.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["server", "sweep", "worker"]);
    for function in &app.functions {
        match &function.trigger {
            Trigger::Http(http) => {
                assert_eq!((function.binding.as_str(), http.output.as_deref()), ("req", Some("res")));
                // Who may do what is the server's own to say; a key of the host would be one more secret, the same for
                // everyone.
                assert_eq!(http.level, "anonymous");
            }
            Trigger::Messages(messages) => {
                assert_eq!(function.binding, "msg");
                // One failure hands back all that came with it.
                assert!(!messages.many && messages.completes);
                // As long as the function may run.
                assert_eq!(messages.renewal, app.timeout);
                assert_eq!(messages.connection, "SERVICEBUS_CONNECTION_STRING");
            }
            Trigger::Timer { schedule } => assert_eq!(schedule, "0 * * * * *"),
        }
    }
}

/// A path of each kind and what may be done with it: the whole API, as `router.rs` of the server has it.
#[test]
fn every_route_of_the_api_reaches_the_server() {
    let app = App::read(&deployed()).expect("an app");
    let name = Name::parse("checkout").expect("a name");
    let routes = [
        ("GET", api::HEALTH.to_owned()),
        ("GET", api::READY.to_owned()),
        ("GET", api::PROFILES.to_owned()),
        ("GET", api::profile(&name)),
        ("POST", api::profile(&name)),
        ("DELETE", api::profile(&name)),
        ("HEAD", api::profile(&name)),
        ("PATCH", api::profile(&name)),
        ("POST", api::uploads(&name)),
        ("POST", api::completion(&name, "1767323045000000000-0a1b2c3d")),
    ];
    for (method, path) in routes {
        let reached: Vec<&str> = app
            .functions
            .iter()
            .filter(|function| match &function.trigger {
                Trigger::Http(http) => {
                    let below = path.strip_prefix(&format!("/{}/", app.prefix));
                    let is_routed = below.is_some_and(|below| http.route == "{*path}" || http.route == below);
                    // None named is all of them: what the API does not know it refuses in its own words.
                    is_routed && (http.methods.is_empty() || http.methods.iter().any(|known| known == method))
                }
                _ => false,
            })
            .map(|function| function.name.as_str())
            .collect();
        assert_eq!(reached, ["server"], "{method} {path}");
    }
}

#[test]
fn what_the_host_would_not_take_is_seen() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 18] = [
        ("host.json", |it| it["version"] = json!("1.0"), "version"),
        ("host.json", |it| it["functionTimeout"] = json!("10m"), "hh:mm:ss"),
        ("host.json", |it| it["functiontimeout"] = json!("00:10:00"), "functiontimeout"),
        ("host.json", |it| it["customHandler"]["description"] = json!({}), "defaultExecutablePath"),
        (
            "host.json",
            |it| it["customHandler"]["enableForwardingHttpRequest"] = json!("true"),
            "enableForwarding",
        ),
        ("host.json", |it| it["extensionBundle"]["version"] = json!("4"), "range"),
        (
            "host.json",
            |it| it["extensions"]["serviceBus"]["maxConcurrentCalls"] = json!(0),
            "maxConcurrentCalls",
        ),
        ("host.json", |it| it["extensions"]["serviceBus"]["autoComplete"] = json!(true), "autoComplete"),
        ("server/function.json", |it| it["bindings"] = json!([]), "one trigger"),
        ("server/function.json", |it| it["bindings"][0]["authLevel"] = json!("nobody"), "authLevel"),
        ("server/function.json", |it| it["bindings"][0]["methods"] = json!(["GET"]), "method"),
        ("server/function.json", |it| it["bindings"][1]["name"] = json!("req"), "called req"),
        ("server/function.json", |it| it["bindings"][1]["direction"] = json!("in"), "direction"),
        ("worker/function.json", |it| it["bindings"][0]["dataType"] = json!("bytes"), "bytes"),
        ("worker/function.json", |it| it["bindings"][0]["connection"] = json!(""), "connection"),
        ("worker/function.json", |it| it["retry"] = json!({}), "retry"),
        ("sweep/function.json", |it| it["bindings"][0]["schedule"] = json!("* * * * *"), "six fields"),
        ("sweep/function.json", |it| it["bindings"][0]["schedule"] = json!("60 * * * * *"), "six fields"),
    ];
    for (file, change, says) in cases {
        let folder = changed(file, change);
        let error = App::read(folder.path()).expect_err(says);
        assert!(error.contains(says) && error.starts_with(file), "{file}: {error}");
    }
}
