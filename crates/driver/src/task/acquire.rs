//! From a description to a task whose agent answers: launched, watched, dialled from the moment
//! that its address is known.
//!
//! A task that AWS failed for a passing reason is launched again, a bounded number of times (see
//! `relaunch`), and only once ECS said that the former one has stopped.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use fargate_aws::CallError;
use fargate_config::{JobLimits, JobTimeouts, PublicIp};
use fargate_events::{JobEvent, emit};
use fargate_model::backoff::{Backoff, jittered};
use fargate_model::cause::{CauseReport, FailureCause, RetryDecision};
use fargate_model::optional::or_never;
use fargate_model::task::{StopCode, TaskStatus};
use fargate_state::LaunchRequest;
use russh::keys::PublicKey;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::classify::{AGENT_SETTINGS, FailureContext, exception, stopped};
use super::client::EcsClient;
use super::event::TaskStartEvent;
use super::first_end::{EssentialFlags, unless_other};
use super::last_log_lines::add_last_lines;
use super::launch::{LaunchError, RENEWAL_SETTLES, TaskLauncher};
use super::observation::ObservedTask;
use super::relaunch::RelaunchPlan;
use crate::session::{DialError, HostKeyPolicy, LoginError, TaskLogin, TaskSession, dial};

/// How much slower each look at a task is than the one before.
const SLOWER: f64 = 1.4;
/// For one last look at what ECS knows, after the agent answered.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// Before a handshake that broke off is tried again.
const HANDSHAKE_AGAIN: Duration = Duration::from_millis(200);
/// For ECS's word on a container that ended; one that is known to the agent needs none.
const SETTLE: Duration = Duration::from_secs(10);
/// Handshakes that stall before the way is blamed.
const STALLS: u32 = 3;

/// A task whose agent answers and is proven.
pub struct AcquiredTask {
    /// What ECS knew last.
    pub seen: ObservedTask,
    /// Where the agent answers.
    pub address: SocketAddr,
    /// An open session with it.
    pub session: TaskSession,
    /// The host key that it showed.
    pub host_key: PublicKey,
    /// RunTask, from the first try to its acceptance.
    pub accepted_after: Duration,
    /// From the acceptance to the agent's answer.
    pub answered_after: Duration,
    /// The SSH login with the proof, its part of the above.
    pub login: Duration,
    /// Whether it has a public address, and is dialled there.
    pub public_ip: PublicIp,
}

/// What is needed beside the launcher.
pub struct AcquireOptions<'a> {
    /// Who logs in and whom it expects.
    pub login: &'a TaskLogin,
    /// Port of the agent.
    pub port: u16,
    /// Deadlines and polls.
    pub timeouts: &'a JobTimeouts,
    /// How often another task may follow.
    pub limits: &'a JobLimits,
}

/// Brings up one task.
///
/// # Errors
///
/// [`LaunchError`]. A task may then still run; the ledger knows it.
pub async fn acquire(
    launcher: &mut TaskLauncher<'_>,
    terms: &AcquireOptions<'_>,
    report: &mut dyn FnMut(TaskStartEvent<'_>),
) -> Result<AcquiredTask, LaunchError> {
    let mut plan = RelaunchPlan::new(terms.timeouts, terms.limits);
    loop {
        let asked = Instant::now();
        let (launch, mut task) = launcher.launch(report).await?;
        let public_ip = launcher.spec.public_ip;
        // Whoever dials the public address does not dial the private one while that is unknown.
        task.address = task.address.filter(|_| public_ip != PublicIp::Dialled);
        let accepted_after = asked.elapsed();
        report(TaskStartEvent::Accepted(&task));
        let place = FailureContext::of(&launch, launcher.ecs.region(), &launcher.ecs.endpoint());
        let mut watch =
            TaskStartWatcher::new(launcher.ecs, terms, &launch, place, task, launcher.deadline);
        watch.public_ip = public_ip;
        let failed = match watch.until_answered(accepted_after, report).await {
            Ok(acquired) => return Ok(acquired),
            Err(failed) => failed,
        };
        let why = match failed.ended {
            Some(ref seen) => of_its_containers(failed.why, launcher, &launch, seen).await,
            None => failed.why,
        };
        let another = failed.settled.then(|| plan.next(&why, launcher.deadline)).flatten();
        let Some(another) = another else {
            let Some(seen) = failed.ended else { return Err(why.into()) };
            let why = plan.given_up(why);
            let (ecs, folder) = (launcher.ecs, launcher.ledger.folder());
            let deadline = launcher.deadline;
            return Err(add_last_lines(why, ecs, folder, &launch, &seen, deadline).await.into());
        };
        launcher.turn_from(&why);
        emit(JobEvent::TaskRelaunched { cause: why.cause, n: another.n });
        report(TaskStartEvent::Relaunching {
            why: &why,
            n: another.n,
            of: another.of,
            after: another.after,
        });
        sleep(another.after).await;
    }
}

/// The cause, or that another container than the agent's ended the task.
async fn of_its_containers(
    why: CauseReport,
    launcher: &TaskLauncher<'_>,
    launch: &LaunchRequest,
    seen: &ObservedTask,
) -> CauseReport {
    if why.cause != FailureCause::AgentExited {
        return why;
    }
    let mut seen = seen.clone();
    let folder = launcher.ledger.folder();
    let flags = &mut EssentialFlags::unasked();
    let filled = flags.fill_in(&mut seen, launcher.ecs, folder, &launch.cluster);
    // What is not known in time counts as essential.
    let _ = timeout(LAST_LOOK, filled).await;
    let own = own_container(launch);
    if seen.ended_well_before_others(own) { why } else { unless_other(why, &seen, own, true) }
}

fn own_container(launch: &LaunchRequest) -> &str {
    launch.containers.first().map_or("", |container| container.name.as_str())
}

/// A task that did not come up. `settled`: ECS said that it has stopped, so another may be started;
/// `ended` is how it did.
struct AcquireFailure {
    why: CauseReport,
    settled: bool,
    ended: Option<Box<ObservedTask>>,
}

impl AcquireFailure {
    /// It may still run.
    fn open(why: CauseReport) -> Self {
        Self { why, settled: false, ended: None }
    }
}

/// One task between its acceptance and its agent's answer.
struct TaskStartWatcher<'a> {
    ecs: &'a EcsClient,
    terms: &'a AcquireOptions<'a>,
    launch: &'a LaunchRequest,
    public_ip: PublicIp,
    place: FailureContext,
    seen: ObservedTask,
    born: Instant,
    state_since: Instant,
    /// For want of credentials.
    refused_since: Option<Instant>,
    /// Since when ECS says that the agent's container has ended.
    lost_since: Option<Instant>,
    deadline: Instant,
    backoff: Backoff,
}

impl<'a> TaskStartWatcher<'a> {
    fn new(
        ecs: &'a EcsClient,
        terms: &'a AcquireOptions<'a>,
        launch: &'a LaunchRequest,
        mut place: FailureContext,
        seen: ObservedTask,
        deadline: Instant,
    ) -> Self {
        let now = Instant::now();
        place.set("task", seen.task.task_id().to_owned());
        place.set("port", terms.port.to_string());
        Self {
            ecs,
            terms,
            launch,
            public_ip: PublicIp::None,
            place,
            seen,
            born: now,
            state_since: now,
            refused_since: None,
            lost_since: None,
            deadline: deadline.min(now + terms.timeouts.task_start),
            backoff: Backoff::growing(
                terms.timeouts.ecs_poll_min,
                terms.timeouts.ecs_poll_max,
                SLOWER,
            ),
        }
    }

    async fn until_answered(
        mut self,
        accepted_after: Duration,
        report: &mut dyn FnMut(TaskStartEvent<'_>),
    ) -> Result<AcquiredTask, AcquireFailure> {
        let last_refusal = RefCell::new(None);
        let (terms, ecs, launch) = (self.terms, self.ecs, self.launch);
        let public_ip = self.public_ip;
        let task = self.seen.task.clone();
        let mut knocking = None;
        let mut looking = Box::pin(ecs.look(launch, &task, public_ip, None));
        // Where nothing can be done before RUNNING, what RunTask just said is new enough.
        let mut look_at =
            (!self.may_dial()).then(|| Instant::now() + jittered(self.backoff.pause()));
        loop {
            if knocking.is_none()
                && self.may_dial()
                && let Some(ip) = self.seen.address
            {
                let address = SocketAddr::new(ip, terms.port);
                self.place.set("ip", ip.to_string());
                let place = self.place.clone();
                knocking = Some(Box::pin(knock(address, terms, place, &last_refusal)));
            }
            tokio::select! {
                answered = or_never(knocking.as_mut()) => {
                    let (address, session, host_key, login) =
                        answered.map_err(|why| AcquireFailure::open(*why))?;
                    let answered_after = self.born.elapsed();
                    emit(JobEvent::AgentAnswered { task: task.clone(), peer: session.peer().to_owned() });
                    self.look_once_more().await;
                    // A task whose end ECS has told is of no use, though its agent answers.
                    if self.seen.is_decided(own_container(launch)) {
                        let settled = self.has_stopped();
                        let why = self.why_ended();
                        return Err(AcquireFailure { why, settled, ended: Some(Box::new(self.seen)) });
                    }
                    let seen = self.seen;
                    return Ok(AcquiredTask {
                        seen, address, session, host_key, accepted_after, answered_after, login, public_ip,
                    });
                }
                looked = &mut looking, if look_at.is_none() => {
                    self.take_in(looked, &last_refusal, report)?;
                    look_at = Some(Instant::now() + jittered(self.backoff.pause()));
                    self.backoff.grow();
                }
                () = sleep_until(look_at.unwrap_or(self.deadline)), if look_at.is_some() => {
                    looking.set(ecs.look(launch, &task, public_ip, self.seen.address));
                    look_at = None;
                }
                () = sleep_until(self.deadline) => {
                    self.look_ahead(&last_refusal, report).await?;
                    return Err(AcquireFailure::open(self.too_late(last_refusal.borrow().as_ref())));
                }
            }
        }
    }

    /// True if credentials that have ended were not renewed for so long that nobody renews them.
    fn is_refused_too_long(&mut self, error: &CallError) -> bool {
        if !error.is_expired() && !error.is_without_credentials() {
            self.refused_since = None;
            return false;
        }
        self.refused_since.get_or_insert_with(Instant::now).elapsed() > RENEWAL_SETTLES
    }

    /// A key that is taken at first use is taken from nobody but a task that ECS calls RUNNING.
    fn may_dial(&self) -> bool {
        match self.terms.login.host {
            HostKeyPolicy::Agent(_) | HostKeyPolicy::Pinned(_) => true,
            HostKeyPolicy::FirstUse => self.seen.status == TaskStatus::Running,
        }
    }

    /// What a look brought: news, nothing yet, or the end.
    fn take_in(
        &mut self,
        looked: Result<Option<ObservedTask>, CallError>,
        last_refusal: &RefCell<Option<FirstConnectError>>,
        report: &mut dyn FnMut(TaskStartEvent<'_>),
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
            }
            Ok(None) if self.born.elapsed() > self.terms.timeouts.task_visibility => {
                return open(self.place.why(FailureCause::Expired));
            }
            Ok(None) => {}
            Err(error) if error.is_transient() && !self.is_refused_too_long(&error) => {
                emit(JobEvent::DescribeFailed {
                    request_id: error.request_id().map(Into::into),
                    message: error.to_string(),
                });
                self.backoff.grow();
            }
            Err(error) => return open(exception(&error, &self.place)),
        }
        let settled = self.has_stopped();
        if settled || self.is_decided() {
            let why = self.why_ended();
            // Another task may be started only once ECS says that this one has stopped.
            if settled || why.entry().next == RetryDecision::Final {
                let ended = Some(Box::new(self.seen.clone()));
                return Err(AcquireFailure { why, settled, ended });
            }
        }
        let in_state = self.state_since.elapsed();
        if self.seen.status == TaskStatus::Running && in_state > self.terms.timeouts.agent_start {
            return open(self.too_late(last_refusal.borrow().as_ref()));
        }
        report(TaskStartEvent::Waiting { seen: &self.seen, age: self.born.elapsed(), in_state });
        Ok(())
    }

    fn has_stopped(&self) -> bool {
        matches!(self.seen.status, TaskStatus::Stopped | TaskStatus::Deleted)
    }

    /// Why the task ends is known, whatever state ECS shows; an exit code without any other word is
    /// given time for one.
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
        let mut why = stopped(&self.seen, own, &self.place);
        let exited = match self.seen.stop_code {
            Some(StopCode::EssentialContainerExited) => why.cause == FailureCause::EnvironmentEnded,
            Some(_) => false,
            None => {
                self.seen.has_lost(own)
                    && matches!(why.cause, FailureCause::EnvironmentEnded | FailureCause::Unknown)
            }
        };
        if exited {
            // Nothing of the job has run yet, so it was not the job.
            why.cause = match self.seen.container(own).and_then(|own| own.exit_code) {
                Some(AGENT_SETTINGS) => FailureCause::AgentSettings,
                _ => FailureCause::AgentExited,
            };
        }
        why
    }

    /// ECS said something of the task's end, if not all.
    fn has_words(&self) -> bool {
        let reason = self.seen.containers.iter().find_map(|container| container.reason.as_ref());
        self.seen.stop_code.is_some()
            || self.seen.stopped_reason.is_some()
            || reason.is_some()
            || self.seen.has_lost(own_container(self.launch))
    }

    /// Before ECS is blamed it is asked once more, past all who wait for their turn.
    async fn look_ahead(
        &mut self,
        last_refusal: &RefCell<Option<FirstConnectError>>,
        report: &mut dyn FnMut(TaskStartEvent<'_>),
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
        let age = fargate_model::text::duration(self.born.elapsed());
        let mut place = self.place.clone();
        place.set("limit", fargate_model::text::duration(self.terms.timeouts.task_start));
        let own = self.launch.containers.first().and_then(|own| self.seen.container(&own.name));
        if let Some(image) = own.and_then(|own| own.image.clone()) {
            place.set("image", image);
        }
        let port = self.terms.port;
        let unreachable = self.public_ip == PublicIp::Dialled && self.seen.address.is_none();
        if self.seen.status == TaskStatus::Running && unreachable {
            let interface = self.seen.interface.clone().unwrap_or_default();
            return place
                .why(FailureCause::NoPublicAddress)
                .with("interface", interface)
                .because(format!("EC2 reported none for its network interface in {age}."));
        }
        if self.seen.status == TaskStatus::Running {
            let Some(ip) = self.seen.address else {
                return place.why(FailureCause::AddressMissing).because(format!(
                    "Its description named none in {age}, so nobody was dialled."
                ));
            };
            let address = SocketAddr::new(ip, port);
            return match last_refusal {
                Some(FirstConnectError::Login(error)) => login_failed(error, address, &place),
                Some(FirstConnectError::Dial(DialError::Refused)) => place
                    .why(FailureCause::AgentRefused)
                    .because(format!("{address} refused every dial in {age}.")),
                _ => place.why(FailureCause::AgentBlocked).because(format!(
                    "No answer from {address} in {age}: a firewall drops the dials."
                )),
            };
        }
        let in_state = fargate_model::text::duration(self.state_since.elapsed());
        let status = &self.seen.status;
        place
            .why(FailureCause::StartTimeout)
            .because(format!("Last state {status} for {in_state}; ECS gave no reason."))
    }

    /// For the facts that people read: the digest, and when the parts of the start happened.
    async fn look_once_more(&mut self) {
        if self.seen.timeline.started.is_some() {
            return;
        }
        let known = self.seen.address;
        let look = self.ecs.look(self.launch, &self.seen.task, self.public_ip, known);
        if let Ok(Ok(Some(seen))) = timeout(LAST_LOOK, look).await {
            let address = seen.address.or(self.seen.address);
            self.seen = ObservedTask { address, ..seen };
        }
    }
}

/// How the last knock at a task failed.
enum FirstConnectError {
    Dial(DialError),
    Login(LoginError),
}

/// Dials until an agent answers that is the right one.
async fn knock(
    address: SocketAddr,
    terms: &AcquireOptions<'_>,
    place: FailureContext,
    last_refusal: &RefCell<Option<FirstConnectError>>,
) -> Result<(SocketAddr, TaskSession, PublicKey, Duration), Box<CauseReport>> {
    let mut stalls = 0;
    loop {
        let refused = |error| drop(last_refusal.replace(Some(FirstConnectError::Dial(error))));
        let stream = dial(address, terms.timeouts, refused).await;
        let connected = Instant::now();
        let error = match TaskSession::open(stream, terms.login, terms.timeouts).await {
            Ok((session, key)) => return Ok((address, session, key, connected.elapsed())),
            Err(error) => error,
        };
        emit(JobEvent::LoginFailed { address, message: error.to_string() });
        stalls += u32::from(matches!(error, LoginError::Stalled { .. }));
        if !matches!(error, LoginError::Broken { .. } | LoginError::Stalled { .. })
            || stalls >= STALLS
        {
            return Err(Box::new(login_failed(&error, address, &place)));
        }
        last_refusal.replace(Some(FirstConnectError::Login(error)));
        sleep(HANDSHAKE_AGAIN).await;
    }
}

/// Why a stock server refuses a key; it tells nobody which of these it is.
const USUAL_REFUSALS: &str = "The usual reasons: the image lets another user in; its entry script \
did not write SSH_PUBLIC_KEY into that user's authorized_keys; the account is locked (`!` in \
/etc/shadow, with `UsePAM no`); the server's PubkeyAcceptedAlgorithms lack our key's kind.";

/// The catalogue's words for a login that failed.
pub(crate) fn login_failed(
    error: &LoginError,
    address: SocketAddr,
    place: &FailureContext,
) -> CauseReport {
    let cause = match error {
        LoginError::Broken { .. } => FailureCause::ConnectionLost,
        LoginError::Stalled { .. } => FailureCause::Handshake,
        LoginError::WrongHost { .. } => FailureCause::WrongHost,
        LoginError::Denied { .. } => FailureCause::LoginRefused,
        LoginError::KeyRefused { .. } => FailureCause::KeyRefused,
        LoginError::KeyKindRefused { .. } => FailureCause::KeyKindRefused,
        LoginError::NotOurAgent { .. } => FailureCause::AgentVersion,
        LoginError::NoShell { .. } => FailureCause::LoginShell,
        LoginError::NoSuchShell { .. } => FailureCause::ShellMissing,
    };
    let mut place = place.clone();
    if let LoginError::NoSuchShell { shell } = error {
        place.set("program", shell.clone());
    }
    place.set("ip", address.ip().to_string());
    let why = place.why(cause).because(format!("At {address}: {error}."));
    match error {
        LoginError::WrongHost { .. } => {
            why.because("Nothing was sent: 0 bytes of the script.".to_owned())
        }
        LoginError::KeyRefused { .. } => why.because(USUAL_REFUSALS.to_owned()),
        _ => why,
    }
}
