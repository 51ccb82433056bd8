//! Brings up a task until its agent answers: claims it from its source, watches it, and dials as soon as
//! its address is known.
//!
//! If AWS fails a task for a passing reason, another one is claimed, a limited number of times
//! (see `relaunch`), and only after ECS said that the former one has stopped. It stops no task
//! itself.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use fargate_aws::CallError;
use fargate_config::{JobLimits, JobTimeouts, PublicIp, TaskSecret};
use fargate_events::{JobEvent, JobFact, TaskFact, emit, emit_fact};
use fargate_model::backoff::{RetryBackoff, jittered};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::moment::unix_ms;
use fargate_model::optional::or_never;
use fargate_model::task::{StopCode, TaskStatus};
use fargate_state::{LaunchRequest, StateFolder};
use russh::keys::PublicKey;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::classify::{CauseFacts, REGISTRY_SECRET, exception, stopped};
use super::client::EcsClient;
use super::event::TaskStartProgress;
use super::exit_codes::AGENT_SETTINGS;
use super::first_connect::{FirstConnectError, FirstConnection, connect_first, login_failed};
use super::first_end::{EssentialFlags, unless_other};
use super::last_log_lines::add_last_lines;
use super::launch::RENEWAL_SETTLES;
use super::launch_error::LaunchError;
use super::observation::ObservedTask;
use super::relaunch::{RelaunchPlan, is_final};
use super::source::{ClaimedTask, TaskSource};
use super::task_sight::TaskObserver;
use crate::session::{DialError, HostKeyPolicy, OpenedSession, TaskLogin, TaskSession};

/// How much the pause grows from one look at a task to the next.
const SLOWER: f64 = 1.4;
/// Time for a last look at what ECS knows, after the agent has answered.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// How long to wait for ECS to say why a container ended. If its exit code is one of the agent's,
/// there is no need to wait.
const SETTLE: Duration = Duration::from_secs(10);

/// A task whose agent answers and has proven its host key.
pub struct AcquiredTask {
    /// What ECS said last.
    pub seen: ObservedTask,
    /// The address at which the agent answers.
    pub address: SocketAddr,
    /// An open session with it.
    pub session: TaskSession,
    /// The host key that it showed.
    pub host_key: PublicKey,
    /// Time from the first RunTask until ECS accepted one.
    pub accepted_after: Duration,
    /// Time from then until the agent answered.
    pub answered_after: Duration,
    /// The part of that time that the SSH login and the proof took.
    pub login: Duration,
    /// Whether the task has a public address, and is dialled there.
    pub public_ip: PublicIp,
}

/// What is needed in addition to the source.
#[derive(Clone, Copy)]
pub struct AcquireOptions<'a> {
    /// The client.
    pub ecs: &'a EcsClient,
    /// Keeps what all processes of this host know of their account.
    pub folder: &'a StateFolder,
    /// When to give up.
    pub deadline: Instant,
    /// The agent's port.
    pub port: u16,
    /// Deadlines and intervals.
    pub timeouts: &'a JobTimeouts,
    /// How often another task may follow.
    pub limits: &'a JobLimits,
    /// The secrets that the profile gives to the task.
    pub secrets: &'a [TaskSecret],
    /// The secret with the login that the task's image is pulled with, as the profile names it.
    pub registry_secret: Option<&'a str>,
}

/// Brings up one task.
///
/// # Errors
///
/// Returns [`LaunchError`] if no task came up. A task may then still run, and the record names it.
pub async fn acquire(
    source: &mut impl TaskSource,
    terms: &AcquireOptions<'_>,
    report: &mut dyn FnMut(TaskStartProgress<'_>),
) -> Result<AcquiredTask, LaunchError> {
    let mut plan = RelaunchPlan::new(terms.timeouts, terms.limits);
    loop {
        let asked = Instant::now();
        let mut claimed = source.claim(report).await?;
        // If the public address is dialled, the private one must not be used while the public one
        // is unknown.
        claimed.seen.address =
            claimed.seen.address.filter(|_| claimed.public_ip != PublicIp::Dialled);
        let accepted_after = asked.elapsed();
        report(TaskStartProgress::Accepted(&claimed.seen));
        let watch = TaskStartWatcher::new(terms, &claimed);
        let failed = match watch.until_answered(accepted_after, report).await {
            Ok(acquired) => return Ok(acquired),
            Err(failed) => failed,
        };
        let launch = &claimed.launch;
        let why = match failed.ended {
            Some(ref seen) => of_its_containers(failed.why, terms, launch, seen).await,
            None => failed.why,
        };
        let next = source.turn_from(&why).await;
        let elsewhere = next.is_some();
        let another = failed.settled.then(|| plan.next(&why, elsewhere, terms.deadline)).flatten();
        let Some(another) = another else {
            let Some(seen) = failed.ended else { return Err(why.into()) };
            let why = plan.given_up(why);
            let lines = add_last_lines(why, terms.ecs, terms.folder, launch, &seen, terms.deadline);
            return Err(lines.await.into());
        };
        emit(JobEvent::TaskRelaunched { cause: why.cause, n: another.n });
        report(TaskStartProgress::Relaunching {
            why: &why,
            n: another.n,
            of: another.of,
            after: another.after,
            next: next.as_ref(),
        });
        sleep(another.after).await;
    }
}

/// Returns the cause, or that another container than the agent's ended the task.
async fn of_its_containers(
    why: CauseReport,
    terms: &AcquireOptions<'_>,
    launch: &LaunchRequest,
    seen: &ObservedTask,
) -> CauseReport {
    if why.cause != FailureCause::AgentExited {
        return why;
    }
    let mut seen = seen.clone();
    let flags = &mut EssentialFlags::unasked();
    let filled = flags.fill_in(&mut seen, terms.ecs, terms.folder, &launch.cluster);
    // A container of which this is not known in time counts as essential.
    let _ = timeout(LAST_LOOK, filled).await;
    let own = own_container(launch);
    if seen.ended_well_before_others(own) {
        why
    } else {
        unless_other(why, &seen, own, true, terms.ecs.masker())
    }
}

fn own_container(launch: &LaunchRequest) -> &str {
    launch.containers.first().map_or("", |container| container.name.as_str())
}

/// A task that did not come up. `settled`: ECS said that it has stopped, so another may be started.
/// `ended`: how it stopped.
struct AcquireFailure {
    why: CauseReport,
    settled: bool,
    ended: Option<Box<ObservedTask>>,
}

impl AcquireFailure {
    /// The task may still run.
    fn open(why: CauseReport) -> Self {
        Self { why, settled: false, ended: None }
    }
}

/// One task, from its acceptance until its agent answers.
struct TaskStartWatcher<'a> {
    ecs: &'a EcsClient,
    terms: &'a AcquireOptions<'a>,
    launch: &'a LaunchRequest,
    login: &'a TaskLogin,
    public_ip: PublicIp,
    has_other_capacity: bool,
    facts: CauseFacts,
    seen: ObservedTask,
    accepted_at: Instant,
    state_since: Instant,
    /// Since when calls are refused for lack of credentials.
    refused_since: Option<Instant>,
    /// Since when ECS says that the agent's container has ended.
    lost_since: Option<Instant>,
    /// When this host learned where to dial.
    address_known: Option<SystemTime>,
    /// What the history was told last.
    told: TaskFact,
    deadline: Instant,
    backoff: RetryBackoff,
}

impl<'a> TaskStartWatcher<'a> {
    fn new(terms: &'a AcquireOptions<'a>, claimed: &'a ClaimedTask) -> Self {
        let now = Instant::now();
        let (ecs, launch, seen) = (terms.ecs, &claimed.launch, claimed.seen.clone());
        let mut facts = CauseFacts::of(launch, ecs.region(), &ecs.endpoint());
        facts.set("task", seen.task.task_id().to_owned());
        facts.set("port", terms.port.to_string());
        facts.know_secrets(terms.secrets);
        if let Some(secret) = terms.registry_secret {
            facts.set(REGISTRY_SECRET, secret.to_owned());
        }
        Self {
            ecs,
            terms,
            launch,
            login: &claimed.login,
            public_ip: claimed.public_ip,
            has_other_capacity: claimed.has_other_capacity,
            facts,
            seen,
            accepted_at: now,
            state_since: now,
            refused_since: None,
            lost_since: None,
            address_known: claimed.seen.address.map(|_| SystemTime::now()),
            told: claimed.seen.fact(),
            deadline: terms.deadline.min(now + terms.timeouts.task_start),
            backoff: RetryBackoff::growing(
                terms.timeouts.ecs_poll_min,
                terms.timeouts.ecs_poll_max,
                SLOWER,
            ),
        }
    }

    async fn until_answered(
        mut self,
        accepted_after: Duration,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> Result<AcquiredTask, AcquireFailure> {
        let last_refusal = RefCell::new(None);
        let (terms, ecs, launch, login) = (self.terms, self.ecs, self.launch, self.login);
        let public_ip = self.public_ip;
        let task = self.seen.task.clone();
        let login = login.for_task(&task);
        // Two things go on at the same time: looks at ECS, and tries to connect. Each is kept
        // across the loop, because a wait for one must not start the other again.
        let mut connecting = None;
        let is_first_use = matches!(login.host, HostKeyPolicy::FirstUse);
        let observer = TaskObserver::new(
            (ecs, terms.folder),
            launch,
            (public_ip, is_first_use),
            self.seen.clone(),
        );
        // If nothing can be done before RUNNING, the answer of RunTask is new enough.
        let first = if self.may_dial() { Duration::ZERO } else { jittered(self.backoff.pause()) };
        let mut looking = Box::pin(observer.look_after(first, None));
        loop {
            if connecting.is_none()
                && self.may_dial()
                && let Some(ip) = self.seen.address
            {
                let address = SocketAddr::new(ip, terms.port);
                self.facts.set("ip", ip.to_string());
                let facts = self.facts.clone();
                connecting = Some(Box::pin(connect_first(
                    address,
                    &login,
                    terms.timeouts,
                    facts,
                    &last_refusal,
                )));
            }
            tokio::select! {
                answered = or_never(connecting.as_mut()) => {
                    let first = answered.map_err(|why| AcquireFailure::open(*why))?;
                    let answered_after = self.accepted_at.elapsed();
                    self.tell_reached(&first);
                    let FirstConnection { address, opened, login: login_took, .. } = first;
                    let OpenedSession { session, host_key, .. } = opened;
                    emit(JobEvent::AgentAnswered { task: task.clone(), peer: session.peer().to_owned() });
                    self.look_once_more().await;
                    // If ECS has already said that the task ends, it is of no use, although its
                    // agent answers.
                    if self.seen.is_decided(own_container(launch)) {
                        let settled = self.has_stopped();
                        let why = self.why_ended();
                        return Err(AcquireFailure { why, settled, ended: Some(Box::new(self.seen)) });
                    }
                    let seen = self.seen;
                    return Ok(AcquiredTask {
                        seen, address, session, host_key, accepted_after, answered_after,
                        login: login_took, public_ip,
                    });
                }
                looked = &mut looking => {
                    self.take_in(looked, &last_refusal, report)?;
                    let pause = jittered(self.backoff.pause());
                    looking.set(observer.look_after(pause, self.seen.address));
                    self.backoff.grow();
                }
                // The deadline covers a look that hangs as well, so it stands beside it.
                () = sleep_until(self.deadline) => {
                    self.look_ahead(&last_refusal, report).await?;
                    return Err(AcquireFailure::open(self.too_late(last_refusal.borrow().as_ref())));
                }
            }
        }
    }

    /// Whether expired credentials were not renewed for so long that nobody will renew them.
    fn is_refused_too_long(&mut self, error: &CallError) -> bool {
        if !error.is_expired() && !error.is_without_credentials() {
            self.refused_since = None;
            return false;
        }
        self.refused_since.get_or_insert_with(Instant::now).elapsed() > RENEWAL_SETTLES
    }

    /// Whether the task may be dialled. A key that is accepted at first use is accepted only from a
    /// task that ECS calls RUNNING.
    fn may_dial(&self) -> bool {
        match self.login.host {
            HostKeyPolicy::Agent(_) | HostKeyPolicy::Pinned(_) | HostKeyPolicy::TaskRole(_) => true,
            HostKeyPolicy::FirstUse => self.seen.status == TaskStatus::Running,
        }
    }

    /// What a look at the task brought: news, nothing, or its end.
    fn take_in(
        &mut self,
        looked: Result<Option<ObservedTask>, CallError>,
        last_refusal: &RefCell<Option<FirstConnectError>>,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> Result<(), AcquireFailure> {
        let open = |why| Err(AcquireFailure::open(why));
        match looked {
            Ok(Some(seen)) => {
                self.refused_since = None;
                if seen.status != self.seen.status {
                    self.state_since = Instant::now();
                    emit(JobEvent::TaskStatusChanged {
                        task: seen.task.clone(),
                        status: seen.status.clone(),
                    });
                }
                let address = seen.address.or(self.seen.address);
                self.seen = ObservedTask { address, ..seen };
                self.tell_news();
            }
            Ok(None) if self.accepted_at.elapsed() > self.terms.timeouts.task_visibility => {
                return open(self.facts.why(FailureCause::Expired));
            }
            Ok(None) => {}
            Err(error) if error.is_transient() && !self.is_refused_too_long(&error) => {
                emit(JobEvent::DescribeFailed {
                    request_id: error.request_id().map(Into::into),
                    message: error.to_string(),
                });
                self.backoff.grow();
            }
            Err(error) => return open(exception(&error, &self.facts)),
        }
        let settled = self.has_stopped();
        if settled || self.is_decided() {
            let why = self.why_ended();
            // Another task may start only after ECS said that this one has stopped.
            if settled || is_final(&why, self.has_other_capacity) {
                let ended = Some(Box::new(self.seen.clone()));
                return Err(AcquireFailure { why, settled, ended });
            }
        }
        let in_state = self.state_since.elapsed();
        if self.seen.status == TaskStatus::Running && in_state > self.terms.timeouts.agent_start {
            return open(self.too_late(last_refusal.borrow().as_ref()));
        }
        report(TaskStartProgress::Waiting {
            seen: &self.seen,
            age: self.accepted_at.elapsed(),
            in_state,
        });
        Ok(())
    }

    fn has_stopped(&self) -> bool {
        matches!(self.seen.status, TaskStatus::Stopped | TaskStatus::Deleted)
    }

    /// Whether it is known why the task ends, whatever state ECS shows. If there is only an exit
    /// code, ECS gets time to add a reason.
    fn is_decided(&mut self) -> bool {
        let own = own_container(self.launch);
        if self.seen.is_decided(own) {
            return true;
        }
        if !self.seen.has_lost(own) {
            self.lost_since = None;
            return false;
        }
        let since = *self.lost_since.get_or_insert_with(Instant::now);
        since.elapsed() >= SETTLE.min(self.terms.timeouts.task_start / 4)
    }

    fn why_ended(&self) -> CauseReport {
        let own = own_container(self.launch);
        let mut why = stopped(&self.seen, own, &self.facts, self.ecs.masker());
        let exited = match self.seen.stop_code {
            Some(StopCode::EssentialContainerExited) => why.cause == FailureCause::EnvironmentEnded,
            Some(_) => false,
            None => {
                self.seen.has_lost(own)
                    && matches!(why.cause, FailureCause::EnvironmentEnded | FailureCause::Unknown)
            }
        };
        if exited {
            // Nothing of the job has run yet, so the job is not to blame.
            why.cause = match self.seen.container(own).and_then(|own| own.exit_code) {
                Some(AGENT_SETTINGS) => FailureCause::AgentSettings,
                _ => FailureCause::AgentExited,
            };
        }
        why
    }

    /// Whether ECS has said something about the task's end.
    fn has_words(&self) -> bool {
        let reason = self.seen.containers.iter().find_map(|container| container.reason.as_ref());
        self.seen.stop_code.is_some()
            || self.seen.stopped_reason.is_some()
            || reason.is_some()
            || self.seen.has_lost(own_container(self.launch))
    }

    /// Asks ECS once more before it is blamed, ahead of all who wait for their turn.
    async fn look_ahead(
        &mut self,
        last_refusal: &RefCell<Option<FirstConnectError>>,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> Result<(), AcquireFailure> {
        let look = self.ecs.describe(&self.launch.cluster, &self.seen.task);
        match timeout(LAST_LOOK, look).await {
            Ok(looked @ Ok(Some(_))) => self.take_in(looked, last_refusal, report),
            Ok(Ok(None) | Err(_)) | Err(_) => Ok(()),
        }
    }

    /// Why nobody answered in time.
    fn too_late(&self, last_refusal: Option<&FirstConnectError>) -> CauseReport {
        if self.has_words() {
            return self.why_ended();
        }
        let age = fargate_model::text::duration(self.accepted_at.elapsed());
        let mut facts = self.facts.clone();
        facts.set("limit", fargate_model::text::duration(self.terms.timeouts.task_start));
        let own = self.launch.containers.first().and_then(|own| self.seen.container(&own.name));
        if let Some(image) = own.and_then(|own| own.image.clone()) {
            facts.set("image", image);
        }
        let port = self.terms.port;
        let unreachable = self.public_ip == PublicIp::Dialled && self.seen.address.is_none();
        if self.seen.status == TaskStatus::Running && unreachable {
            let interface = self.seen.interface.clone().unwrap_or_default();
            return facts
                .why(FailureCause::NoPublicAddress)
                .with("interface", interface)
                .because(format!("EC2 reported none for its network interface in {age}."));
        }
        if self.seen.status == TaskStatus::Running {
            let Some(ip) = self.seen.address else {
                return facts.why(FailureCause::AddressMissing).because(format!(
                    "Its description named none in {age}, so nobody was dialled."
                ));
            };
            let address = SocketAddr::new(ip, port);
            return match last_refusal {
                Some(FirstConnectError::Login(error)) => login_failed(error, address, &facts),
                Some(FirstConnectError::Dial(DialError::Refused)) => facts
                    .why(FailureCause::AgentRefused)
                    .because(format!("{address} refused every dial in {age}.")),
                _ => facts.why(FailureCause::AgentBlocked).because(format!(
                    "No answer from {address} in {age}. The usual reason is a security group or a \
                     firewall."
                )),
            };
        }
        let in_state = fargate_model::text::duration(self.state_since.elapsed());
        let status = &self.seen.status;
        facts
            .why(FailureCause::StartTimeout)
            .because(format!("Last state {status} for {in_state}; ECS gave no reason."))
    }

    /// Looks once more for facts that people read: the image digest, and when the parts of the
    /// start happened.
    async fn look_once_more(&mut self) {
        if self.seen.timeline.started.is_some() {
            return;
        }
        let known = self.seen.address;
        let look = self.ecs.look(self.launch, &self.seen.task, self.public_ip, known);
        if let Ok(Ok(Some(seen))) = timeout(LAST_LOOK, look).await {
            let address = seen.address.or(self.seen.address);
            self.seen = ObservedTask { address, ..seen };
            self.tell_news();
        }
    }

    /// Tells the history what ECS says, if it is new.
    fn tell_news(&mut self) {
        if self.seen.address.is_some() {
            self.address_known.get_or_insert_with(SystemTime::now);
        }
        let fact = self.seen.fact();
        if fact != self.told {
            self.told = fact;
            self.seen.tell();
        }
    }

    /// Tells the history when the agent answered and how it proved itself.
    fn tell_reached(&self, first: &FirstConnection) {
        let (proof, proven) = match self.login.host {
            HostKeyPolicy::TaskRole(_) => ("sts", first.proven),
            HostKeyPolicy::FirstUse => ("first_use", first.opened.logged_in),
            HostKeyPolicy::Agent(_) | HostKeyPolicy::Pinned(_) => ("seed", first.opened.logged_in),
        };
        emit_fact(JobFact::AgentReached {
            address_known_ms: self.address_known.map(unix_ms),
            login_ms: unix_ms(first.opened.logged_in),
            proven_ms: Some(unix_ms(proven)),
            proof: Some(proof.to_owned()),
        });
    }
}
