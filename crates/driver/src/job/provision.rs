//! Brings up a task for one job: its keys, its first record, its launch and its lease. If a part
//! fails, everything is undone.
//!
//! It knows no forge. The record says who asked, and events tell how it went.

use std::collections::BTreeMap;
use std::time::Duration;

use fargate_config::{HostKey, JobProfile, JobTimeouts, Shell};
use fargate_events::{JobEvent, emit};
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause, ResponsibleParty, RetryDecision};
use fargate_model::job::JobKey;
use fargate_model::lifetime::FIRST_LIFETIME;
use fargate_model::random;
use fargate_protocol::{BY_TASK_ROLE, HOST_KEY_VARIABLE};
use fargate_state::version;
use tokio::time::Instant;

use crate::context::JobContext;

use super::cancelled_task::CancelledTask;
use crate::session::{
    AgentInfo, CancelSignals, ClientKey, HostKeyPolicy, HostKeySeed, LoginError, StockTaskSettings,
    TaskLogin, TaskRoleVerifier, TaskSession, parse_host_key,
};
use crate::task::{
    AcquireOptions, AcquiredTask, EcsClient, FOLDER_VARIABLE, FailureContext, JobBinding,
    LEASE_VARIABLE, LIFETIME_VARIABLE, LaunchError, ResolvedDefinition, TAG_PREFIX, TaskLauncher,
    TaskSpec, TaskStartEvent, acquire, login_failed, reason, release,
};
use fargate_fail_point::FailPoint;
use fargate_state::{
    JobRecord, RecordWriter, RunnerProcess, SecretString, StateError, StateFolder, TaskLocation,
    TaskOrigin, TaskServer,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    /// Who asks.
    pub origin: TaskOrigin,
    /// The job's key.
    pub job: JobKey,
    /// The job's name for people.
    pub job_id: String,
    /// The task ends after this time in any case.
    pub lifetime: Duration,
    /// The task ends if no client is connected for this long.
    pub idle: Duration,
    /// Tags in addition to those of every task. The names have no prefix.
    pub tags: BTreeMap<&'static str, String>,
    /// The process that calls the stages.
    pub manager: Option<RunnerProcess>,
}

/// A task that is ours and answers.
pub struct ProvisionedTask {
    /// The task and an open session with it.
    pub acquired: AcquiredTask,
    /// Its record.
    pub ledger: RecordWriter,
    /// The client for further calls.
    pub ecs: EcsClient,
}

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A cause of the catalogue.
    #[error("{}", .0.headline())]
    Why(Box<CauseReport>),
    /// A signal came.
    #[error("cancelled{task}")]
    Cancelled {
        /// What became of the task.
        task: CancelledTask,
    },
}

impl From<CauseReport> for ProvisionError {
    fn from(why: CauseReport) -> Self {
        Self::Why(Box::new(why))
    }
}

impl From<StateError> for ProvisionError {
    fn from(error: StateError) -> Self {
        error.why().into()
    }
}

impl From<LaunchError> for ProvisionError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Why(why) => Self::Why(why),
            LaunchError::State(error) => error.into(),
        }
    }
}

/// Writes down for the clean-up that nothing was started, so that it need not ask ECS.
async fn nothing_begun(folder: &StateFolder, order: &TaskRequest, why: CauseReport) -> CauseReport {
    if let Ok(None) = folder.record(&order.job)
        && let Err(error) = folder.bury(&order.job, None).await
    {
        emit(JobEvent::StateNotWritten { message: error.to_string() });
    }
    why
}

/// Cancelled before anything was asked for.
fn cancelled() -> ProvisionError {
    ProvisionError::Cancelled { task: CancelledTask::NotStarted }
}

/// Brings up the task that `order` describes, before `deadline`.
///
/// # Errors
///
/// Returns [`ProvisionError`] if the task did not come up or a signal came. What was started is
/// then being stopped, or the record names it for a clean-up.
pub async fn provision(
    context: &JobContext,
    order: &TaskRequest,
    folder: &StateFolder,
    stops: &mut CancelSignals,
    deadline: Instant,
    report: &mut dyn FnMut(TaskStartEvent<'_>),
) -> Result<ProvisionedTask, ProvisionError> {
    let settings = &context.settings;
    let profile = &settings.profile;
    let owner = folder.owner(settings.owner.as_deref()).await?.owner;
    let ecs = tokio::select! {
        ecs = context.ecs() => match ecs {
            Ok(ecs) => ecs.sharing(folder, profile),
            Err(why) => return Err(nothing_begun(folder, order, why).await.into()),
        },
        _ = stops.next() => return Err(cancelled()),
    };
    let keys = TaskKeys::draw(profile, &ecs, &context.masker)?;
    let definition = tokio::select! {
        definition = ResolvedDefinition::of(&ecs, profile, folder, deadline) => match definition {
            Ok(definition) => definition,
            Err(why) => return Err(nothing_begun(folder, order, why).await.into()),
        },
        _ = stops.next() => return Err(cancelled()),
    };
    let mut spec = TaskSpec::new(profile, definition.name(), owner);
    spec.containers[0].environment = environment(profile, order, &keys);
    if settings.owner.is_some() {
        // Several hosts may share a configured name. The folder's own name tells their tasks apart.
        let folder_id = folder.owner(None).await?.owner.to_string();
        spec.containers[0].environment.insert(FOLDER_VARIABLE.to_owned(), folder_id);
    }
    spec.tags.extend(tags(context, order, &spec));
    let tries = folder.tombstone(&order.job).unwrap_or_default().tries;
    let record = first_record(context, order, tries, &spec, &ecs, &keys)?;
    let mut ledger = RecordWriter::begin(folder, record).await?;
    let binding = JobBinding { job: order.job.clone(), login: keys.login.clone() };
    let start = TaskStart { context, ecs: &ecs, folder, binding: &binding, deadline };
    let brought_up = start.acquire(spec, definition, &mut ledger, stops, report).await;
    let handed_over = match brought_up {
        Ok(acquired) => tokio::select! {
            biased;
            _ = stops.next() => Err(cancelled()),
            done = hand_over(acquired, &mut ledger, profile, order) => done,
        },
        Err(error) => Err(error),
    };
    match handed_over {
        Ok(acquired) => Ok(ProvisionedTask { acquired, ledger, ecs }),
        Err(error) => Err(take_back(context, &ecs, &mut ledger, error).await),
    }
}

/// What stays the same while a job's task is brought up.
struct TaskStart<'a> {
    context: &'a JobContext,
    ecs: &'a EcsClient,
    folder: &'a StateFolder,
    binding: &'a JobBinding,
    deadline: Instant,
}

impl TaskStart<'_> {
    /// Brings up a task from `definition`. If somebody has deregistered that one since it was looked up,
    /// another one is looked up or registered, and the launch is tried with it.
    async fn acquire(
        &self,
        mut spec: TaskSpec,
        mut definition: ResolvedDefinition,
        ledger: &mut RecordWriter,
        stops: &mut CancelSignals,
        report: &mut dyn FnMut(TaskStartEvent<'_>),
    ) -> Result<AcquiredTask, ProvisionError> {
        loop {
            let acquired = tokio::select! {
                acquired = self.acquire_once(&spec, ledger, report) => acquired,
                _ = stops.next() => return Err(cancelled()),
            };
            let Err(ProvisionError::Why(why)) = &acquired else { return acquired };
            let other = tokio::select! {
                other = definition.after(why, self.deadline) => other?,
                _ = stops.next() => return Err(cancelled()),
            };
            let Some(other) = other else { return acquired };
            spec.task_definition = other.name().to_owned();
            definition = other;
        }
    }

    async fn acquire_once(
        &self,
        spec: &TaskSpec,
        ledger: &mut RecordWriter,
        report: &mut dyn FnMut(TaskStartEvent<'_>),
    ) -> Result<AcquiredTask, ProvisionError> {
        let profile = self.context.profile();
        let (ecs, deadline, clock) = (self.ecs, self.deadline, &self.context.clock);
        let terms = AcquireOptions {
            ecs,
            folder: self.folder,
            deadline,
            port: profile.ssh.port,
            timeouts: &profile.timeouts,
            limits: &profile.limits,
        };
        let limits = self.context.breaker_limits();
        let mut launcher =
            TaskLauncher::new(ecs, spec, self.binding, ledger, deadline, clock, limits);
        // In a box, because the compiler gives up on the layout of futures that are nested too deep.
        Ok(Box::pin(acquire(&mut launcher, &terms, report)).await?)
    }
}

/// The keys of one task.
struct TaskKeys {
    login: TaskLogin,
    client_line: String,
    /// The seed of the host key, and the public half of the key. `None` for a key that the task's
    /// role proves, or that is accepted at first use.
    seed: Option<(HostKeySeed, String)>,
}

fn broken_key(error: russh::keys::ssh_key::Error) -> StateError {
    StateError::host("making a key")(std::io::Error::other(error))
}

impl TaskKeys {
    fn draw(
        profile: &JobProfile,
        ecs: &EcsClient,
        masker: &SharedMasker,
    ) -> Result<Self, StateError> {
        let (seed, host) = match profile.host_key {
            HostKey::FirstUse => (None, HostKeyPolicy::FirstUse),
            HostKey::Sts => {
                // The configuration has one; without one, no proof is accepted.
                let role = profile.task_role.as_deref().unwrap_or_default();
                let verifier = TaskRoleVerifier::new(ecs.account(), role);
                (None, HostKeyPolicy::TaskRole(Box::new(verifier)))
            }
            HostKey::Seed => {
                let seed = HostKeySeed::draw()?;
                masker.remember(&seed.to_variable());
                let line = seed.host_key().map_err(broken_key)?;
                let key = parse_host_key(&line).map_err(broken_key)?;
                (Some((seed, line)), HostKeyPolicy::Agent(key))
            }
        };
        let key = ClientKey::draw(profile.ssh.client_key)?;
        masker.remember(&key.to_secret_text().map_err(broken_key)?);
        let client_line = key.public_line().map_err(broken_key)?;
        let login = TaskLogin {
            user: profile.ssh.user.clone(),
            key,
            host,
            keepalive_tries: profile.ssh.keepalive_tries,
            rekey_after_mib: profile.ssh.rekey_after_mib,
            masker: masker.clone(),
        };
        Ok(Self { login, client_line, seed })
    }
}

/// The variables for the agent. Everybody who may call DescribeTasks sees them. The seed is the
/// only secret among them, which the documentation says.
fn environment(
    profile: &JobProfile,
    order: &TaskRequest,
    keys: &TaskKeys,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("SSH_PUBLIC_KEY", keys.client_line.clone()),
        ("FARGATE_RUNNER_IDLE_S", order.idle.as_secs().to_string()),
        (LIFETIME_VARIABLE, order.lifetime.min(FIRST_LIFETIME).as_secs().to_string()),
        ("FARGATE_RUNNER_CLIENT_GONE_S", profile.timeouts.client_gone.as_secs().to_string()),
    ]);
    if order.lifetime > FIRST_LIFETIME {
        variables.insert(LEASE_VARIABLE, order.lifetime.as_secs().to_string());
    }
    if let Some((seed, _)) = &keys.seed {
        variables.insert("FARGATE_RUNNER_HOST_KEY_SEED", seed.to_variable());
    }
    if profile.host_key == HostKey::Sts {
        variables.insert(HOST_KEY_VARIABLE, BY_TASK_ROLE.to_owned());
    }
    if profile.ssh.port != 22 {
        variables.insert("FARGATE_RUNNER_PORT", profile.ssh.port.to_string());
    }
    if profile.ssh.user != "root" {
        variables.insert("FARGATE_RUNNER_USER", profile.ssh.user.clone());
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn tags(context: &JobContext, order: &TaskRequest, spec: &TaskSpec) -> BTreeMap<String, String> {
    let mut tags = order.tags.clone();
    tags.insert("owner", spec.owner.to_string());
    tags.insert("deadline", (context.clock.since_1970() + order.lifetime).as_secs().to_string());
    // Source of the characters that a tag may hold: Amazon ECS API Reference, `Tag`.
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    tags.into_iter()
        .map(|(name, value)| {
            let value = value.chars().map(|c| if allowed(c) { c } else { '_' }).take(256).collect();
            (format!("{TAG_PREFIX}{name}"), value)
        })
        .collect()
}

fn first_record(
    context: &JobContext,
    order: &TaskRequest,
    tries: u32,
    spec: &TaskSpec,
    ecs: &EcsClient,
    keys: &TaskKeys,
) -> Result<JobRecord, StateError> {
    let profile = context.profile();
    Ok(JobRecord {
        schema: version::this().writes,
        origin: order.origin,
        location: TaskLocation {
            cluster: spec.cluster.clone(),
            region: ecs.region().to_owned(),
            endpoint: Some(ecs.endpoint()),
            task: None,
        },
        owner: spec.owner.clone(),
        job: order.job.clone(),
        job_id: order.job_id.clone(),
        attempt: tries + 1,
        prepared_by: random::token().map_err(StateError::host("drawing random bytes"))?,
        launches: Vec::new(),
        client_key: SecretString::new(keys.login.key.to_secret_text().map_err(broken_key)?),
        host_key: keys.seed.as_ref().map(|(_, line)| line.clone()).unwrap_or_default(),
        user: profile.ssh.user.clone(),
        peer: None,
        address: None,
        deadline_unix_s: (context.clock.since_1970() + order.lifetime).as_secs(),
        ready: false,
        shell: profile.shell.to_string(),
        failure: None,
        manager: order.manager.clone(),
        others: version::this().adds.clone(),
    })
}

/// Gives the peer its terms, and writes down what later stages need. The host key comes first, so
/// that it is pinned from here on.
async fn hand_over(
    acquired: AcquiredTask,
    ledger: &mut RecordWriter,
    profile: &JobProfile,
    order: &TaskRequest,
) -> Result<AcquiredTask, ProvisionError> {
    let host_key = acquired.host_key.to_openssh().map_err(broken_key)?;
    ledger.update(|record| record.host_key = host_key).await?;
    let peer = match give_terms(&acquired.session, profile, order).await {
        Ok(peer) => peer,
        Err(error) => {
            return Err(login_failed(&error, acquired.address, &FailureContext::default()).into());
        }
    };
    ledger
        .update(|record| {
            record.address = Some(acquired.address);
            record.peer = Some(peer);
            record.ready = true;
        })
        .await?;
    Ok(acquired)
}

async fn give_terms(
    session: &TaskSession,
    profile: &JobProfile,
    order: &TaskRequest,
) -> Result<TaskServer, LoginError> {
    let timeouts = &profile.timeouts;
    match session {
        TaskSession::Agent(agent) => {
            agent.lease(lease(timeouts, order)).await?;
            FailPoint::TermsGiven.reached();
            tell_age(&agent.agent);
            Ok(TaskServer::Agent(agent.agent.name.clone()))
        }
        TaskSession::Stock(stock) => {
            let shell = match profile.shell {
                Shell::Bash | Shell::Sh => profile.shell.to_string(),
                Shell::Runner => Shell::Sh.to_string(),
            };
            let terms = StockTaskSettings { lifetime: order.lifetime, idle: order.idle, shell };
            let found = stock.ready(&terms, timeouts.session_open).await?;
            FailPoint::TermsGiven.reached();
            let (group, watchdog) = (found.group, found.watchdog);
            emit(JobEvent::SshdFound { server: stock.server.clone(), group, watchdog });
            if !watchdog || !group {
                emit(JobEvent::SshdLess { watchdog, group });
            }
            Ok(TaskServer::Sshd(stock.server.clone()))
        }
    }
}

fn tell_age(agent: &AgentInfo) {
    let name = agent.name.clone();
    if let Some(words) = agent.too_old() {
        emit(JobEvent::AgentOld { agent: name, message: words });
    } else if agent.is_ahead(version::this().day) {
        emit(JobEvent::AgentNewer { agent: name });
    }
}

fn lease(timeouts: &JobTimeouts, order: &TaskRequest) -> fargate_protocol::TaskLease {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    fargate_protocol::TaskLease {
        idle_ms: ms(order.idle),
        deadline_ms: ms(order.lifetime),
        client_gone_ms: ms(timeouts.client_gone),
        next_stage_grace_ms: Some(ms(timeouts.next_stage_grace)),
        hosts: Vec::new(),
    }
}

/// Returns the cause if the next try would meet it again.
///
/// A wrong set-up stays wrong for more than a few seconds. Other causes may pass: missing
/// credentials, an address that EC2 told late, and a container beside the job's. Another machine in
/// the task's place is never tried again.
fn lasting(why: &CauseReport) -> Option<CauseReport> {
    let entry = why.entry();
    let set_up = entry.next == RetryDecision::Final && entry.who == ResponsibleParty::Setup;
    let may_mend = matches!(
        why.cause,
        FailureCause::Credentials
            | FailureCause::CredentialsMissing
            | FailureCause::AwsProfile
            | FailureCause::NoPublicAddress
            | FailureCause::ContainerEnded
    );
    let is_of_security = entry.class == "security";
    let lasts = set_up && !may_mend || is_of_security;
    lasts.then(|| why.clone())
}

/// Stops what was started, with a deadline of its own, and remembers a cause that the next try
/// would meet again.
async fn take_back(
    context: &JobContext,
    ecs: &EcsClient,
    ledger: &mut RecordWriter,
    error: ProvisionError,
) -> ProvisionError {
    let record = ledger.record_now();
    let (why, failure) = match &error {
        ProvisionError::Cancelled { .. } => ("the job was cancelled", None),
        ProvisionError::Why(why) => ("the task did not come up", lasting(why)),
    };
    let (timeouts, clock) = (context.timeouts(), &context.clock);
    let deadline = Instant::now() + timeouts.task_stop;
    let why = reason(why);
    let released =
        release(ecs, &record.launches, &why, deadline, timeouts.task_visibility, clock).await;
    let error = match error {
        ProvisionError::Cancelled { .. } => {
            ProvisionError::Cancelled { task: CancelledTask::of(record, &released) }
        }
        error => error,
    };
    let written = if released.undone.is_empty() {
        ledger.bury(failure).await
    } else {
        ledger
            .update(|record| {
                record.failure = failure;
                record.ready = false;
            })
            .await
    };
    if let Err(error) = written {
        emit(JobEvent::StateNotWritten { message: error.to_string() });
    }
    error
}
