//! The job of one test, over the driver's own sessions: a login as `prepare` has it, and one connection for
//! each script as `run` has it.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use fargate_config::{JobTimeouts, Shell};
use fargate_driver::session::{
    self, CancelHandle, CancelRequest, CancelSignals, ConsoleWriter, HostKeyPolicy, LoginError,
    OpenedSession, ScriptOutcome, ScriptSignal, StockTaskSettings, TaskCommand, TaskConnector,
    TaskLogin, TaskSession, TaskWatch,
};
use fargate_fail_point::FailPoint;
use fargate_model::random;
use fargate_protocol::TaskLease;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::captured_output::CapturedOutput;
use super::job_keys::JobKeys;
use super::phase_problem::PhaseProblem;
use super::test_request::SmokeTestRequest;

/// How long the task may live, and how long without us. The test is over long before.
const LIFETIME: Duration = Duration::from_secs(1800);
/// Before a login that broke off is tried again.
const AGAIN: Duration = Duration::from_millis(200);
/// Nobody cancels a script of the test by itself: the whole container goes.
const STOP: CancelRequest = CancelRequest {
    signal: ScriptSignal::Term,
    grace: Duration::ZERO,
    leave_after: Duration::ZERO,
};

/// A container that let us in.
pub(super) struct SmokeJob {
    connector: TaskConnector,
    peer: String,
    shell: String,
}

/// How a script ended.
pub(super) struct EndedScript {
    /// Its exit status, as a shell reports it.
    pub status: u8,
    /// What it wrote to standard output.
    pub output: Vec<u8>,
    /// How many bytes these were; more than there are in `output` if it was far too much.
    pub output_bytes: u64,
    /// What it wrote to standard error.
    pub errors: Vec<u8>,
}

impl SmokeJob {
    /// Logs in through `stream`, proves the host, gives the peer its terms, and leaves.
    pub(super) async fn login(
        address: SocketAddr,
        stream: TcpStream,
        keys: &JobKeys,
        request: &SmokeTestRequest<'_>,
    ) -> Result<Self, PhaseProblem> {
        let timeouts = &request.expects.timeouts;
        let shell = match request.expects.shell {
            Shell::Bash => "bash",
            Shell::Sh | Shell::Runner => "sh",
        };
        let (session, host) = open(address, stream, &keys.login, timeouts).await?;
        give_terms(&session, shell, timeouts).await.map_err(|error| refused(&error))?;
        let peer = session.peer().to_owned();
        session.close().await;
        let login = TaskLogin { host, ..keys.login.clone() };
        let connector = TaskConnector { address, login, timeouts: timeouts.clone() };
        Ok(Self { connector, peer, shell: shell.to_owned() })
    }

    /// Who answers.
    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Runs one script.
    pub(super) async fn script(&self, script: &str) -> Result<EndedScript, PhaseProblem> {
        let of_this_host = |error: std::io::Error| {
            PhaseProblem::Other(crate::ImageFailure::Unusable {
                what: format!("running a script of the smoke test: {error}"),
                hint: "look at this host's limits of threads and memory".to_owned(),
            })
        };
        let session = self.connector.open(|_| ()).await.map_err(|error| refused(&error))?;
        let (output, errors) = (CapturedOutput::default(), CapturedOutput::default());
        let masker = self.connector.login.masker.clone();
        let console = ConsoleWriter::into_sinks(output.clone(), errors.clone(), masker);
        let mut console = console.map_err(of_this_host)?;
        let run_id = random::token().map_err(of_this_host)?;
        let command =
            TaskCommand::Script { shell: self.shell.clone(), bytes: script.as_bytes().to_vec() };
        let mut stops = CancelSignals::new(&CancelHandle::never(), STOP);
        // That the container ends is seen by whoever waits for this.
        let watch = TaskWatch {
            over: async || pending::<String>().await,
            notice: async || pending::<Option<String>>().await,
        };
        let outcome = session::run(
            session,
            &self.connector,
            run_id,
            &command,
            &mut console,
            &mut stops,
            watch,
        )
        .await;
        console.drained().await;
        let ScriptOutcome::Ended { ending, .. } = outcome else {
            return Err(not_run(&outcome));
        };
        FailPoint::TestScriptEnded.reached();
        let (output, output_bytes) = output.take();
        Ok(EndedScript { status: ending.status(), output, output_bytes, errors: errors.take().0 })
    }
}

/// A session, and the host key that later ones must see. A server that breaks off is still starting.
async fn open(
    address: SocketAddr,
    stream: TcpStream,
    login: &TaskLogin,
    timeouts: &JobTimeouts,
) -> Result<(TaskSession, HostKeyPolicy), PhaseProblem> {
    let mut stream = Some(stream);
    loop {
        let through = match stream.take() {
            Some(stream) => stream,
            None => session::dial(address, timeouts, |_| ()).await,
        };
        match TaskSession::open(through, login, timeouts).await {
            Ok(OpenedSession { session: session @ TaskSession::Agent(_), host_key, .. }) => {
                return Ok((session, HostKeyPolicy::Agent(host_key)));
            }
            Ok(OpenedSession { session, host_key, .. }) => {
                return Ok((session, HostKeyPolicy::Pinned(host_key)));
            }
            Err(LoginError::Broken { .. }) => sleep(AGAIN).await,
            Err(error) => return Err(refused(&error)),
        }
    }
}

/// The terms that `prepare` gives.
async fn give_terms(
    session: &TaskSession,
    shell: &str,
    timeouts: &JobTimeouts,
) -> Result<(), LoginError> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match session {
        TaskSession::Agent(agent) => {
            agent
                .lease(TaskLease {
                    idle_ms: ms(LIFETIME),
                    deadline_ms: ms(LIFETIME),
                    client_gone_ms: ms(timeouts.client_gone),
                    next_stage_grace_ms: Some(ms(timeouts.next_stage_grace)),
                    hosts: Vec::new(),
                })
                .await
        }
        TaskSession::Stock(stock) => {
            let terms =
                StockTaskSettings { lifetime: LIFETIME, idle: LIFETIME, shell: shell.to_owned() };
            stock.ready(&terms, timeouts.session_open).await.map(drop)
        }
    }
}

/// Why the server did not let us in, and what to do about it.
fn refused(error: &LoginError) -> PhaseProblem {
    let hint = match error {
        LoginError::KeyRefused { .. } | LoginError::Denied { .. } => {
            "the usual reasons: another user than `ssh.user`; an entry point that did not write SSH_PUBLIC_KEY \
             into that user's authorized_keys; wrong owner or mode of that file; a locked account; \
             PubkeyAcceptedAlgorithms without our key's kind"
        }
        LoginError::KeyKindRefused { .. } => "set `ssh.client_key = \"rsa\"` in the profile",
        LoginError::WrongHost { .. } | LoginError::Unproven { .. } => {
            "the agent must be what answers, with its key from FARGATE_RUNNER_HOST_KEY_SEED; for a stock sshd set \
             `host_key = \"first_use\"` in the profile"
        }
        LoginError::NotOurAgent { .. } => {
            "put the agent of this version into the image; for a stock sshd set `host_key = \"first_use\"` in the \
             profile"
        }
        LoginError::NoShell { .. } => "give the user a login shell that runs commands",
        LoginError::NoSuchShell { .. } => {
            "put that shell into the image, or set `shell` of the profile"
        }
        LoginError::Broken { .. } | LoginError::Stalled { .. } => {
            "look at the end of the container's log: the server broke off or hangs"
        }
    };
    PhaseProblem::image(format!("the login was refused: {error}"), hint)
}

/// Why there is no exit status.
fn not_run(outcome: &ScriptOutcome) -> PhaseProblem {
    let how = match outcome {
        ScriptOutcome::Lost { how, .. }
        | ScriptOutcome::Unreached { how }
        | ScriptOutcome::Shut { how, .. } => how.clone(),
        ScriptOutcome::NoShell { how } => format!("the login shell did not run it: {how}"),
        ScriptOutcome::Refused(refusal) => format!("the agent refused it: {refusal}"),
        ScriptOutcome::OutputClosed(failure) => failure.to_string(),
        ScriptOutcome::Superseded { .. } => "another script took its place".to_owned(),
        ScriptOutcome::Left | ScriptOutcome::Ended { .. } => "it was left".to_owned(),
    };
    let hint = match outcome {
        ScriptOutcome::Refused(_) | ScriptOutcome::NoShell { .. } => {
            "put the shell into the image, or set `shell` of the profile to one that it has"
        }
        _ => "look at the end of the container's log, and log in by hand",
    };
    PhaseProblem::image(format!("the script has no exit status: {how}"), hint)
}
