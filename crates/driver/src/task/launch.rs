//! Calls RunTask until it names a task: with the same token while the outcome is open, in the next
//! subnet or on the next capacity provider if one has no room, and with a new launch only after the
//! former one is settled.
//!
//! An open launch in the record is one whose request may have left this host. It is written once
//! its credentials are loaded, and removed while a refusal or a dead connection is waited out. It
//! does not watch the task.

use std::time::Duration;

use fargate_aws::CallError;
use fargate_events::{JobEvent, emit};
use fargate_model::backoff::{RetryBackoff, up_to};
use fargate_model::cause::{CauseReport, FailureCause, RetryDecision};
use fargate_model::id::RandomToken;
use fargate_model::random;
use fargate_state::{
    BreakerLimits, CapacityBreaker, JobRecordWriter, LaunchRequest, StateError, TaskCapacity,
};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::classify::{CauseFacts, exception, failure};
use super::client::{EcsClient, RunTaskOutcome};
use super::event::TaskStartProgress;
use super::launch_error::LaunchError;
use super::launch_facts::{tell_answer, tell_launch};
use super::launch_places::{LaunchPlace, LaunchPlaces, NextPlace};
use super::observation::ObservedTask;
use super::source::{ClaimedTask, JobBinding, TaskSource};
use super::spec::{TAG_RIGHT, TaskSpec, is_refused_for_tags};
use crate::context::WallClock;

/// First pause after a refusal. It doubles up to [`LONGEST_PAUSE`], and a random part of it is
/// used. A refused RunTask counts in the account's limit of 20 a second.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A new role is not known everywhere at once. After this time it counts as missing.
const ROLE_SETTLES: Duration = Duration::from_secs(60);

/// How often credentials are tried before they count as missing. Each try waits for all sources.
const CREDENTIAL_TRIES: usize = 3;
/// How late a renewal of credentials may be.
pub(super) const RENEWAL_SETTLES: Duration = Duration::from_secs(60);

/// Starts tasks for one job, one at a time. Each launch is written down before it is sent.
pub struct TaskLauncher<'a> {
    ecs: &'a EcsClient,
    /// The task that is wanted.
    spec: &'a TaskSpec,
    /// The job that each launch is bound to, from its beginning.
    binding: &'a JobBinding,
    /// The record in which launches are written.
    record_writer: &'a mut JobRecordWriter,
    /// When to give up.
    deadline: Instant,
    clock: &'a WallClock,
    places: LaunchPlaces,
    limits: BreakerLimits,
    /// Capacities that come before the one that is begun with, until they were reported.
    avoided: Vec<(String, Duration)>,
    /// The launch of the last claim.
    claimed: Option<RandomToken>,
    backoff: RetryBackoff,
    /// Tags were refused, now or to another job recently, and are left out from then on.
    untagged: bool,
}

impl<'a> TaskLauncher<'a> {
    /// Begins with the subnet that the job's key gives, on the first capacity that did not fail too
    /// often on this host.
    pub fn new(
        ecs: &'a EcsClient,
        spec: &'a TaskSpec,
        binding: &'a JobBinding,
        record_writer: &'a mut JobRecordWriter,
        deadline: Instant,
        clock: &'a WallClock,
        limits: BreakerLimits,
    ) -> Self {
        let left = |capacity: &TaskCapacity| {
            let breaker = breaker_of(record_writer, ecs, capacity, limits);
            breaker.left(clock.since_1970())
        };
        let is_avoided = |capacity: &TaskCapacity| left(capacity).is_some();
        let places = LaunchPlaces::new(&spec.capacities, &spec.subnets, &binding.job, is_avoided);
        let passed_over = places.passed_over().iter();
        let avoided = passed_over.filter_map(|one| Some((one.name(), left(one)?))).collect();
        let untagged = record_writer.folder().was_refused(TAG_RIGHT, ecs.region(), &spec.cluster);
        Self {
            ecs,
            spec,
            binding,
            record_writer,
            deadline,
            clock,
            places,
            limits,
            avoided,
            claimed: None,
            backoff: RetryBackoff::doubling(FIRST_PAUSE, LONGEST_PAUSE),
            untagged,
        }
    }

    /// Starts one task. Waits while a cause may pass by itself.
    async fn launch(
        &mut self,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> Result<(LaunchRequest, ObservedTask), LaunchError> {
        let begun = Instant::now();
        // Refusals, and answers that were lost.
        let mut tries = 0;
        let mut request = self.new_launch()?;
        // A request with this token had no usable answer. It may have started a task, whatever ECS
        // says to the next request.
        let mut in_doubt = false;
        let mut patience = LaunchRetries::default();
        // The error of the try before.
        let mut met_before = None;
        // From the second round on, each try has its pause, and is reported as seldom as any wait.
        let mut is_first_round = true;
        for (provider, left) in self.avoided.drain(..) {
            report(TaskStartProgress::Avoided {
                provider: &provider,
                left,
                next: &self.places.now(),
            });
        }
        loop {
            let facts = self.facts(&request);
            let tried = self.places.now();
            let mut next = NextPlace::Same;
            let (why, is_over) = match self.send(&mut request, met_before.take()).await? {
                Ok(RunTaskOutcome::Task(task)) => {
                    request.settled = true;
                    request.task = Some(task.task.clone());
                    self.record_writer.record(&request).await?;
                    emit(JobEvent::TaskAccepted {
                        task: task.task.clone(),
                        launch: request.token.clone(),
                    });
                    tell_answer(&request, Ok(&task.task));
                    task.tell();
                    return Ok((request, *task));
                }
                Ok(RunTaskOutcome::Failure { reason, detail }) => {
                    let why = failure(&reason, &detail, &facts, self.ecs.masker());
                    tell_answer(&request, Err(&why));
                    (request, next) = self.next_launch(request, &why).await?;
                    in_doubt = false;
                    is_final(why)
                }
                Ok(RunTaskOutcome::Conflict(tasks)) => {
                    // The token was used for other parameters. Its tasks are not the one that is
                    // wanted, and there must never be two, so stop them before a new launch.
                    let stopped = self.stop_conflicting(&mut request, &tasks).await?;
                    if !stopped {
                        let why = facts.why(FailureCause::FormerTaskStays);
                        let words = "ECS refused to start a second task under the same token.";
                        return Err(why.because(words).into());
                    }
                    let why = facts.why(FailureCause::LaunchChanged).because(format!(
                        "This launch's token already names {} other tasks; they are being stopped.",
                        tasks.len()
                    ));
                    (request, next) = self.next_launch(request, &why).await?;
                    in_doubt = false;
                    is_final(why)
                }
                Ok(RunTaskOutcome::Nothing) => {
                    in_doubt = true;
                    let words = "ECS answered with neither a task nor a failure.";
                    is_final(facts.why(FailureCause::AwsInternal).because(words))
                }
                Err(error) if is_refused_for_tags(&request, &error) => {
                    request = self.without_tags(request, in_doubt, &error).await?;
                    continue;
                }
                Err(error) => {
                    in_doubt |= error.leaves_doubt();
                    let why = exception(&error, &facts);
                    emit(JobEvent::RunTaskFailed {
                        cause: why.cause,
                        request_id: error.request_id().map(Into::into),
                        message: error.to_string(),
                    });
                    tell_answer(&request, Err(&why));
                    // This process may be killed while it waits for the next try. So the record holds no
                    // open launch then, unless an answer was lost and the launch is in doubt.
                    self.close_unless_in_doubt(request.clone(), in_doubt).await?;
                    let is_over = patience.is_over(&error, &why, begun);
                    met_before = (!is_over).then_some(error);
                    (why, is_over)
                }
            };
            tries += 1;
            if is_over {
                self.close_unless_in_doubt(request, in_doubt).await?;
                return Err(if tries > 1 { gave_up(why, tries, begun) } else { why }.into());
            }
            is_first_round &= next != NextPlace::RoundOver;
            let at_once = is_first_round && next == NextPlace::Untried;
            if at_once {
                report(TaskStartProgress::Moving {
                    why: &why,
                    tried: &tried,
                    next: &self.places.now(),
                });
            } else {
                let waited = begun.elapsed();
                report(TaskStartProgress::Refused { why: &why, tries, waited });
            }
            if let Err(too_late) = self.wait_or(why, tries, begun, at_once).await {
                self.close_unless_in_doubt(request, in_doubt).await?;
                return Err(too_late);
            }
        }
    }

    /// Writes a launch down and sends it, but only when it can be sent at all. If the deadline
    /// comes first, `before`, the error of the try before, says why.
    ///
    /// The inner result is what AWS said, which may be worth another try. The outer error is one of this
    /// host, such as a record that cannot be written. It ends the launch.
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
        if !self.record_writer.record_now().launches.contains(request) {
            self.record_writer.record(request).await?;
        }
        emit(JobEvent::TaskRequested { launch: request.token.clone() });
        tell_launch(request);
        Ok(self.ecs.run_task(request).await)
    }

    fn facts(&self, request: &LaunchRequest) -> CauseFacts {
        let mut facts = CauseFacts::of(request, self.ecs.region(), &self.ecs.endpoint());
        facts.set("subnets", self.spec.subnets.join(" "));
        facts.set("zones", self.spec.subnets.join(", "));
        facts
    }

    fn new_launch(&self) -> Result<LaunchRequest, LaunchError> {
        let token = random::token().map_err(StateError::host("drawing random bytes"))?;
        let request = self.spec.request(token, self.places.now(), self.clock.since_1970());
        let mut request = self.binding.bind(request);
        if self.untagged {
            request = request.untagged();
        }
        Ok(request)
    }

    /// What to do when the tags of a launch are refused. ECS checks rights before it starts
    /// anything, so this launch is over, and another one replaces it. But if an answer was lost
    /// before, the same token is used again, because only with it the task that may exist is found.
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
        let folder = self.record_writer.folder();
        folder.remember_refusal(TAG_RIGHT, self.ecs.region(), &self.spec.cluster);
        if in_doubt {
            // The next send writes this launch down. Until then, either of the two names the task.
            return Ok(request.untagged());
        }
        self.settle_as_nothing(request).await?;
        self.new_launch()
    }

    /// Closes a launch that started nothing, and makes a new one, in the next place if that may help.
    async fn next_launch(
        &mut self,
        request: LaunchRequest,
        why: &CauseReport,
    ) -> Result<(LaunchRequest, NextPlace), LaunchError> {
        let token = request.token.clone();
        self.settle_as_nothing(request).await?;
        let next = self.move_on(why, Some(&token)).await;
        Ok((self.new_launch()?, next))
    }

    /// Goes to the next place, if that may help. A capacity that failed is counted: for a Spot
    /// interruption, and for a refusal in the last of its subnets. One zone without capacity is no
    /// reason to leave the others.
    async fn move_on(&mut self, why: &CauseReport, launch: Option<&RandomToken>) -> NextPlace {
        let now = self.clock.since_1970();
        let (record_writer, ecs, limits) = (&*self.record_writer, self.ecs, self.limits);
        let tried = self.places.now();
        let has_failed = match why.cause {
            FailureCause::Spot => true,
            FailureCause::NoCapacity => self.places.is_last_subnet(),
            _ => false,
        };
        if let Some(launch) = launch.filter(|_| has_failed) {
            let breaker = breaker_of(record_writer, ecs, &tried.capacity, limits);
            breaker.failed(launch.as_str(), now).await;
        }
        let next = self.places.turn_from(why.cause, |capacity| {
            breaker_of(record_writer, ecs, capacity, limits).left(now).is_some()
        });
        if next != NextPlace::Same && self.places.now() != tried {
            emit(JobEvent::CapacityMoved {
                from: tried.to_string(),
                to: self.places.now().to_string(),
                cause: why.cause,
            });
        }
        next
    }

    /// Adds which capacities were tried, if there are several.
    fn of_all_places(&self, why: CauseReport) -> CauseReport {
        let names = self.places.capacity_names();
        if names.len() < 2 || why.cause != FailureCause::NoCapacity {
            return why;
        }
        why.because(format!("Tried in this order: {}.", names.join(", ")))
    }

    /// Closes a launch that started nothing. A launch in doubt stays open in the record, for whoever
    /// tries again or cleans up the job.
    async fn close_unless_in_doubt(
        &mut self,
        request: LaunchRequest,
        in_doubt: bool,
    ) -> Result<(), LaunchError> {
        if in_doubt { Ok(()) } else { self.settle_as_nothing(request).await }
    }

    async fn settle_as_nothing(&mut self, mut request: LaunchRequest) -> Result<(), LaunchError> {
        request.settled = true;
        Ok(self.record_writer.record(&request).await?)
    }

    /// Returns `false` if one of the tasks may still run. Then no other may be started.
    async fn stop_conflicting(
        &mut self,
        request: &mut LaunchRequest,
        tasks: &[fargate_model::id::TaskArn],
    ) -> Result<bool, LaunchError> {
        let mut stopped = true;
        for task in tasks {
            request.task = Some(task.clone());
            self.record_writer.record(request).await?;
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

    /// Waits for a random part of the pause. The other places are tried `at_once` before the first
    /// pause.
    async fn wait_or(
        &mut self,
        why: CauseReport,
        tries: usize,
        begun: Instant,
        at_once: bool,
    ) -> Result<(), LaunchError> {
        let pause = if at_once { Duration::ZERO } else { up_to(self.backoff.next_pause()) };
        let until = Instant::now() + pause;
        if until >= self.deadline {
            return Err(self.of_all_places(gave_up(why, tries, begun)).into());
        }
        sleep_until(until).await;
        Ok(())
    }
}

impl TaskSource for TaskLauncher<'_> {
    async fn claim(
        &mut self,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> Result<ClaimedTask, LaunchError> {
        let (launch, seen) = self.launch(report).await?;
        let (login, public_ip) = (self.binding.login.clone(), self.spec.public_ip);
        self.claimed = Some(launch.token.clone());
        let has_other_capacity = self.places.has_another();
        Ok(ClaimedTask { launch, seen, login, public_ip, has_other_capacity })
    }

    async fn turn_from(&mut self, why: &CauseReport) -> Option<LaunchPlace> {
        let (claimed, tried) = (self.claimed.take(), self.places.now());
        self.move_on(why, claimed.as_ref()).await;
        Some(self.places.now()).filter(|next| *next != tried)
    }
}

/// The breaker of this capacity, which all processes of this host share.
fn breaker_of(
    record_writer: &JobRecordWriter,
    ecs: &EcsClient,
    capacity: &TaskCapacity,
    limits: BreakerLimits,
) -> CapacityBreaker {
    record_writer.folder().capacity_breaker(ecs.region(), &capacity.name(), limits)
}

/// How long a launch is tried again, beyond what its cause says.
#[derive(Default)]
struct LaunchRetries {
    without_credentials: usize,
    expired_since: Option<Instant>,
}

impl LaunchRetries {
    /// Whether no further try follows `error`.
    fn is_over(&mut self, error: &CallError, why: &CauseReport, begun: Instant) -> bool {
        // The former credentials have expired, and somebody may be writing new ones right now.
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

/// Adds how often it was tried.
fn gave_up(why: CauseReport, tries: usize, begun: Instant) -> CauseReport {
    let waited = fargate_model::text::duration(begun.elapsed());
    let tried = fargate_model::text::tried(tries, &waited);
    why.because(format!("The driver {tried}, then gave up."))
}
