//! The runner of GitHub Actions, as far as a composite action needs it: inputs with their defaults, expressions, the
//! files through which steps speak, `bash -eo pipefail`, and the cache
//! (<https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax>). What it does not know is a panic: an
//! action with a name misspelt in it must not pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

/// A composite action.
pub struct Action {
    told: Value,
    folder: PathBuf,
}

/// What outlives a job: entries of the cache, the newest last. Nothing is written twice under one key.
#[derive(Default)]
pub struct Cache(Vec<(String, TempDir)>);

/// What came of a job.
pub struct Ran {
    /// Whether no step failed.
    pub succeeded: bool,
    /// The action's outputs.
    pub outputs: BTreeMap<String, String>,
    /// What its steps printed.
    pub log: String,
    /// What they wrote for the page of the run.
    pub summary: String,
    /// The folder that the job worked in.
    pub workspace: TempDir,
}

/// What the steps of one job have said so far.
struct Job<'a> {
    action: &'a Action,
    inputs: BTreeMap<String, String>,
    temp: TempDir,
    workspace: TempDir,
    outputs: BTreeMap<String, BTreeMap<String, String>>,
    environment: BTreeMap<String, String>,
    log: String,
    summary: String,
}

impl Action {
    /// Reads the `action.yml` in `folder`.
    ///
    /// # Panics
    /// When it cannot be read, or is no composite action.
    pub fn read(folder: PathBuf) -> Self {
        let text = std::fs::read_to_string(folder.join("action.yml")).expect("an action.yml");
        let told: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(told["runs"]["using"], "composite");
        Self { told, folder }
    }

    /// Runs it in a job of its own, with these inputs.
    ///
    /// # Panics
    /// When an input is unknown or missing, or a step is what this runner does not know.
    pub async fn run(&self, cache: &mut Cache, inputs: &[(&str, &str)]) -> Ran {
        let mut job = Job {
            action: self,
            inputs: self.inputs(inputs),
            temp: tempfile::tempdir().expect("a folder"),
            workspace: tempfile::tempdir().expect("a folder"),
            outputs: BTreeMap::new(),
            environment: BTreeMap::new(),
            log: String::new(),
            summary: String::new(),
        };
        let mut succeeded = true;
        for step in self.told["runs"]["steps"].as_array().expect("steps") {
            if !succeeded || !step["if"].as_str().is_none_or(|condition| job.holds(condition)) {
                continue;
            }
            let went = match step["uses"].as_str() {
                Some(used) => job.uses(cache, used, step),
                None => job.runs(step).await,
            };
            succeeded = went || step["continue-on-error"] == Value::Bool(true);
        }
        let outputs = self.told["outputs"].as_object().expect("outputs").iter();
        let outputs = outputs.map(|(name, output)| (name.clone(), job.filled(&output["value"]))).collect();
        Ran { succeeded, outputs, log: job.log, summary: job.summary, workspace: job.workspace }
    }

    fn inputs(&self, given: &[(&str, &str)]) -> BTreeMap<String, String> {
        let known = self.told["inputs"].as_object().expect("inputs");
        for (name, _) in given {
            assert!(known.contains_key(*name), "there is no input {name}");
        }
        let value = |name: &str, input: &Value| {
            let given = given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let default = input["default"].as_str();
            given.or(default).unwrap_or_else(|| panic!("the input {name} has no value")).to_owned()
        };
        known.iter().map(|(name, input)| (name.clone(), value(name, input))).collect()
    }
}

impl Job<'_> {
    /// Text with each `${{ ... }}` in it replaced by what it stands for.
    fn filled(&self, text: &Value) -> String {
        let mut rest = text.as_str().unwrap_or_else(|| panic!("{text} is no text"));
        let mut filled = String::new();
        while let Some((before, expression)) = rest.split_once("${{") {
            let (expression, after) = expression.split_once("}}").expect("an end of the expression");
            filled += before;
            filled += &self.value(expression.trim());
            rest = after;
        }
        filled + rest
    }

    fn value(&self, expression: &str) -> String {
        if let Some(text) = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            return text.to_owned();
        }
        match expression.split('.').collect::<Vec<_>>()[..] {
            ["inputs", name] => self.inputs.get(name).unwrap_or_else(|| panic!("no input {name}")).clone(),
            ["steps", step, "outputs", name] => {
                let ids = self.action.told["runs"]["steps"].as_array().expect("steps").iter();
                assert!(ids.clone().any(|other| other["id"] == step), "no step has the id {step}");
                self.outputs.get(step).and_then(|said| said.get(name)).cloned().unwrap_or_default()
            }
            ["runner", "temp"] => self.temp.path().display().to_string(),
            _ => panic!("an expression that is not known here: {expression}"),
        }
    }

    /// A condition: comparisons, all of which have to hold.
    fn holds(&self, condition: &str) -> bool {
        condition.split("&&").all(|comparison| {
            let (left, right) = comparison.split_once("==").expect("a comparison");
            self.value(left.trim()) == self.value(right.trim())
        })
    }

    /// An action of others: the two halves of the cache.
    fn uses(&mut self, cache: &mut Cache, used: &str, step: &Value) -> bool {
        let (name, version) = used.split_once('@').expect("a version");
        let is_hash = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash, "{used} is not pinned");
        let with = |name: &str| self.filled(&step["with"][name]);
        let (path, key) = (PathBuf::from(with("path")), with("key"));
        match name {
            "actions/cache/restore" => {
                let fits = |entry: &&(String, TempDir)| entry.0 == key;
                let begins = with("restore-keys");
                let close = |entry: &&(String, TempDir)| entry.0.starts_with(&begins);
                let entries = || cache.0.iter().rev();
                if let Some((_, kept)) = entries().find(fits).or_else(|| entries().find(close)) {
                    copy(kept.path(), &path);
                }
            }
            "actions/cache/save" => {
                if !cache.0.iter().any(|entry| entry.0 == key) {
                    let kept = tempfile::tempdir().expect("a folder");
                    copy(&path, kept.path());
                    cache.0.push((key, kept));
                }
            }
            _ => panic!("an action that is not known here: {used}"),
        }
        true
    }

    async fn runs(&mut self, step: &Value) -> bool {
        assert_eq!(step["shell"], "bash", "every step of a composite action says its shell");
        // What somebody else says must not become part of a program.
        let script = step["run"].as_str().expect("a script");
        assert!(!script.contains("${{"), "an expression in a script: {script}");
        let file = |name: &str| self.temp.path().join(name);
        let (script_file, output, environment, summary) =
            (file("script.sh"), file("output"), file("env"), file("summary"));
        std::fs::write(&script_file, script).expect("written");
        for said in [&output, &environment, &summary] {
            std::fs::write(said, "").expect("written");
        }
        let mut command = crate::process::call("bash", &["--noprofile", "--norc", "-eo", "pipefail"]);
        command
            .arg(&script_file)
            .current_dir(self.workspace.path())
            .envs(&self.environment)
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_ACTION_PATH", &self.action.folder)
            .env("GITHUB_WORKSPACE", self.workspace.path())
            .env("RUNNER_TEMP", self.temp.path())
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_ENV", &environment)
            .env("GITHUB_STEP_SUMMARY", &summary);
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, self.filled(value));
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = tokio::process::Command::from(command).output().await.expect("bash runs");
        for said in [&ended.stdout, &ended.stderr] {
            self.log += &String::from_utf8_lossy(said);
        }
        self.environment.extend(pairs(&environment));
        self.summary += &std::fs::read_to_string(&summary).expect("UTF-8");
        let said: BTreeMap<_, _> = pairs(&output).into_iter().collect();
        if let Some(id) = step["id"].as_str() {
            if ended.status.success() {
                let wanted = self.wanted_of(id);
                assert!(wanted.iter().all(|name| said.contains_key(name)), "{wanted:?} of {id}: {said:?}");
            }
            self.outputs.insert(id.to_owned(), said);
        }
        ended.status.success()
    }

    /// Which outputs of the step of this id anything in the action asks for.
    fn wanted_of(&self, id: &str) -> BTreeSet<String> {
        let text = self.action.told.to_string();
        let begin = format!("steps.{id}.outputs.");
        let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
        let named = text.split(&begin).skip(1).map(|rest| rest.split(ends).next().unwrap_or_default());
        named.map(str::to_owned).collect()
    }
}

/// The lines `name=value` of a file that a step wrote.
pub fn pairs(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).expect("UTF-8");
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no `name=value`: {line}"));
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(pair).collect()
}

/// The files of a folder; ours has no folders in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}
