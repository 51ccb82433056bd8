//! RunTask until it names a task: the same token while the outcome is open, the next subnet where
//! one is full, and a new launch only once the former one is settled.
//!
//! An open launch in the ledger is one whose request may have left this host. It is written down once
//! the credentials for it are there, and taken out while a refusal or a dead connection is waited out.

use std::time::Duration;

use fargate_aws::CallError;
use fargate_events::{JobEvent, emit};
use fargate_model::backoff::{Backoff, up_to};
use fargate_model::cause::{CauseReport, FailureCause, RetryDecision};
use fargate_model::random;
use fargate_state::LaunchRequest;
use fargate_state::{RecordWriter, StateError};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::classify::{FailureContext, exception, failure};
use super::client::{EcsClient, RunTaskOutcome};
use super::event::TaskStartEvent;
use super::observation::ObservedTask;
use super::spec::{TAG_RIGHT, TaskSpec, is_refused_for_tags};

/// First pause after a refusal; it doubles up to [`LONGEST_PAUSE`], with full jitter. A refused
/// RunTask counts against the account's bucket of 20 per second.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A role that was made moments ago is not known everywhere yet; after this it is missing.
const ROLE_SETTLES: Duration = Duration::from_secs(60);

/// Tries to get credentials before it is told that there are none. Each waits for all sources.
const CREDENTIAL_TRIES: usize = 3;
/// Whoever renews credentials may be late by so much.
pub(super) const RENEWAL_SETTLES: Duration = Duration::from_secs(60);

/// Starts tasks for one job, one at a time, each written down before it is asked for.
pub struct TaskLauncher<'a> {
    /// Where calls go.
    pub ecs: &'a EcsClient,
    /// What the task shall be.
    pub spec: &'a TaskSpec,
    /// Where launches are written down.
    pub ledger: &'a mut RecordWriter,
    /// When to give up.
    pub deadline: Instant,
    subnet: usize,
    backoff: Backoff,
    /// Tags were refused, now or to another job lately, and are left out from then on.
    untagged: bool,
}

/// Why no task came of it.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A cause of the catalogue.
    #[error("{}", .0.headline())]
    Why(Box<CauseReport>),
    /// The launch could not be written down, or somebody else took the job over.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<CauseReport> for LaunchError {
    fn from(why: CauseReport) -> Self {
        Self::Why(Box::new(why))
    }
}

impl<'a> TaskLauncher<'a> {
    /// Begins with the first subnet.
    pub fn new(
        ecs: &'a EcsClient,
        spec: &'a TaskSpec,
        ledger: &'a mut RecordWriter,
        deadline: Instant,
    ) -> Self {
        let untagged = ledger.folder().was_refused(TAG_RIGHT, ecs.region(), &spec.cluster);
        Self {
            ecs,
            spec,
            ledger,
            deadline,
            subnet: 0,
            backoff: Backoff::doubling(FIRST_PAUSE, LONGEST_PAUSE),
            untagged,
        }
    }

    /// Starts one task; waits out what passes by itself.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; a launch that is still open then stands in the ledger.
    pub async fn launch(
        &mut self,
        report: &mut dyn FnMut(TaskStartEvent<'_>),
    ) -> Result<(LaunchRequest, ObservedTask), LaunchError> {
        let begun = Instant::now();
        let mut refusals = 0;
        let mut request = self.new_launch()?;
        // A send of this token had no usable answer: it may have started a task, whatever ECS says to
        // the next one.
        let mut in_doubt = false;
        let mut patience = LaunchRetries::default();
        // What the try before met.
        let mut met_before = None;
        loop {
            let place = self.place(&request);
            let (why, is_over) = match self.send(&mut request, met_before.take()).await? {
                Ok(RunTaskOutcome::Task(task)) => {
                    request.settled = true;
                    request.task = Some(task.task.clone());
                    self.ledger.record(&request).await?;
                    emit(JobEvent::TaskAccepted {
                        task: task.task.clone(),
                        launch: request.token.clone(),
                    });
                    return Ok((request, *task));
                }
                Ok(RunTaskOutcome::Failure { reason, detail }) => {
                    let why = failure(&reason, &detail, &place);
                    request = self.next_launch(request, &why).await?;
                    in_doubt = false;
                    is_final(why)
                }
                Ok(RunTaskOutcome::Conflict(tasks)) => {
                    let stopped = self.stop_conflicting(&mut request, &tasks).await?;
                    let why = place.why(FailureCause::AwsInternal).because(format!(
                        "This launch's token already names {} other tasks; they are being stopped.",
                        tasks.len()
                    ));
                    if !stopped {
                        return Err(why.into());
                    }
                    request = self.next_launch(request, &why).await?;
                    in_doubt = false;
                    is_final(why)
                }
                Ok(RunTaskOutcome::Nothing) => {
                    in_doubt = true;
                    let words = "ECS answered with neither a task nor a failure.";
                    is_final(place.why(FailureCause::AwsInternal).because(words))
                }
                Err(error) if is_refused_for_tags(&request, &error) => {
                    request = self.without_tags(request, in_doubt, &error).await?;
                    continue;
                }
                Err(error) => {
                    in_doubt |= error.leaves_doubt();
                    let why = exception(&error, &place);
                    emit(JobEvent::RunTaskFailed {
                        cause: why.cause,
                        request_id: error.request_id().map(Into::into),
                        message: error.to_string(),
                    });
                    // Nothing is open while the next try is waited for, whoever ends this process.
                    self.give_up(request.clone(), in_doubt).await?;
                    let is_over = patience.is_over(&error, &why, begun);
                    met_before = (!is_over).then_some(error);
                    (why, is_over)
                }
            };
            refusals += 1;
            if is_over {
                self.give_up(request, in_doubt).await?;
                return Err(if refusals > 1 { gave_up(why, refusals, begun) } else { why }.into());
            }
            report(TaskStartEvent::Refused { why: &why, tries: refusals, waited: begun.elapsed() });
            if let Err(too_late) = self.wait_or(why, refusals, begun).await {
                self.give_up(request, in_doubt).await?;
                return Err(too_late);
            }
        }
    }

    /// Sends a launch, which is written down before that, and not before it can be sent at all. Where the
    /// deadline comes first, `before` says why: it is what the try before met.
    async fn send(
        &mut self,
        request: &mut LaunchRequest,
        before: Option<CallError>,
    ) -> Result<Result<RunTaskOutcome, CallError>, LaunchError> {
        match timeout_at(self.deadline, self.ecs.ready()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_) => {
                let why = CauseReport::new(FailureCause::CredentialsMissing);
                let why = Box::new(why.because("None came before the deadline."));
                let none = CallError::Credentials { why, passing: false };
                return Ok(Err(before.unwrap_or(none)));
            }
        }
        if !self.ledger.record_now().launches.contains(request) {
            self.ledger.record(request).await?;
        }
        emit(JobEvent::TaskRequested { launch: request.token.clone() });
        Ok(self.ecs.run_task(request).await)
    }

    fn place(&self, request: &LaunchRequest) -> FailureContext {
        let mut place = FailureContext::of(request, self.ecs.region(), &self.ecs.endpoint());
        place.set("subnets", self.spec.subnets.join(" "));
        place.set("zones", self.spec.subnets.join(", "));
        place
    }

    fn new_launch(&self) -> Result<LaunchRequest, LaunchError> {
        let subnets = &self.spec.subnets;
        let subnet = subnets[self.subnet % subnets.len()].clone();
        let token = random::token().map_err(StateError::host("drawing random bytes"))?;
        let mut request = self.spec.request(token, &subnet);
        if self.untagged {
            request = request.untagged();
        }
        Ok(request)
    }

    /// What follows when the tags of a launch are refused. ECS checks rights before it starts
    /// anything, so the launch is over and another one takes its place. Unless an answer was lost
    /// before: then the same token goes on, because it alone finds the task that may be there.
    async fn without_tags(
        &mut self,
        request: LaunchRequest,
        in_doubt: bool,
        error: &CallError,
    ) -> Result<LaunchRequest, LaunchError> {
        let lost = "tasks are started without tags, so costs cannot be told apart by them";
        emit(JobEvent::RightMissing {
            action: TAG_RIGHT.to_owned(),
            message: format!("{lost}: {error}"),
        });
        self.untagged = true;
        let folder = self.ledger.folder();
        folder.remember_refusal(TAG_RIGHT, self.ecs.region(), &self.spec.cluster);
        if in_doubt {
            // The ledger takes it with the next send; until then either of the two names the task.
            return Ok(request.untagged());
        }
        self.settle_as_nothing(request).await?;
        self.new_launch()
    }

    /// Closes a launch that started nothing, and opens one in the next subnet if that may help.
    async fn next_launch(
        &mut self,
        request: LaunchRequest,
        why: &CauseReport,
    ) -> Result<LaunchRequest, LaunchError> {
        self.settle_as_nothing(request).await?;
        self.turn_from(why);
        self.new_launch()
    }

    /// The launches to come go to the next subnet, where that may help against what went wrong in
    /// this one.
    pub(super) fn turn_from(&mut self, why: &CauseReport) {
        self.subnet += usize::from(is_of_subnet(why));
    }

    /// A launch in doubt stays open in the ledger, for whoever takes the job back.
    async fn give_up(&mut self, request: LaunchRequest, in_doubt: bool) -> Result<(), LaunchError> {
        if in_doubt { Ok(()) } else { self.settle_as_nothing(request).await }
    }

    async fn settle_as_nothing(&mut self, mut request: LaunchRequest) -> Result<(), LaunchError> {
        request.settled = true;
        Ok(self.ledger.record(&request).await?)
    }

    /// False if one of them may still run; then no other may be started.
    async fn stop_conflicting(
        &mut self,
        request: &mut LaunchRequest,
        tasks: &[fargate_model::id::TaskArn],
    ) -> Result<bool, LaunchError> {
        let mut stopped = true;
        for task in tasks {
            request.task = Some(task.clone());
            self.ledger.record(request).await?;
            let reason = super::release::reason("a token used twice");
            if let Err(error) = self.ecs.stop(&request.cluster, task, &reason).await {
                emit(JobEvent::StopFailed {
                    task: task.clone(),
                    request_id: None,
                    message: error.to_string(),
                });
                stopped = false;
            }
        }
        Ok(stopped)
    }

    /// Full jitter. The other subnets are tried at once before the first pause.
    async fn wait_or(
        &mut self,
        why: CauseReport,
        tries: usize,
        begun: Instant,
    ) -> Result<(), LaunchError> {
        let untried = tries < self.spec.subnets.len();
        if untried && is_of_subnet(&why) {
            return Ok(());
        }
        let until = Instant::now() + up_to(self.backoff.next_pause());
        if until >= self.deadline {
            return Err(gave_up(why, tries, begun).into());
        }
        sleep_until(until).await;
        Ok(())
    }
}

/// How long what hinders a launch is waited out, beyond what its cause says.
#[derive(Default)]
struct LaunchRetries {
    without_credentials: usize,
    expired_since: Option<Instant>,
}

impl LaunchRetries {
    /// True if no further try follows `error`.
    fn is_over(&mut self, error: &CallError, why: &CauseReport, begun: Instant) -> bool {
        // The former credentials have ended: somebody may be writing new ones at this moment.
        let is_being_renewed =
            self.expired_since.is_some() && error.is_without_credentials() && error.is_transient();
        if error.is_expired() || is_being_renewed {
            let since = *self.expired_since.get_or_insert_with(Instant::now);
            return since.elapsed() > RENEWAL_SETTLES;
        }
        self.expired_since = None;
        if error.is_without_credentials() {
            self.without_credentials += 1;
            return !error.is_transient() || self.without_credentials >= CREDENTIAL_TRIES;
        }
        let role_is_missing = !error.is_transient() && begun.elapsed() > ROLE_SETTLES;
        why.entry().next == RetryDecision::Final || role_is_missing
    }
}

fn is_final(why: CauseReport) -> (CauseReport, bool) {
    let is_final = why.entry().next == RetryDecision::Final;
    (why, is_final)
}

/// Says how often it was tried.
fn gave_up(why: CauseReport, tries: usize, begun: Instant) -> CauseReport {
    let waited = fargate_model::text::duration(begun.elapsed());
    why.because(format!("{tries} tries in {waited}, then gave up."))
}

/// Another subnet, which may lie in another zone, may have what this one lacks.
fn is_of_subnet(why: &CauseReport) -> bool {
    matches!(why.cause, FailureCause::NoCapacity | FailureCause::SubnetFull)
}
