//! The server: listens, serves connections, and ends when it is told to or when the lease is over.
//!
//! Its exit code says why it ended. It runs no scripts itself.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fargate_protocol::{AgentNotice, ENDED_FROM_INSIDE};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use crate::accept::ConnectionAcceptor;
use crate::environment::ScriptEnvironment;
use crate::host_proof::TaskRoleProver;
use crate::lease::LeaseLimit;
use crate::settings::AgentSettings;
use crate::task::AgentTask;
use crate::task_end::{TaskEndOrigin, TaskEndReceiver};

/// Exit status if the settings cannot be used: `EX_CONFIG` of `sysexits.h`.
pub const BAD_SETTINGS: u8 = 78;
/// Exit status if it cannot listen: `EX_CANTCREAT` of `sysexits.h`. `EX_OSERR` is already a code of
/// [`LeaseLimit`].
const CANNOT_LISTEN: u8 = 73;
/// 128 + SIGTERM.
const TERMINATED: u8 = 143;
/// Time from SIGTERM of the task to SIGTERM of its script while a client listens. A script that
/// ends by itself within it gives its own verdict.
///
/// With the grace, it stays below the 30 s that ECS gives by default. Source: Amazon ECS API
/// Reference, `ContainerDefinition`, `stopTimeout`.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Time from SIGTERM of a script to its KILL.
const END_GRACE: Duration = Duration::from_secs(10);
/// Time in which the last frames may reach a client that still listens.
const FAREWELL: Duration = Duration::from_secs(2);

/// Most connections that wait in the kernel to be accepted. The kernel's own limit is
/// `net.core.somaxconn`, 4096 since Linux 5.4. Even if strangers fill it, it is empty again within
/// a second.
const QUEUE: u32 = 1024;

/// Why the server ends.
enum ShutdownReason {
    Told(TaskEndOrigin),
    Limit(LeaseLimit),
}

impl ShutdownReason {
    fn notice(&self) -> AgentNotice {
        match self {
            Self::Told(_) => AgentNotice::Terminating,
            Self::Limit(limit) => AgentNotice::LeaseEnded { limit: limit.name().to_owned() },
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Told(TaskEndOrigin::Outside) => TERMINATED,
            Self::Told(TaskEndOrigin::Inside) => ENDED_FROM_INSIDE,
            Self::Limit(limit) => limit.exit_code(),
        }
    }

    /// How long a script may go on to end by itself.
    fn patience(&self) -> Duration {
        match self {
            Self::Told(TaskEndOrigin::Outside) => END_PATIENCE,
            Self::Told(TaskEndOrigin::Inside) | Self::Limit(_) => Duration::ZERO,
        }
    }
}

/// Serves until the task must end. `has_init` says that our own process 1 started this one.
pub fn run(has_init: bool) -> ExitCode {
    crate::init::hide_environment();
    let settings = match AgentSettings::from_environment() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    let served = crate::init::unblock_signals()
        .and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build())
        .and_then(|runtime| runtime.block_on(serve(&settings, has_init)));
    match served {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: listening on {}: {error}", settings.listen);
            ExitCode::from(CANNOT_LISTEN)
        }
    }
}

async fn serve(settings: &AgentSettings, has_init: bool) -> std::io::Result<u8> {
    let mut orders = TaskEndReceiver::new(has_init)?;
    let listener = listen(settings.listen)?;
    eprintln!("{} listens on {}", crate::VERSION, settings.listen);
    let prover =
        settings.proves_host_key.then(|| TaskRoleProver::of(settings.host_key.public_key()));
    let environment = ScriptEnvironment::of_this_process();
    let task = Arc::new(AgentTask::new(environment, settings.limits, has_init, prover));
    let mut acceptor = ConnectionAcceptor::new(listener, settings, task.clone());
    let end = loop {
        tokio::select! {
            () = acceptor.next() => {}
            origin = orders.next() => break ShutdownReason::Told(origin),
            limit = task.lease.over() => break ShutdownReason::Limit(limit),
        }
    };
    // From here on, new connections are refused. That is better than an answer that never comes.
    let mut connections = acceptor.close();
    say_goodbye(&task, &mut connections, &end).await;
    Ok(end.exit_code())
}

/// Opens the port with a long queue. If strangers filled a short one, the kernel would drop our
/// client's first packet, and the client would repeat it only after 1 s, 2 s, 4 s and so on.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As `TcpListener::bind` does.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Ends what runs, and gives clients a moment to hear why.
async fn say_goodbye(task: &AgentTask, connections: &mut JoinSet<()>, end: &ShutdownReason) {
    let busy = task.current().is_some_and(|stage| stage.output.ending().is_none());
    task.end(end.notice(), end.patience(), END_GRACE).await;
    if busy {
        let all_left = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all_left).await;
    }
    connections.shutdown().await;
}
