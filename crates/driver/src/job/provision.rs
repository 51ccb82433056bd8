//! Brings up a task for one job: its keys, its first record, its launch and its lease. If a part
//! fails, everything is undone.
//!
//! It knows no forge. The record says who asked, and events tell how it went.

use std::collections::BTreeMap;

use fargate_config::{HostKey, JobProfile};
use fargate_events::{JobDescription, JobEvent, emit};
use fargate_model::cause::CauseReport;
use fargate_model::id::TaskOwner;
use fargate_model::lifetime::FIRST_LIFETIME;
use fargate_model::random;
use fargate_protocol::{BY_TASK_ROLE, HOST_KEY_VARIABLE};
use fargate_state::{
    JobRecord, JobRecordWriter, RecordedProfile, SecretString, StateError, StateFolder,
    TaskLocation, version,
};
use tokio::time::Instant;

use super::cancelled_task::CancelledTask;
use super::hand_over::hand_over;
use super::job_description::tell_spec;
use super::provision_error::ProvisionError;
use super::take_back::take_back;
use super::task_keys::{TaskKeys, broken_key};
use super::task_request::TaskRequest;
use crate::context::JobContext;
use crate::session::CancelSignals;
use crate::task::{
    AcquireOptions, AcquiredTask, EcsClient, FOLDER_VARIABLE, JobBinding, LEASE_VARIABLE,
    LIFETIME_VARIABLE, ResolvedDefinition, TAG_PREFIX, TaskLauncher, TaskSpec, TaskStartProgress,
    VolumeUser, acquire,
};

/// A task that is ours and answers.
pub struct ProvisionedTask {
    /// The task and an open session with it.
    pub acquired: AcquiredTask,
    /// Its record.
    pub record_writer: JobRecordWriter,
    /// The client for further calls.
    pub ecs: EcsClient,
}

/// Writes down for the clean-up that nothing was started, so that it need not ask ECS.
async fn nothing_begun(
    folder: &StateFolder,
    request: &TaskRequest,
    why: CauseReport,
) -> CauseReport {
    if let Ok(None) = folder.record(&request.job)
        && let Err(error) = folder.bury(&request.job, None).await
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
    request: &TaskRequest,
    folder: &StateFolder,
    stops: &mut CancelSignals,
    deadline: Instant,
    report: &mut dyn FnMut(TaskStartProgress<'_>),
) -> Result<ProvisionedTask, ProvisionError> {
    let settings = &context.settings;
    let profile = &settings.profile;
    let owner = folder.owner(settings.owner.as_deref()).await?.owner;
    let ecs = tokio::select! {
        ecs = context.ecs() => match ecs {
            Ok(ecs) => ecs.sharing(folder, profile),
            Err(why) => return Err(nothing_begun(folder, request, why).await.into()),
        },
        _ = stops.next() => return Err(cancelled()),
    };
    let keys = TaskKeys::draw(profile, &ecs, &context.masker)?;
    let user =
        VolumeUser { project: request.project.as_deref(), is_protected: request.is_protected };
    let definition = tokio::select! {
        definition = ResolvedDefinition::of(&ecs, profile, folder, &user, deadline) => match definition {
            Ok(definition) => definition,
            Err(why) => return Err(nothing_begun(folder, request, why).await.into()),
        },
        _ = stops.next() => return Err(cancelled()),
    };
    if let Some(warning) = definition.warning() {
        report(TaskStartProgress::ImageWarning(warning));
    }
    let mut spec = task_spec(context, request, definition.name(), owner, &keys);
    if settings.owner.is_some() {
        // Several hosts may share a configured name. The folder's own name tells their tasks apart.
        let folder_id = folder.owner(None).await?.owner.to_string();
        spec.containers[0].environment.insert(FOLDER_VARIABLE.to_owned(), folder_id);
    }
    let tries = folder.tombstone(&request.job).unwrap_or_default().tries;
    let known = JobDescription {
        image_bytes: definition.image_bytes(),
        ..JobDescription::clone(&request.description)
    };
    tell_spec(&known, profile, &spec, tries + 1, ecs.region());
    let record = first_record(context, request, tries, &spec, &ecs, &keys)?;
    let mut record_writer = JobRecordWriter::begin(folder, record).await?;
    let binding = JobBinding { job: request.job.clone(), login: keys.login.clone() };
    let start = TaskStart { context, ecs: &ecs, folder, binding: &binding, deadline };
    let brought_up = start.acquire(spec, definition, &mut record_writer, stops, report).await;
    let handed_over = match brought_up {
        Ok(acquired) => tokio::select! {
            biased;
            _ = stops.next() => Err(cancelled()),
            done = hand_over(acquired, &mut record_writer, profile, request) => done,
        },
        Err(error) => Err(error),
    };
    match handed_over {
        Ok(acquired) => Ok(ProvisionedTask { acquired, record_writer, ecs }),
        Err(error) => Err(take_back(context, &ecs, &mut record_writer, error).await),
    }
}

/// The task of this request, started from this definition.
pub(crate) fn task_spec(
    context: &JobContext,
    request: &TaskRequest,
    definition: &str,
    owner: TaskOwner,
    keys: &TaskKeys,
) -> TaskSpec {
    let profile = context.profile();
    let mut spec = TaskSpec::new(profile, definition, owner);
    spec.containers[0].environment = environment(profile, request, keys);
    spec.tags.extend(tags(context, request, &spec));
    spec
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
        record_writer: &mut JobRecordWriter,
        stops: &mut CancelSignals,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> Result<AcquiredTask, ProvisionError> {
        loop {
            let acquired = tokio::select! {
                acquired = self.acquire_once(&spec, record_writer, report) => acquired,
                _ = stops.next() => return Err(cancelled()),
            };
            let Err(ProvisionError::Why(why)) = &acquired else { return acquired };
            // A launch whose answer was lost may have started a task, so no other launch may follow.
            if record_writer.record_now().launches.iter().any(|launch| !launch.settled) {
                return acquired;
            }
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
        record_writer: &mut JobRecordWriter,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
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
            secrets: &profile.secrets,
            registry_secret: profile.registry_secret.as_deref(),
        };
        let limits = self.context.breaker_limits();
        let mut launcher =
            TaskLauncher::new(ecs, spec, self.binding, record_writer, deadline, clock, limits);
        // In a box, because the compiler gives up on the layout of futures that are nested too deep.
        Ok(Box::pin(acquire(&mut launcher, &terms, report)).await?)
    }
}

/// The variables for the agent. Everybody who may call DescribeTasks sees them. The seed is the
/// only secret among them, which the documentation says.
fn environment(
    profile: &JobProfile,
    request: &TaskRequest,
    keys: &TaskKeys,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("SSH_PUBLIC_KEY", keys.client_line.clone()),
        ("FARGATE_RUNNER_IDLE_S", request.idle.as_secs().to_string()),
        (LIFETIME_VARIABLE, request.lifetime.min(FIRST_LIFETIME).as_secs().to_string()),
        ("FARGATE_RUNNER_CLIENT_GONE_S", profile.timeouts.client_gone.as_secs().to_string()),
    ]);
    if request.lifetime > FIRST_LIFETIME {
        variables.insert(LEASE_VARIABLE, request.lifetime.as_secs().to_string());
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

fn tags(context: &JobContext, request: &TaskRequest, spec: &TaskSpec) -> BTreeMap<String, String> {
    let mut tags = request.tags.clone();
    tags.insert("owner", spec.owner.to_string());
    tags.insert("deadline", (context.clock.since_1970() + request.lifetime).as_secs().to_string());
    // Source of the characters that a tag may hold: Amazon ECS API Reference, `Tag`.
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    tags.into_iter()
        .map(|(name, value)| {
            let value = value.chars().map(|c| if allowed(c) { c } else { '_' }).take(256).collect();
            (format!("{TAG_PREFIX}{name}"), value)
        })
        .collect()
}

/// What later stages need to find this profile and its account again.
fn recorded(profile: &JobProfile) -> RecordedProfile {
    RecordedProfile {
        name: profile.name.clone(),
        role_arn: profile.assume_role_arn.clone(),
        role_external_id: profile.assume_role_external_id.clone(),
        role_session_name: profile.assume_role_session_name.clone(),
    }
}

fn first_record(
    context: &JobContext,
    request: &TaskRequest,
    tries: u32,
    spec: &TaskSpec,
    ecs: &EcsClient,
    keys: &TaskKeys,
) -> Result<JobRecord, StateError> {
    let profile = context.profile();
    Ok(JobRecord {
        schema: version::this().writes,
        origin: request.origin,
        location: TaskLocation {
            cluster: spec.cluster.clone(),
            region: ecs.region().to_owned(),
            endpoint: Some(ecs.endpoint()),
            task: None,
        },
        owner: spec.owner.clone(),
        job: request.job.clone(),
        job_id: request.job_id.clone(),
        attempt: tries + 1,
        prepared_by: random::token().map_err(StateError::host("drawing random bytes"))?,
        launches: Vec::new(),
        client_key: SecretString::new(keys.login.key.to_secret_text().map_err(broken_key)?),
        host_key: keys.seed.as_ref().map(|(_, line)| line.clone()).unwrap_or_default(),
        user: profile.ssh.user.clone(),
        peer: None,
        address: None,
        deadline_unix_s: (context.clock.since_1970() + request.lifetime).as_secs(),
        ready: false,
        shell: profile.shell.to_string(),
        failure: None,
        manager: request.manager.clone(),
        profile: Some(recorded(profile)),
        can_keep: false,
        hold_s: None,
        kept: None,
        others: version::this().adds.clone(),
    })
}
