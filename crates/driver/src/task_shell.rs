//! A shell or a command of a person in the task of a job that runs, over the key and the pinned host key
//! of its record.
//!
//! It reads the record and changes nothing: not the record, not the script, not the lease. Whether this
//! host may look into the job is decided by whoever calls it.

use fargate_events::JobEvent;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::duration;
use fargate_state::{JobRecord, StateFolder};
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::context::JobContext;
use crate::reconnect;
use crate::session::{
    ConsoleWriter, PersonInput, SideSession, SideSessionEnd, SideSessionError, SideSessionRequest,
    TaskSession,
};
use crate::task::{CauseFacts, stopped};

/// How long a person waits at most for the task to answer. A stage waits longer.
const OPEN_WITHIN: Duration = Duration::from_secs(20);
/// Time between two looks at the job's record while the shell is open.
const LOOK: Duration = Duration::from_secs(1);
/// After a lost connection, how long the record may still tell that the job was about to end.
const SETTLE: Duration = Duration::from_secs(3);
/// The same between two of these looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why no shell was opened.
#[derive(Debug, thiserror::Error)]
pub enum TaskShellError {
    /// The record cannot be used, or the task does not answer.
    #[error("{}", .0.headline())]
    Unreachable(Box<CauseReport>),
    /// The task answers, but gives no such session.
    #[error(transparent)]
    Session(#[from] SideSessionError),
}

/// How a shell ended.
#[derive(Debug)]
pub enum TaskShellEnd {
    /// The program ended with this status.
    Status(u8),
    /// The person left.
    Left(u8),
    /// The job ended, and its task with it.
    JobOver,
    /// The task ended, for this reason.
    TaskEnded(Box<CauseReport>),
    /// The task's server ended the session without a status.
    Closed,
    /// The connection is lost, in words.
    Lost(String),
    /// Nobody reads the output any more, in words.
    Unread(String),
}

/// A shell that is open.
pub struct TaskShell<'a> {
    context: &'a JobContext,
    folder: &'a StateFolder,
    record: &'a JobRecord,
    session: SideSession,
    who: String,
}

impl<'a> TaskShell<'a> {
    /// Connects to the task of `record` and begins what `request` asks for. `who` is the person's name,
    /// for the operator's log.
    ///
    /// # Errors
    ///
    /// Returns [`TaskShellError`] if the task cannot be reached in time, shows another host key, or
    /// gives no such session.
    pub async fn open(
        context: &'a JobContext,
        folder: &'a StateFolder,
        record: &'a JobRecord,
        request: &SideSessionRequest,
        who: &str,
    ) -> Result<Self, TaskShellError> {
        let opened = Self::connected(context, record).await;
        let session = match opened {
            Ok(session) => session,
            Err(why) => {
                let ended = end_of_task(context, record).await;
                return Err(TaskShellError::Unreachable(ended.unwrap_or(why)));
            }
        };
        let session = SideSession::begin(session, request, context.timeouts()).await?;
        Ok(Self { context, folder, record, session, who: who.to_owned() })
    }

    async fn connected(
        context: &JobContext,
        record: &JobRecord,
    ) -> Result<TaskSession, Box<CauseReport>> {
        let connector = reconnect::to(record, context.profile(), &context.masker)?;
        let within = context.timeouts().reconnect.min(OPEN_WITHIN);
        let mut last = "nobody answered".to_owned();
        match timeout(within, connector.open(|missed| last = missed.to_string())).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(refused)) => Err(Box::new(reconnect::shut(&refused, connector.address))),
            Err(_) => {
                let tried = format!("{} for {}: {last}.", connector.address, duration(within));
                let why = CauseReport::new(FailureCause::ConnectionLost);
                Err(Box::new(why.because(format!("Tried {tried}"))))
            }
        }
    }

    /// Runs until the program ends, the job ends, the connection is lost or the person leaves.
    pub async fn run(self, console: &mut ConsoleWriter, input: &mut PersonInput) -> TaskShellEnd {
        let Self { context, folder, record, session, who } = self;
        let (job, task) = (record.job_id.clone(), record.location.task.clone());
        context.events.emit(&JobEvent::ShellOpened { job: job.clone(), task: task.clone(), who });
        let end = tokio::select! {
            end = session.run(console, input) => Some(end),
            () = until_job_is_over(folder, record) => None,
        };
        let message = end.as_ref().map_or_else(|| "the job ended".to_owned(), words);
        context.events.emit(&JobEvent::ShellClosed { job, task, message });
        match end {
            None => TaskShellEnd::JobOver,
            Some(SideSessionEnd::Status(status)) => TaskShellEnd::Status(status),
            Some(SideSessionEnd::Left(status)) => TaskShellEnd::Left(status),
            Some(SideSessionEnd::Unread(why)) => TaskShellEnd::Unread(why),
            Some(SideSessionEnd::Closed) => {
                why_over(context, folder, record).await.unwrap_or(TaskShellEnd::Closed)
            }
            Some(SideSessionEnd::Lost(how)) => {
                why_over(context, folder, record).await.unwrap_or(TaskShellEnd::Lost(how))
            }
        }
    }
}

fn words(end: &SideSessionEnd) -> String {
    match end {
        SideSessionEnd::Status(status) => format!("exit {status}"),
        SideSessionEnd::Closed => "the server closed the session".to_owned(),
        SideSessionEnd::Lost(how) => format!("lost: {how}"),
        SideSessionEnd::Left(_) => "the person left".to_owned(),
        SideSessionEnd::Unread(why) => why.clone(),
    }
}

/// Whether the record was cleaned up, taken over or replaced since it was read. A record that cannot be
/// read says nothing.
fn is_job_over(folder: &StateFolder, record: &JobRecord) -> bool {
    match folder.record(&record.job) {
        Ok(None) => true,
        Ok(Some(now)) => now.ready != record.ready || now.prepared_by != record.prepared_by,
        Err(_) => false,
    }
}

async fn until_job_is_over(folder: &StateFolder, record: &JobRecord) {
    while !is_job_over(folder, record) {
        sleep(LOOK).await;
    }
}

/// Why a session that broke off could not go on, if the job or its task has ended.
async fn why_over(
    context: &JobContext,
    folder: &StateFolder,
    record: &JobRecord,
) -> Option<TaskShellEnd> {
    let deadline = Instant::now() + SETTLE;
    while Instant::now() < deadline {
        if is_job_over(folder, record) {
            return Some(TaskShellEnd::JobOver);
        }
        sleep(LOOK_AGAIN).await;
    }
    end_of_task(context, record).await.map(TaskShellEnd::TaskEnded)
}

/// Why ECS says that the task has ended or is about to. `None` if it runs, or if nobody can say.
async fn end_of_task(context: &JobContext, record: &JobRecord) -> Option<Box<CauseReport>> {
    let task = record.location.task.as_ref()?;
    let limit = context.timeouts().aws_call;
    let ask = async {
        let ecs = context.ecs_in(Some(record.location.region.clone())).await.ok()?;
        ecs.describe(&record.location.cluster, task).await.ok()?
    };
    let seen = timeout(limit, ask).await.ok()??;
    if !seen.stopping {
        return None;
    }
    let launch = record.launches.iter().find(|launch| launch.task.as_ref() == Some(task));
    let container = launch.and_then(|launch| launch.containers.first());
    let container = container.map_or("", |container| container.name.as_str());
    Some(Box::new(stopped(&seen, container, &CauseFacts::default(), &context.masker)))
}
