//! The server half: listens, serves connections, and ends when it is told to or when the lease is
//! over. Its exit code says which.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fargate_protocol::Notice;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::accept::ConnectionIntake;
use crate::environment::Environment;
use crate::lease::Limit;
use crate::settings::Settings;
use crate::task::Task;

/// The settings cannot be used; `EX_CONFIG` of `sysexits.h`.
const BAD_SETTINGS: u8 = 78;
/// It cannot listen; `EX_CANTCREAT` of `sysexits.h`, because `EX_OSERR` is a code of [`Limit`].
const CANNOT_LISTEN: u8 = 73;
/// 128 + SIGTERM.
const TERMINATED: u8 = 143;
/// From SIGTERM of the task to KILL of its script: within the 30 s that ECS gives by default.
/// Source: Amazon ECS API Reference, `ContainerDefinition`, `stopTimeout`.
const END_GRACE: Duration = Duration::from_secs(10);
/// For the last frames to reach a client that still listens.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why the server ends.
enum End {
    Terminated,
    Limit(Limit),
}

impl End {
    fn notice(&self) -> Notice {
        match self {
            Self::Terminated => Notice::Terminating,
            Self::Limit(limit) => Notice::LeaseEnded { limit: limit.name().to_owned() },
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Terminated => TERMINATED,
            Self::Limit(limit) => limit.exit_code(),
        }
    }
}

/// Serves until the task is to end.
pub fn run() -> ExitCode {
    crate::init::hide_environment();
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    let served = crate::init::unblock_signals()
        .and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build())
        .and_then(|runtime| runtime.block_on(serve(&settings)));
    match served {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: listening on {}: {error}", settings.listen);
            ExitCode::from(CANNOT_LISTEN)
        }
    }
}

async fn serve(settings: &Settings) -> std::io::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(settings.listen).await?;
    eprintln!("{} listens on {}", crate::VERSION, settings.listen);
    let task = Arc::new(Task::new(Environment::of_this_process(), settings.limits));
    let mut intake = ConnectionIntake::new(listener, settings, task.clone());
    let end = loop {
        tokio::select! {
            () = intake.next() => {}
            _ = terminate.recv() => break End::Terminated,
            _ = interrupt.recv() => break End::Terminated,
            limit = task.lease.over() => break End::Limit(limit),
        }
    };
    say_goodbye(&task, &mut intake.connections, &end).await;
    Ok(end.exit_code())
}

/// Ends what runs, and gives clients a moment to hear why.
async fn say_goodbye(task: &Task, connections: &mut JoinSet<()>, end: &End) {
    let busy = task.current().is_some_and(|stage| stage.output.ending().is_none());
    task.end(end.notice(), END_GRACE).await;
    if busy {
        let all_left = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all_left).await;
    }
    connections.shutdown().await;
}
