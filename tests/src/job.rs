//! One job and the calls that gitlab-runner would make for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fargate_model::job::{JobIdentity, JobKey};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::files::write_whole;
use crate::printed_policy::PrintedPolicies;
use crate::process::{PipeReading, TestProcess, TestProcessResult};

/// What `BUILD_FAILURE_EXIT_CODE` says.
pub const BUILD_FAILURE: i32 = 1;
/// What `SYSTEM_FAILURE_EXIT_CODE` says.
pub const SYSTEM_FAILURE: i32 = 2;

/// How a stage ended, and the exit codes that gitlab-runner compares it with.
#[derive(Clone, Debug)]
pub(crate) struct StageResult {
    pub ended: TestProcessResult,
    pub beside: Option<StageExitCodes>,
}

/// The exit codes of a stage's environment, and the file with the script's exit code.
#[derive(Clone, Debug)]
pub(crate) struct StageExitCodes {
    /// Its code for a script that failed.
    pub build_failure: i32,
    /// Its code for everything else that failed.
    pub system_failure: i32,
    /// What `BUILD_EXIT_CODE_FILE` held.
    pub exit_code: Option<String>,
}

/// One job: its folder, its environment, and what its stages said.
pub struct TestJob {
    /// Where gitlab-runner keeps the response, the scripts and the exit code.
    pub folder: PathBuf,
    /// The environment of each call; a test changes it as it likes.
    pub environment: BTreeMap<OsString, OsString>,
    /// Arguments before the stage's own.
    pub arguments: Vec<OsString>,
    /// The token in its response, which must not appear anywhere else.
    pub token: String,
    /// The `fargate-runner` that its stages call.
    pub program: PathBuf,
    /// The policies that its host has, where a local cloud gives any.
    pub(crate) policies: Option<Rc<PrintedPolicies>>,
    state_dir: PathBuf,
    number: u64,
    scripts: RefCell<usize>,
    heard: RefCell<Vec<StageResult>>,
    keys: RefCell<BTreeSet<String>>,
}

impl TestJob {
    pub(crate) fn new(
        folder: PathBuf,
        number: u64,
        program: PathBuf,
        config: &Path,
        state_dir: &Path,
        mut environment: BTreeMap<OsString, OsString>,
    ) -> Self {
        fs::create_dir_all(&folder).expect("a folder for the job");
        let token = format!("glcbt-canary-{number}-{}", std::process::id());
        let response = folder.join("response.json");
        fs::write(&response, response_of(number, &token).to_string()).expect("a response file");
        let exit_code = folder.join("build_exit_code");
        let variables: [(&str, &OsStr); 7] = [
            ("TMPDIR", folder.as_os_str()),
            ("BUILD_FAILURE_EXIT_CODE", OsStr::new("1")),
            ("SYSTEM_FAILURE_EXIT_CODE", OsStr::new("2")),
            ("BUILD_EXIT_CODE_FILE", exit_code.as_os_str()),
            ("JOB_RESPONSE_FILE", response.as_os_str()),
            ("CUSTOM_ENV_CI_JOB_ID", OsStr::new("1")),
            ("CUSTOM_ENV_CI_JOB_TOKEN", OsStr::new(&token)),
        ];
        environment.extend(variables.map(|(name, value)| (name.into(), value.to_owned())));
        let arguments = vec!["custom".into(), "-c".into(), config.as_os_str().to_owned()];
        Self {
            folder,
            environment,
            arguments,
            token,
            program,
            policies: None,
            state_dir: state_dir.to_owned(),
            number,
            scripts: RefCell::new(0),
            heard: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    /// The same job with the same files, and with no results yet.
    pub(crate) fn again(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            environment: self.environment.clone(),
            arguments: self.arguments.clone(),
            token: self.token.clone(),
            program: self.program.clone(),
            policies: self.policies.clone(),
            state_dir: self.state_dir.clone(),
            number: self.number,
            // The scripts of the two views must not have the same numbers.
            scripts: RefCell::new(*self.scripts.borrow() + 1000),
            heard: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    /// The same job for a call beside another, with an exit code file of its own.
    #[must_use]
    pub fn beside_itself(&self) -> Self {
        let mut other = self.again();
        other.set("BUILD_EXIT_CODE_FILE", self.folder.join("other_exit_code"));
        other
    }

    /// Sets a variable for the calls to come.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.environment.insert(name.into(), value.as_ref().to_owned());
    }

    /// Starts `fargate-runner` with its usual arguments and these.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: &[A]) -> TestProcess {
        self.start_reading(arguments, PipeReading::Always)
    }

    /// As [`TestJob::start`], with a choice of when its pipes are read.
    pub fn start_reading<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        reading: PipeReading,
    ) -> TestProcess {
        TestProcess::start(self.command(arguments), reading)
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(arguments).current_dir(&self.folder);
        command.env_clear().envs(&self.environment);
        self.follow_policies(&command);
        command
    }

    /// Starts `program` in the same folder and environment.
    pub fn start_other<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> TestProcess {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        command.env_clear().envs(&self.environment);
        self.follow_policies(&command);
        TestProcess::start(command, PipeReading::Always)
    }

    /// Gives the host the policies that the configuration of this command needs.
    fn follow_policies(&self, command: &Command) {
        let arguments: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
        self.policies.iter().for_each(|policies| policies.follow(&arguments));
    }

    /// Waits for a stage, and remembers what it said.
    pub async fn heard(&self, running: TestProcess) -> TestProcessResult {
        let ended = running.ended().await;
        self.note_key();
        self.heard.borrow_mut().push(StageResult { ended: ended.clone(), beside: self.beside() });
        ended
    }

    /// The exit codes beside the end of a stage, if the environment of the job is as gitlab-runner sets it.
    fn beside(&self) -> Option<StageExitCodes> {
        let value = |name: &str| self.environment.get(OsStr::new(name));
        let code = |name| value(name)?.to_str()?.parse::<NonZeroU8>().ok();
        let is_usual = value("BUILD_EXIT_CODE_FILE")? == self.exit_code_file().as_os_str();
        is_usual.then_some(StageExitCodes {
            build_failure: code("BUILD_FAILURE_EXIT_CODE")?.get().into(),
            system_failure: code("SYSTEM_FAILURE_EXIT_CODE")?.get().into(),
            exit_code: self.exit_code(),
        })
    }

    fn exit_code_file(&self) -> PathBuf {
        self.folder.join("build_exit_code")
    }

    /// Remembers the client key that the state file holds, if it holds one.
    pub fn note_key(&self) {
        let state = self.state();
        let key = state.as_ref().and_then(|state| state["client_key"].as_str());
        // The middle of the key file; its first line is the same for every key of this kind.
        self.keys.borrow_mut().extend(key.and_then(|key| key.lines().nth(3)).map(str::to_owned));
    }

    /// A part of every private key that its state file has had.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.keys.borrow().iter().cloned().collect()
    }

    /// The results of all stages of this job so far.
    #[must_use]
    pub fn said(&self) -> Vec<TestProcessResult> {
        self.heard.borrow().iter().map(|heard| heard.ended.clone()).collect()
    }

    /// The same with their exit codes, for the checks.
    pub(crate) fn all_heard(&self) -> Vec<StageResult> {
        self.heard.borrow().clone()
    }

    /// The stage `config`.
    pub async fn config(&self) -> TestProcessResult {
        self.heard(self.start(&["config"])).await
    }

    /// The stage `prepare`.
    pub async fn prepare(&self) -> TestProcessResult {
        self.heard(self.start(&["prepare"])).await
    }

    /// The stage `cleanup`.
    pub async fn cleanup(&self) -> TestProcessResult {
        self.heard(self.start(&["cleanup"])).await
    }

    /// One `run`, as the stage `build_script`.
    pub async fn run(&self, script: impl AsRef<[u8]>) -> TestProcessResult {
        self.heard(self.start_run(script)).await
    }

    /// The same with one pipe for stdout and stderr.
    pub async fn run_joined(&self, script: impl AsRef<[u8]>) -> TestProcessResult {
        let path = self.script(script);
        let command = self.command(&["run".as_ref(), path.as_os_str(), "build_script".as_ref()]);
        self.heard(TestProcess::start_joined(command)).await
    }

    /// Starts one `run`, as the stage `build_script`.
    pub fn start_run(&self, script: impl AsRef<[u8]>) -> TestProcess {
        self.start_stage("build_script", script, PipeReading::Always)
    }

    /// Starts one `run` of any stage.
    pub fn start_stage(
        &self,
        stage: impl AsRef<OsStr>,
        script: impl AsRef<[u8]>,
        reading: PipeReading,
    ) -> TestProcess {
        let path = self.script(script);
        self.start_reading(&[OsStr::new("run"), path.as_os_str(), stage.as_ref()], reading)
    }

    /// Writes a script as gitlab-runner does, into a folder of its own.
    pub fn script(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        *self.scripts.borrow_mut() += 1;
        let folder = self.folder.join(format!("script{}", self.scripts.borrow()));
        fs::create_dir(&folder).expect("a new folder");
        let path = folder.join("script");
        fs::write(&path, bytes).expect("a script");
        path
    }

    /// What `BUILD_EXIT_CODE_FILE` holds, if it is there.
    #[must_use]
    pub fn exit_code(&self) -> Option<String> {
        fs::read_to_string(self.exit_code_file()).ok()
    }

    /// The job's response file.
    #[must_use]
    pub fn response(&self) -> PathBuf {
        self.folder.join("response.json")
    }

    /// Changes the job's response file, before the first call.
    ///
    /// # Panics
    ///
    /// If the file is not JSON.
    pub fn change_response(&self, change: impl FnOnce(&mut Value)) {
        let bytes = fs::read(self.response()).expect("a response file");
        let mut response: Value = serde_json::from_slice(&bytes).expect("a response is JSON");
        change(&mut response);
        fs::write(self.response(), response.to_string()).expect("a writable folder");
    }

    /// The job's key, by which its tasks and files are known.
    #[must_use]
    pub fn key(&self) -> JobKey {
        JobIdentity { host: "gitlab.example".to_owned(), project: 7, job: self.number }.key()
    }

    /// Its state file.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.state_dir.join("jobs").join(format!("{}.json", self.key()))
    }

    /// Its tombstone.
    #[must_use]
    pub fn tombstone(&self) -> PathBuf {
        self.state_dir.join("tombstones").join(format!("{}.json", self.key()))
    }

    /// What its state file holds, if it is there.
    #[must_use]
    pub fn state(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.state_file()).ok()?).ok()
    }

    /// Changes its state file.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn change_state(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.state().expect("a state file");
        change(&mut state);
        write_whole(&self.state_file(), state.to_string()).expect("a writable state folder");
    }
}

/// A response as GitLab sends it: what the product reads, and a secret that it must not repeat.
fn response_of(number: u64, token: &str) -> Value {
    json!({
        "id": number,
        "token": token,
        "job_info": {
            "id": number, "name": "test", "stage": "test", "pipeline_id": 71, "project_id": 7,
            "project_name": "project", "project_full_path": "group/project",
        },
        "git_info": {
            "repo_url": format!("https://gitlab-ci-token:{token}@gitlab.example/group/project.git"),
            "ref": "main", "sha": "0123456789012345678901234567890123456789",
        },
        "runner_info": { "timeout": 3600 },
        "variables": [{ "key": "CI_JOB_TOKEN", "value": token, "masked": true }],
    })
}
