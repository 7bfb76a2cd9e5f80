//! An app's files, read as strictly as anything documented is: a word that nobody knows is an error here, where the host
//! would ignore it.
//!
//! `host.json`: <https://learn.microsoft.com/azure/azure-functions/functions-host-json>. `function.json`:
//! <https://learn.microsoft.com/azure/azure-functions/functions-triggers-bindings> and the page of each trigger.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::rules::{self, Fields};

/// An app.
#[derive(Clone, Debug)]
pub struct App {
    /// `defaultExecutablePath` of the custom handler.
    pub executable: String,
    /// `functionTimeout`.
    pub timeout: Duration,
    /// `enableForwardingHttpRequest`.
    pub forwards: bool,
    /// `enableProxyingHttpRequest`.
    pub proxies: bool,
    /// Below which path HTTP triggers are, without slashes.
    pub prefix: String,
    /// Its functions, by their folders' names.
    pub functions: Vec<Function>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name: that of its folder.
    pub name: String,
    /// What its trigger is called.
    pub binding: String,
    /// What calls it.
    pub trigger: Trigger,
}

/// What calls a function.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// A request.
    Http(Http),
    /// A message of a subscription to a topic of Service Bus.
    Messages(Messages),
    /// A timer.
    Timer {
        /// In six fields.
        schedule: String,
    },
}

/// An HTTP trigger.
#[derive(Clone, Debug)]
pub struct Http {
    /// In capitals; of all methods if it names none.
    pub methods: Vec<String>,
    /// Below the prefix.
    pub route: String,
    /// `anonymous`, `function` or `admin`.
    pub level: String,
    /// What the answer is called, if it goes out by HTTP.
    pub output: Option<String>,
}

/// A trigger by messages, with what `host.json` says of all of them.
#[derive(Clone, Debug)]
pub struct Messages {
    /// The topic.
    pub topic: String,
    /// The subscription to it.
    pub subscription: String,
    /// The setting that says where the topic is.
    pub connection: String,
    /// `"dataType": "binary"`.
    pub binary: bool,
    /// `"cardinality": "many"`.
    pub many: bool,
    /// `autoCompleteMessages`.
    pub completes: bool,
    /// `maxAutoLockRenewalDuration`.
    pub renewal: Duration,
    /// `maxConcurrentCalls`.
    pub calls: usize,
}

impl App {
    /// Reads the app in this folder.
    ///
    /// # Errors
    /// Which file breaks which rule.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let host = read(&folder.join("host.json"))?;
        let mut app = host_json(&host).map_err(|error| format!("host.json: {error}"))?;
        let bus = bus(&host).map_err(|error| format!("host.json: {error}"))?;
        let mut names: Vec<String> = fs::read_dir(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                path.join("function.json").is_file().then(|| path.file_name()?.to_str().map(str::to_owned))?
            })
            .collect();
        names.sort();
        for name in names {
            let told = read(&folder.join(&name).join("function.json"))?;
            let function = function_json(&name, &told, &bus);
            app.functions.push(function.map_err(|error| format!("{name}/function.json: {error}"))?);
        }
        if app.functions.is_empty() {
            return Err("there is no function: a folder with function.json in it".to_owned());
        }
        Ok(app)
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn host_json(host: &Value) -> Result<App, String> {
    let mut host = Fields::of(host, "it")?;
    host.one_of("version", &["2.0"])?;
    let timeout = host.optional("functionTimeout").map_or(Ok(Duration::from_secs(300)), rules::span)?;
    let bundle = host.needed("extensionBundle")?;
    let mut bundle = Fields::of(bundle, "extensionBundle")?;
    bundle.one_of("id", &["Microsoft.Azure.Functions.ExtensionBundle"])?;
    rules::range(&bundle.text("version")?)?;
    bundle.end()?;
    let mut handler = Fields::of(host.needed("customHandler")?, "customHandler")?;
    let mut description = Fields::of(handler.needed("description")?, "description")?;
    let executable = description.text("defaultExecutablePath")?;
    description.end()?;
    let forwards = handler.switch("enableForwardingHttpRequest", false)?;
    let proxies = handler.switch("enableProxyingHttpRequest", false)?;
    handler.end()?;
    let nothing = Value::Object(Map::new());
    let mut extensions = Fields::of(host.optional("extensions").unwrap_or(&nothing), "extensions")?;
    let mut http = Fields::of(extensions.optional("http").unwrap_or(&nothing), "http")?;
    let prefix = http.optional_text("routePrefix")?.unwrap_or_else(|| "api".to_owned());
    http.end()?;
    extensions.optional("serviceBus");
    extensions.end()?;
    host.end()?;
    Ok(App { executable, timeout, forwards, proxies, prefix, functions: Vec::new() })
}

/// What `host.json` says of messages (<https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus>,
/// "host.json settings", extension 5.x).
fn bus(host: &Value) -> Result<Messages, String> {
    let nothing = Value::Object(Map::new());
    let told = host.pointer("/extensions/serviceBus").unwrap_or(&nothing);
    let mut told = Fields::of(told, "serviceBus")?;
    let renewal =
        told.optional("maxAutoLockRenewalDuration").map_or(Ok(Duration::from_secs(300)), rules::span)?;
    let calls = told.optional("maxConcurrentCalls").map_or(Some(16), Value::as_u64);
    let calls = calls.and_then(|calls| usize::try_from(calls).ok()).filter(|calls| *calls > 0);
    let completes = told.switch("autoCompleteMessages", true)?;
    told.end()?;
    Ok(Messages {
        topic: String::new(),
        subscription: String::new(),
        connection: String::new(),
        binary: false,
        many: false,
        completes,
        renewal,
        calls: calls.ok_or("maxConcurrentCalls is no number above 0")?,
    })
}

fn function_json(name: &str, told: &Value, bus: &Messages) -> Result<Function, String> {
    rules::function_name(name)?;
    let mut told = Fields::of(told, "it")?;
    told.switch("disabled", false)?;
    let bindings = told.needed("bindings")?.as_array().ok_or("bindings is no array")?;
    told.end()?;
    let (mut triggers, mut output, mut names) = (Vec::new(), None, Vec::new());
    for binding in bindings {
        let mut binding = Fields::of(binding, "a binding")?;
        let kind = binding.text("type")?;
        let called = binding.text("name")?;
        rules::binding_name(&called)?;
        if names.contains(&called) {
            return Err(format!("two bindings are called {called}"));
        }
        names.push(called.clone());
        let direction = if kind == "http" { "out" } else { "in" };
        binding.one_of("direction", &[direction])?;
        match kind.as_str() {
            "http" => output = Some(called),
            "httpTrigger" => triggers.push((called, Trigger::Http(http(&mut binding)?))),
            "serviceBusTrigger" => triggers.push((called, Trigger::Messages(messages(&mut binding, bus)?))),
            "timerTrigger" => {
                let schedule = binding.text("schedule")?;
                rules::schedule(&schedule)?;
                binding.switch("runOnStartup", false)?;
                binding.switch("useMonitor", true)?;
                triggers.push((called, Trigger::Timer { schedule }));
            }
            other => return Err(format!("{other} is no binding that is known here")),
        }
        binding.end()?;
    }
    let [(binding, trigger)] = triggers.as_mut_slice() else {
        return Err("a function has one trigger".to_owned());
    };
    match trigger {
        Trigger::Http(http) => http.output = output,
        _ if output.is_some() => return Err("an answer goes out, and no request came in".to_owned()),
        _ => {}
    }
    Ok(Function { name: name.to_owned(), binding: binding.clone(), trigger: trigger.clone() })
}

fn http(binding: &mut Fields<'_>) -> Result<Http, String> {
    let level = binding.optional_text("authLevel")?.unwrap_or_else(|| "function".to_owned());
    if !["anonymous", "function", "admin"].contains(&level.as_str()) {
        return Err(format!("{level} is no authLevel"));
    }
    let route = binding.text("route")?;
    rules::route(&route)?;
    let methods = match binding.optional("methods") {
        None => Vec::new(),
        Some(methods) => rules::methods(methods)?,
    };
    Ok(Http { methods, route, level, output: None })
}

fn messages(binding: &mut Fields<'_>, bus: &Messages) -> Result<Messages, String> {
    let choice = |given: Option<String>, other: &str, default: &str| match given.as_deref() {
        Some(given) if given == other => Ok(true),
        Some(given) if given != default => Err(format!("{given} is neither {default} nor {other}")),
        _ => Ok(false),
    };
    Ok(Messages {
        topic: binding.text("topicName")?,
        subscription: binding.text("subscriptionName")?,
        connection: binding.text("connection")?,
        binary: choice(binding.optional_text("dataType")?, "binary", "string")?,
        many: choice(binding.optional_text("cardinality")?, "many", "one")?,
        ..bus.clone()
    })
}
