//! What the containers of a job's task wrote to CloudWatch Logs, from the beginning, and on to the end of
//! the task where that is asked for.
//!
//! What the job's scripts write is not there: it goes to the job's log. Lines are passed on as they are,
//! without the secrets of this host.

use std::io;
use std::time::{Duration, SystemTime};

use fargate_aws::{CallError, LogStream, retry};
use fargate_model::cause::CauseReport;
use fargate_model::id::TaskArn;
use fargate_model::task::TaskStatus;
use fargate_state::{JobRecord, StateFolder};
use tokio::time::{Instant, sleep};

use super::client::EcsClient;
use super::last_log_lines::is_not_there;
use crate::context::JobContext;

/// Time between two looks for new lines.
const LOOK: Duration = Duration::from_secs(2);
/// How long after the end of a task its last lines may arrive. Container runtimes pass lines on within
/// 5 s.
const LAST_LINES: Duration = Duration::from_secs(6);
/// How long after the deadline of a task nobody waits for its end any more, whatever ECS says.
const AFTER_DEADLINE: Duration = Duration::from_secs(300);

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum TaskLogError {
    /// No task is known.
    #[error("the record of job {job} names no task, so there is no log")]
    NoTask {
        /// The job.
        job: String,
    },
    /// The definition names no group.
    #[error(
        "no container of {definition} writes to CloudWatch Logs: its `logConfiguration` names no `awslogs` group, so AWS keeps no log of it; what the job's scripts write is in the job's own log"
    )]
    NoGroup {
        /// The task definition.
        definition: String,
    },
    /// AWS cannot be reached.
    #[error("{}", .0.headline())]
    NoAccount(Box<CauseReport>),
    /// A call failed.
    #[error("reading the log of the task: {0}")]
    Call(#[from] CallError),
    /// Nobody reads what is written.
    #[error("writing to stdout: {0}")]
    Unwritten(#[from] io::Error),
}

/// One container's log, and how far it was read.
struct ContainerLogPosition {
    container: String,
    stream: LogStream,
    next: Option<String>,
}

/// Reads the log of one task.
pub struct TaskLogReader<'a> {
    ecs: EcsClient,
    record: &'a JobRecord,
    task: TaskArn,
    call: Duration,
    logs: Vec<ContainerLogPosition>,
    /// Containers that write elsewhere.
    silent: Vec<String>,
}

impl<'a> TaskLogReader<'a> {
    /// Finds out where the task of `record` writes.
    ///
    /// # Errors
    ///
    /// Returns [`TaskLogError`] if no task or no log group is known, or if ECS cannot be asked.
    pub async fn open(
        context: &JobContext,
        folder: &StateFolder,
        record: &'a JobRecord,
    ) -> Result<Self, TaskLogError> {
        let no_task = || TaskLogError::NoTask { job: record.job_id.clone() };
        let task = record.location.task.clone().ok_or_else(no_task)?;
        context.masker.remember(record.client_key.expose());
        let region = Some(record.location.region.clone());
        let ecs = context.ecs_in(region).await;
        let ecs = ecs.map_err(|why| TaskLogError::NoAccount(Box::new(why)))?;
        let ecs = ecs.sharing(folder, context.profile());
        let call = context.timeouts().aws_call;
        let seen =
            retry(Instant::now() + call, || ecs.describe_in_turn(&record.location.cluster, &task));
        let definition = match seen.await?.and_then(|seen| seen.definition) {
            Some(definition) => definition,
            None => record.launches.last().ok_or_else(no_task)?.task_definition.clone(),
        };
        let places =
            retry(Instant::now() + call, || ecs.log_places(&definition, task.task_id())).await?;
        let mut reader = Self { ecs, record, task, call, logs: Vec::new(), silent: Vec::new() };
        for place in places {
            match place.stream {
                Some(stream) => reader.logs.push(ContainerLogPosition {
                    container: place.container,
                    stream,
                    next: None,
                }),
                None => reader.silent.push(place.container),
            }
        }
        match reader.logs.is_empty() {
            true => Err(TaskLogError::NoGroup { definition }),
            false => Ok(reader),
        }
    }

    /// The containers of the task that write elsewhere.
    #[must_use]
    pub fn silent(&self) -> &[String] {
        &self.silent
    }

    /// Passes on all that was written, and with `follow` also what will be, until the task has ended.
    /// `line` gets the name of the container, where several have a log, and one line. Returns how many
    /// lines there were.
    ///
    /// # Errors
    ///
    /// Returns [`TaskLogError`] if a call fails for good, or if `line` fails.
    pub async fn pass_on(
        &mut self,
        follow: bool,
        line: &mut dyn FnMut(Option<&str>, &str) -> io::Result<()>,
    ) -> Result<u64, TaskLogError> {
        let mut lines = 0;
        loop {
            // Before the read, so that a read after the end misses nothing.
            let is_over = follow && self.is_over().await?;
            lines += self.read(line).await?;
            if !follow {
                return Ok(lines);
            }
            if is_over {
                sleep(LAST_LINES).await;
                return Ok(lines + self.read(line).await?);
            }
            sleep(LOOK).await;
        }
    }

    /// Whether the task has ended, or must have.
    async fn is_over(&self) -> Result<bool, TaskLogError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if now > Duration::from_secs(self.record.deadline_unix_s) + AFTER_DEADLINE {
            return Ok(true);
        }
        match self.ecs.describe_in_turn(&self.record.location.cluster, &self.task).await {
            Ok(seen) => Ok(seen.is_none_or(|seen| seen.status == TaskStatus::Stopped)),
            Err(error) if error.is_transient() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads each log to its end.
    async fn read(
        &mut self,
        line: &mut dyn FnMut(Option<&str>, &str) -> io::Result<()>,
    ) -> Result<u64, TaskLogError> {
        let several = self.logs.len() > 1;
        let mut lines = 0;
        for log in &mut self.logs {
            loop {
                let account = self.ecs.account();
                let ask = || account.next_events(&log.stream, log.next.as_deref());
                let page = match retry(Instant::now() + self.call, ask).await {
                    // Nothing was written yet.
                    Err(error) if is_not_there(&error) => break,
                    page => page?,
                };
                let name = several.then_some(log.container.as_str());
                for message in self.ecs.masker().pieces(&page.messages) {
                    for text in message.trim_end_matches('\n').split('\n') {
                        line(name, text)?;
                        lines += 1;
                    }
                }
                if page.next.is_none() || page.next == log.next {
                    break;
                }
                log.next = page.next;
            }
        }
        Ok(lines)
    }
}
