//! The one ECS client.
//!
//! It retries nothing, because there is only one retry policy, and the caller has it. What an
//! answer means is decided elsewhere.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::SystemTime;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::RequestId;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride,
    DesiredStatus, EphemeralStorage, KeyValuePair, LaunchType, NetworkConfiguration, PropagateTags,
    Tag, TaskField, TaskOverride,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fargate_aws::{AwsAccount, CallCounter, CallError};
use fargate_config::{JobProfile, PublicIp};
use fargate_events::{JobEvent, emit};
use fargate_fail_point::FailPoint;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use fargate_model::id::{TaskArn, TaskOwner};
use fargate_state::{LaunchRequest, SharedRateLimiter, StateFolder, TaskCapacity};

use super::ecs_clock::EcsClock;
use super::observation::ObservedTask;
use super::rate_limiter::RateLimiter;
use super::spec::TAG_PREFIX;
use crate::daemon::TaskPlace;

/// Most tasks of one DescribeTasks. Source: Amazon ECS API Reference, `DescribeTasks`.
pub const DESCRIBE_LIMIT: usize = 100;
/// Most pages of ListTasks that are read: 10,000 tasks of one owner.
const LIST_PAGES: usize = 100;
/// Longest reason of StopTask that ECS shows. Source: Amazon ECS API Reference, `Task`.
const REASON_LIMIT: usize = 255;

/// ECS in one Region.
#[derive(Clone, Debug)]
pub struct EcsClient {
    client: Client,
    clock: EcsClock,
    account: AwsAccount,
    pace: Option<RateLimiter>,
    turns: Option<SharedRateLimiter>,
    role: Option<String>,
    calls: CallCounter,
}

/// What RunTask answered.
#[derive(Clone, Debug)]
pub enum RunTaskOutcome {
    /// It started this task.
    Task(Box<ObservedTask>),
    /// It started none: HTTP 200 with `failures[]`.
    Failure {
        /// The reason in ECS's words.
        reason: String,
        /// More of ECS's words.
        detail: String,
    },
    /// The token was used before with other parameters. These tasks have it.
    Conflict(Vec<TaskArn>),
    /// Neither a task nor a failure.
    Nothing,
}

/// What StopTask answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopTaskOutcome {
    /// ECS stops the task, or stopped it before.
    Accepted,
    /// ECS does not know the task. It was forgotten, or is too new to be known everywhere.
    Unknown,
}

impl EcsClient {
    /// Connects with the usual environment of the SDK. It makes no call, except that it may ask for
    /// the Region.
    ///
    /// # Errors
    ///
    /// Returns the cause if there is no Region, or if the CA bundle or a proxy of the environment
    /// cannot be used.
    pub async fn connect(profile: &JobProfile, masker: &SharedMasker) -> Result<Self, CauseReport> {
        Self::in_region(profile.region.clone(), profile, masker).await
    }

    /// Connects to a Region that is known from a state file.
    ///
    /// # Errors
    ///
    /// Returns the cause if the Region, the CA bundle or a proxy of the environment cannot be used.
    pub async fn in_region(
        region: Option<String>,
        profile: &JobProfile,
        masker: &SharedMasker,
    ) -> Result<Self, CauseReport> {
        let account = AwsAccount::open(region, profile, masker).await?;
        let clock = EcsClock::default();
        let config = aws_sdk_ecs::config::Builder::from(account.config());
        Ok(Self {
            client: Client::from_conf(config.interceptor(clock.clone()).build()),
            clock,
            account,
            pace: None,
            turns: None,
            role: profile.assume_role_arn.clone(),
            calls: CallCounter::default(),
        })
    }

    /// The same client, but every call that starts or stops a task waits for its turn.
    #[must_use]
    pub fn paced(self, pace: RateLimiter) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// The time by ECS's clock, which a wrong clock of this host does not change; `None` before its first
    /// answer.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.clock.now()
    }

    /// The same client, whose calls of ECS count there.
    #[must_use]
    pub fn counting(self, calls: CallCounter) -> Self {
        Self { calls, ..self }
    }

    /// Sorts what became of a call of this operation, and counts it. In a box: the futures of a job's stages lie deep
    /// within each other already.
    fn sent<'a, T, E>(
        &'a self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = Result<T, CallError>> + Send + 'a>>
    where
        T: Send + 'a,
        E: Error + ProvideErrorMetadata + RequestId + Send + 'static,
    {
        Box::pin(async move {
            let sent = self.account.sent(answer).await;
            self.calls.count(operation, &sent);
            sent
        })
    }

    /// The SDK's client.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What masks the words of AWS.
    #[must_use]
    pub fn masker(&self) -> &SharedMasker {
        self.account.masker()
    }

    /// The account that it is in.
    pub(crate) fn account(&self) -> &AwsAccount {
        &self.account
    }

    /// The same client, but every question about tasks counts in the rate limiter that all
    /// processes of this host share.
    #[must_use]
    pub fn sharing(self, folder: &StateFolder, profile: &JobProfile) -> Self {
        let role = profile.assume_role_arn.as_deref();
        let turns = folder.turns(self.region(), role, profile.limits.ecs_reads_per_second);
        Self { turns: Some(turns), ..self }
    }

    /// Waits for a turn to ask about a task. For questions that are not urgent.
    pub async fn turn_to_read(&self) {
        if let Some(turns) = &self.turns {
            turns.wait().await;
        }
    }

    /// Counts a question that waits for no turn.
    async fn read_ahead(&self) {
        if let Some(turns) = &self.turns {
            turns.go_ahead().await;
        }
    }

    /// Notes that a question about tasks was refused, and returns the error.
    async fn read_refused(&self, error: CallError) -> CallError {
        if let (Some(turns), true) = (&self.turns, error.is_throttled()) {
            turns.slow_down().await;
        }
        error
    }

    async fn turn(&self) {
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
    }

    /// The Region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.account.region()
    }

    /// The endpoint of the calls, for people: the one in the environment, or AWS's own.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.account.endpoint("ecs")
    }

    /// How the daemon of this host knows this cluster.
    #[must_use]
    pub fn place(&self, cluster: &str) -> TaskPlace {
        let name = cluster.rsplit('/').next().unwrap_or(cluster);
        TaskPlace {
            region: self.region().to_owned(),
            cluster: name.to_owned(),
            endpoint: self.endpoint(),
            role: self.role.clone(),
        }
    }

    /// Calls RunTask. It is safe to send it again, because the token names at most one task.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed. After [`CallError::NoAnswer`] the task may exist.
    pub async fn run_task(&self, request: &LaunchRequest) -> Result<RunTaskOutcome, CallError> {
        let call = self.run_task_call(request);
        self.turn().await;
        let ran = self.account.call(|| self.ran(call.clone().send())).await;
        FailPoint::RunTaskAnswered.reached();
        ran
    }

    /// The call for exactly this launch.
    pub(crate) fn run_task_call(&self, request: &LaunchRequest) -> RunTaskFluentBuilder {
        let call = self
            .client
            .run_task()
            .cluster(&request.cluster)
            .task_definition(&request.task_definition)
            .count(1)
            .client_token(request.token.as_str())
            .started_by(request.started_by.as_str())
            .set_platform_version(request.platform_version.clone())
            .network_configuration(network(request))
            .overrides(overrides(request))
            .set_tags(Some(tags(&request.tags)).filter(|tags| !tags.is_empty()))
            // What is not wanted is left out, so that old launches are sent again unchanged.
            .set_enable_execute_command(request.execute_command.then_some(true))
            .set_propagate_tags(request.propagate_tags.then_some(PropagateTags::TaskDefinition))
            .set_enable_ecs_managed_tags(request.managed_tags.then_some(true));
        match &request.purchase {
            TaskCapacity::LaunchType(kind) => call.launch_type(LaunchType::from(kind.as_str())),
            TaskCapacity::ClusterDefault => call,
            TaskCapacity::Strategy(_) => {
                call.set_capacity_provider_strategy(Some(strategy(request)))
            }
        }
    }

    /// Sorts what became of RunTask.
    async fn ran(
        &self,
        answer: impl Future<Output = Result<RunTaskOutput, SdkError<RunTaskError, HttpResponse>>>,
    ) -> Result<RunTaskOutcome, CallError> {
        let ran = match answer.await {
            Ok(answer) => Ok(match (answer.tasks().first(), answer.failures().first()) {
                (Some(task), _) => match ObservedTask::of(task) {
                    Some(task) => RunTaskOutcome::Task(Box::new(task)),
                    None => RunTaskOutcome::Nothing,
                },
                (None, Some(failure)) => RunTaskOutcome::Failure {
                    reason: failure.reason().unwrap_or("no reason given").to_owned(),
                    detail: failure.detail().unwrap_or_default().to_owned(),
                },
                (None, None) => RunTaskOutcome::Nothing,
            }),
            Err(error) => match error.as_service_error() {
                Some(RunTaskError::ConflictException(conflict)) => Ok(RunTaskOutcome::Conflict(
                    conflict.resource_ids().iter().map(|arn| TaskArn(arn.clone())).collect(),
                )),
                _ => Err(CallError::of(&error, self.account.masker())),
            },
        };
        self.calls.count("RunTask", &ran);
        ran
    }

    /// Loads the credentials of the calls to come, where none are kept.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if there are none. Then nothing was sent to ECS.
    pub async fn ready(&self) -> Result<(), CallError> {
        self.account.ready().await.map(drop)
    }

    /// Calls DescribeTasks for one task, ahead of all who wait for their turn. Returns `None` if
    /// ECS does not know the task.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn describe(
        &self,
        cluster: &str,
        task: &TaskArn,
    ) -> Result<Option<ObservedTask>, CallError> {
        self.read_ahead().await;
        let arns = vec![task.0.clone()];
        Ok(self.describe_these(cluster, arns, None).await?.into_iter().next())
    }

    /// Does the same when it is the caller's turn.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn describe_in_turn(
        &self,
        cluster: &str,
        task: &TaskArn,
    ) -> Result<Option<ObservedTask>, CallError> {
        self.turn_to_read().await;
        let arns = vec![task.0.clone()];
        Ok(self.describe_these(cluster, arns, None).await?.into_iter().next())
    }

    /// Does the same for the task of `launch`, and finds the address at which to dial it. With
    /// [`PublicIp::Dialled`] that is the public one, for which it asks EC2 until it is `known`.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed.
    pub async fn look(
        &self,
        launch: &LaunchRequest,
        task: &TaskArn,
        public_ip: PublicIp,
        known: Option<IpAddr>,
    ) -> Result<Option<ObservedTask>, CallError> {
        match self.describe_in_turn(&launch.cluster, task).await? {
            Some(seen) => Ok(Some(self.with_address(seen, public_ip, known).await?)),
            None => Ok(None),
        }
    }

    /// What ECS said, with the address at which to dial the task: see [`EcsClient::look`].
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 had to be asked and the call failed.
    pub async fn with_address(
        &self,
        mut seen: ObservedTask,
        public_ip: PublicIp,
        known: Option<IpAddr>,
    ) -> Result<ObservedTask, CallError> {
        if public_ip != PublicIp::Dialled {
            return Ok(seen);
        }
        seen.address = match (known, &seen.interface) {
            (Some(known), _) => Some(known),
            (None, Some(interface)) if seen.status.is_starting() || !seen.stopping => {
                match self.account.public_address(interface).await {
                    Ok(address) => address,
                    // What ECS said still counts. The next look asks EC2 again.
                    Err(error) if error.is_transient() => {
                        emit(JobEvent::AddressUnknown {
                            interface: interface.clone(),
                            message: error.to_string(),
                        });
                        None
                    }
                    Err(error) => return Err(error),
                }
            }
            (None, _) => None,
        };
        Ok(seen)
    }

    /// Calls DescribeTasks for at most [`DESCRIBE_LIMIT`] tasks when it is the caller's turn, and asks for their
    /// tags. Tasks that ECS does not know are left out.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn describe_batch(
        &self,
        cluster: &str,
        tasks: &[TaskArn],
    ) -> Result<Vec<ObservedTask>, CallError> {
        self.turn_to_read().await;
        let arns = tasks.iter().take(DESCRIBE_LIMIT).map(|arn| arn.0.clone()).collect();
        self.describe_these(cluster, arns, Some(vec![TaskField::Tags])).await
    }

    /// Calls DescribeTasks for many tasks, a hundred per call, and asks for their tags. Tasks that ECS
    /// does not know are left out.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed.
    pub async fn describe_all(
        &self,
        cluster: &str,
        tasks: &[TaskArn],
    ) -> Result<Vec<ObservedTask>, CallError> {
        let mut found = Vec::new();
        for some in tasks.chunks(DESCRIBE_LIMIT) {
            let arns = some.iter().map(|arn| arn.0.clone()).collect();
            self.read_ahead().await;
            let tags = Some(vec![TaskField::Tags]);
            found.extend(self.describe_these(cluster, arns, tags).await?);
        }
        Ok(found)
    }

    async fn describe_these(
        &self,
        cluster: &str,
        arns: Vec<String>,
        more: Option<Vec<TaskField>>,
    ) -> Result<Vec<ObservedTask>, CallError> {
        let call = self.client.describe_tasks().cluster(cluster).set_tasks(Some(arns));
        let call = call.set_include(more);
        match self.account.call(|| self.sent("DescribeTasks", call.clone().send())).await {
            Ok(answer) => Ok(answer.tasks().iter().filter_map(ObservedTask::of).collect()),
            Err(error) => Err(self.read_refused(error).await),
        }
    }

    /// Calls ListTasks: all tasks of this owner, or of the whole cluster, that should run.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed.
    pub async fn list(
        &self,
        cluster: &str,
        owner: Option<&TaskOwner>,
    ) -> Result<Vec<TaskArn>, CallError> {
        let mut found = Vec::new();
        let mut page = None;
        for _ in 0..LIST_PAGES {
            let call = self.client.list_tasks().cluster(cluster).set_next_token(page);
            let call = match owner {
                Some(owner) => call.started_by(owner.as_str()),
                None => call.desired_status(DesiredStatus::Running),
            };
            self.read_ahead().await;
            let answer =
                match self.account.call(|| self.sent("ListTasks", call.clone().send())).await {
                    Ok(answer) => answer,
                    Err(error) => return Err(self.read_refused(error).await),
                };
            found.extend(answer.task_arns().iter().map(|arn| TaskArn(arn.clone())));
            page = answer.next_token().map(str::to_owned);
            if page.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Calls TagResource: gives a task one of our tags, or another value for it. `name` has no prefix.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn tag_task(&self, task: &TaskArn, name: &str, value: &str) -> Result<(), CallError> {
        let tag = Tag::builder().key(format!("{TAG_PREFIX}{name}")).value(value).build();
        let call = self.client.tag_resource().resource_arn(&task.0).tags(tag);
        self.turn().await;
        let answer = self.account.call(|| self.sent("TagResource", call.clone().send())).await;
        FailPoint::TagResourceAnswered.reached();
        answer.map(drop)
    }

    /// Calls StopTask. A task that has already stopped may be stopped again.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn stop(
        &self,
        cluster: &str,
        task: &TaskArn,
        why: &str,
    ) -> Result<StopTaskOutcome, CallError> {
        let reason: String = why.chars().take(REASON_LIMIT).collect();
        let call = self.client.stop_task().cluster(cluster).task(&task.0).reason(reason);
        self.turn().await;
        let answer = self.account.call(|| self.sent("StopTask", call.clone().send())).await;
        FailPoint::StopTaskAnswered.reached();
        match answer {
            Ok(answer) => {
                if let Some(seen) = answer.task().and_then(ObservedTask::of) {
                    seen.tell();
                }
                Ok(StopTaskOutcome::Accepted)
            }
            Err(CallError::Answered { code, message, .. })
                if code == "InvalidParameterException" && message.contains("not found") =>
            {
                Ok(StopTaskOutcome::Unknown)
            }
            Err(error) => Err(error),
        }
    }
}

fn network(request: &LaunchRequest) -> NetworkConfiguration {
    // `subnets` is the only required member, and it is set.
    let vpc = AwsVpcConfiguration::builder()
        .subnets(&request.subnet)
        .set_security_groups(Some(request.security_groups.clone()))
        .assign_public_ip(match request.assign_public_ip {
            true => AssignPublicIp::Enabled,
            false => AssignPublicIp::Disabled,
        })
        .build()
        .ok();
    NetworkConfiguration::builder().set_awsvpc_configuration(vpc).build()
}

fn overrides(request: &LaunchRequest) -> TaskOverride {
    let containers = request.containers.iter().map(|container| {
        let environment = container
            .environment
            .iter()
            .map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        ContainerOverride::builder()
            .name(&container.name)
            .set_environment(Some(environment.collect()))
            .build()
    });
    let gib = request.ephemeral_storage_gib.map(|gib| i32::try_from(gib).unwrap_or(i32::MAX));
    let disk = gib.map(|gib| EphemeralStorage::builder().size_in_gib(gib).build());
    TaskOverride::builder()
        .set_container_overrides(Some(containers.collect()))
        .set_cpu(request.cpu_units.map(|units| units.to_string()))
        .set_memory(request.memory_mib.map(|mib| mib.to_string()))
        .set_ephemeral_storage(disk)
        .build()
}

fn strategy(request: &LaunchRequest) -> Vec<CapacityProviderStrategyItem> {
    let TaskCapacity::Strategy(providers) = &request.purchase else { return Vec::new() };
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    providers
        .iter()
        .filter_map(|provider| {
            CapacityProviderStrategyItem::builder()
                .capacity_provider(&provider.name)
                .weight(number(provider.weight))
                .base(number(provider.base))
                .build()
                .ok()
        })
        .collect()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
