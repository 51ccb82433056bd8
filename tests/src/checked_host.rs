//! A [`TestHost`] that knows its jobs, and checks at its end what must always hold.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use std::{fs, io};

use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use fargate_access_policy::PolicyHolder;
use fargate_local_cloud::{AccessKeyPair, CloudFault, CloudOptions, TaskRecord};
use fargate_playground::invariants::files_below;
use fargate_playground::programs;
use fargate_playground::runner::{RunnerImitation, RunnerTimes};
use fargate_playground::test_host::{HostEnvironment, TestHost, TestHostOptions};
use tokio::process::Command;
use toml::{Table, Value};

use crate::ecs;
use crate::invariants;
use crate::job::TestJob;
use crate::printed_policy::PrintedPolicies;
use crate::process::{PipeReading, TestProcess};
use crate::toml_key::set_key;
use crate::wait::PATIENCE;

/// The first job's id.
const FIRST_JOB: u64 = 4000;

/// One host and one cloud, for one test. It is a [`TestHost`] for everything but its jobs and its settings.
pub struct CheckedHost {
    host: TestHost,
    policies: Rc<PrintedPolicies>,
    settings: RefCell<Table>,
    /// Every text that has been in a configuration.
    named: RefCell<BTreeSet<String>>,
    jobs: RefCell<Vec<Rc<TestJob>>>,
    next_job: Cell<u64>,
}

/// The `fargate-runner` that is tested.
///
/// # Panics
///
/// If it was not built. The message says how to build it.
#[must_use]
pub fn runner() -> PathBuf {
    programs::runner(None).unwrap_or_else(|error| panic!("{error}; `make build` builds all"))
}

/// The static agent that is tested.
///
/// # Panics
///
/// If it was not built. The message says how to build it.
#[must_use]
pub fn agent() -> PathBuf {
    programs::agent().unwrap_or_else(|error| panic!("{error}; `make build` builds all"))
}

impl CheckedHost {
    /// Serves a cloud without delays and writes a configuration file for it.
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// As [`CheckedHost::open`], with other options of the cloud.
    pub async fn open_with(change: impl FnOnce(&mut CloudOptions)) -> Self {
        let mut options = TestHostOptions::new(&runner(), &agent(), "site-");
        options.cloud.access_keys = Some(AccessKeyPair::new("test", "test"));
        options.holds_cloud_files = false;
        options.environment = HostEnvironment::Minimal;
        change(&mut options.cloud);
        let host = TestHost::open(options).await.expect("a host");
        let settings = host.usual_configuration().parse().expect("the cloud's own file");
        let policies = Rc::new(PrintedPolicies::new(host.weak_cloud(), host.config()));
        let site = Self {
            host,
            policies,
            settings: RefCell::new(settings),
            named: RefCell::default(),
            jobs: RefCell::default(),
            next_job: Cell::new(FIRST_JOB),
        };
        site.set("log_level", "debug");
        site.set("defaults.timeouts.ecs_poll_min", "20ms");
        site.set("defaults.timeouts.ecs_poll_max", "200ms");
        site
    }

    /// Sets one key of the configuration, for the calls to come.
    ///
    /// # Panics
    ///
    /// If part of the key is no table.
    pub fn set(&self, dotted: &str, value: impl Into<Value>) {
        let mut settings = self.settings.borrow_mut();
        set_key(&mut settings, dotted, value);
        self.configure(&settings.to_string()).expect("a writable folder");
        note_texts(&Value::Table(settings.clone()), &mut self.named.borrow_mut());
    }

    /// Lets the host do everything, where the rights of the printed policies are not what the test can have:
    /// `reason` says why.
    pub fn without_policies(&self, reason: &'static str) {
        self.policies.exempt(reason);
    }

    /// Policies may refuse calls here: `reason` says which and why.
    pub fn expecting_refusals(&self, reason: &'static str) {
        self.policies.expect_refusals(reason);
    }

    /// The host's own user has this holder's policy, too, as with `iam-policy --with-check`.
    pub fn also_acts_as(&self, holder: PolicyHolder) {
        self.policies.add_holder(holder);
    }

    /// What every process of the product finds in its environment here. The host's user has the policy that
    /// `iam-policy` prints.
    #[must_use]
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        self.policies.follow(&[]);
        self.host.environment()
    }

    /// The same for a person with the policy that `iam-policy --for HOLDER` prints for this configuration file.
    #[must_use]
    pub fn environment_of(&self, holder: PolicyHolder, config: &Path) -> Vec<(OsString, OsString)> {
        let mut environment = self.host.environment();
        environment
            .retain(|(name, _)| name != "AWS_ACCESS_KEY_ID" && name != "AWS_SECRET_ACCESS_KEY");
        environment.extend(self.policies.credentials_of(holder, config));
        environment
    }

    /// A gitlab-runner that plays jobs with this host's driver and configuration, as [`TestHost::runner`].
    ///
    /// # Errors
    ///
    /// What kept the folder of the jobs from being made.
    pub fn runner(&self, short_token: &str, times: RunnerTimes) -> io::Result<RunnerImitation> {
        self.policies.follow(&[]);
        self.host.runner(short_token, times)
    }

    /// Every text that stood in a configuration of this site: what [`CheckedHost::set`] wrote, and
    /// what lies
    /// here now.
    #[must_use]
    pub fn named_by_the_operator(&self) -> BTreeSet<String> {
        let mut named = self.named.borrow().clone();
        let inputs = self.folder().join("runner");
        for path in files_below(self.folder()) {
            let is_toml = path.extension() == Some(OsStr::new("toml"));
            if is_toml
                && !path.starts_with(&inputs)
                && let Ok(table) = fs::read_to_string(path).unwrap_or_default().parse()
            {
                note_texts(&Value::Table(table), &mut named);
            }
        }
        named
    }

    /// A new job, for which no stage was called yet.
    pub fn job(&self) -> Rc<TestJob> {
        self.job_with(|_| {})
    }

    /// As [`CheckedHost::job`], changed before its first call.
    pub fn job_with(&self, change: impl FnOnce(&mut TestJob)) -> Rc<TestJob> {
        let number = self.next_job.replace(self.next_job.get() + 1);
        let folder = self.folder().join("runner").join(number.to_string());
        let state_dir = self.state_dir();
        let mut job = TestJob::new(
            folder,
            number,
            runner(),
            &self.config(),
            &state_dir,
            self.environment().into_iter().collect(),
        );
        job.policies = Some(Rc::clone(&self.policies));
        change(&mut job);
        let job = Rc::new(job);
        self.jobs.borrow_mut().push(job.clone());
        job
    }

    /// The same job with the same folder and files, and with another way to call its stages.
    pub fn same_job(&self, job: &TestJob, change: impl FnOnce(&mut TestJob)) -> Rc<TestJob> {
        let mut other = job.again();
        change(&mut other);
        let other = Rc::new(other);
        self.jobs.borrow_mut().push(other.clone());
        other
    }

    /// A job whose `prepare` has passed.
    pub async fn prepared(&self) -> Rc<TestJob> {
        let job = self.job();
        job.prepare().await.passed();
        job
    }

    /// Starts `fargate-runner` with this site's configuration and these arguments, for no job.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: &[A]) -> TestProcess {
        self.start_with(&self.config(), arguments)
    }

    /// As [`CheckedHost::start`], with one pipe for stdout and stderr.
    pub fn start_joined<A: AsRef<OsStr>>(&self, arguments: &[A]) -> TestProcess {
        TestProcess::start_joined(self.command(&self.config(), arguments))
    }

    /// As [`CheckedHost::start`], with another configuration file.
    pub fn start_with<A: AsRef<OsStr>>(&self, config: &Path, arguments: &[A]) -> TestProcess {
        TestProcess::start(self.command(config, arguments), PipeReading::Always)
    }

    fn command<A: AsRef<OsStr>>(&self, config: &Path, arguments: &[A]) -> Command {
        let mut command = Command::new(runner());
        command.arg("-c").arg(config).args(arguments).current_dir(self.folder());
        command.env_clear().envs(self.environment());
        let arguments: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
        self.policies.follow(&arguments);
        command
    }

    /// A client of the cloud that is not ours.
    #[must_use]
    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        ecs::client(self.cloud())
    }

    /// Registers a task definition like the cloud's own, with another container.
    ///
    /// # Panics
    ///
    /// If the cloud refuses it.
    pub async fn register(&self, family: &str, container: ContainerDefinitionBuilder) -> String {
        ecs::register(&self.ecs(), family, container, Vec::new()).await
    }

    /// Every task of `job`, oldest first.
    #[must_use]
    pub fn tasks_of(&self, job: &TestJob) -> Vec<TaskRecord> {
        self.host.tasks_of(job.key().as_str())
    }

    /// The one task of `job`.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[must_use]
    #[track_caller]
    pub fn task_of(&self, job: &TestJob) -> TaskRecord {
        let tasks = self.tasks_of(job);
        let [task] = &tasks[..] else { panic!("{} tasks of the job", tasks.len()) };
        task.clone()
    }

    /// From now on ECS says that the one task of `job` runs, and at `address`.
    pub fn say_it_runs_at(&self, job: &TestJob, address: IpAddr) {
        let said = serde_json::json!({ "tasks": [{
            "taskArn": self.task_of(job).arn, "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
            "attachments": [{ "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": [
                { "name": "privateIPv4Address", "value": address.to_string() },
            ]}],
        }]});
        let fault = CloudFault::Answer { status: 200, body: said.to_string() };
        self.cloud().fail_until_cleared("DescribeTasks", fault);
    }

    /// Cleans up after every job, checks what must always hold, and shuts the cloud down.
    ///
    /// # Panics
    ///
    /// If an invariant does not hold.
    pub async fn close(mut self) {
        let jobs = self.jobs.take();
        self.cloud().clear_faults();
        self.cloud().set_read_lag(Duration::ZERO);
        let secrets = invariants::secrets(&jobs, &self.cloud().tasks());
        for job in &jobs {
            if job.state_file().exists() {
                job.cleanup().await.passed();
            }
        }
        invariants::no_orphan(&self).await;
        invariants::no_double(&self);
        invariants::no_odd_end(&jobs);
        invariants::no_secret_out(&self, &jobs, &secrets);
        invariants::tenant_wall(&self, &jobs);
        self.policies.assert_enough();
        self.host.shut_down(PATIENCE).await.expect("a cloud that ends");
    }
}

fn note_texts(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| note_texts(value, texts)),
        Value::Table(table) => table.values().for_each(|value| note_texts(value, texts)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

impl Deref for CheckedHost {
    type Target = TestHost;

    fn deref(&self) -> &TestHost {
        &self.host
    }
}

impl Drop for CheckedHost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the operator's log:\n{}", self.log());
        } else {
            assert!(self.is_shut_down(), "a test ends with `CheckedHost::close`");
        }
    }
}
