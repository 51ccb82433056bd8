//! Keeps the task of a failed job, so that a person can look into it: notes the failure while the job's
//! log is still open, and has the clean-up wipe and keep the task instead of stopping it.
//!
//! If any step fails, the task is not kept, and the clean-up stops it as after every other job. What a
//! forge calls a failure, and where its secrets are, comes from the caller.

use std::time::Duration;

use fargate_aws::retry;
use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskArn;
use fargate_model::job::JobKey;
use fargate_model::text::duration;
use fargate_protocol::{MAX_TRACES, SecretTrace, TaskKeepReport, TaskKeepRequest, TaskLease};
use fargate_state::{FailureMark, JobRecord, KeptTask, SecretString, StateFolder};
use tokio::time::{Instant, timeout};

use crate::context::JobContext;
use crate::reconnect;
use crate::task::TAG_RIGHT;

/// Longest wait for TagResource while the job's log is still open.
const TAG_WITHIN: Duration = Duration::from_secs(5);
/// Longest time for wiping a task. The pipeline waits for it.
const WIPE_WITHIN: Duration = Duration::from_secs(30);
/// Time after that for the agent's answer.
const ANSWER_MARGIN: Duration = Duration::from_secs(15);
/// Longest wait until the agent lets us in.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// A task that would be kept for a shorter time is stopped at once.
const SHORTEST_LEFT: Duration = Duration::from_secs(1);
/// Shortest secret that is looked for, in bytes. A shorter one would be found everywhere. GitLab masks
/// none that is shorter either.
const SHORTEST_TRACE: usize = 8;
/// Longest part of a secret that is looked for, in bytes.
const LONGEST_TRACE: usize = 1024;

/// What the clean-up of a failed job has wiped before a person sees the task.
#[derive(Clone, Debug, Default)]
pub struct JobTraces {
    /// The token, the masked variables and the contents of the file variables.
    pub secrets: Vec<SecretString>,
    /// The folders in which the job was built.
    pub build_folders: Vec<String>,
}

impl JobTraces {
    /// What the agent looks for.
    fn to_wipe(&self) -> Result<Vec<SecretTrace>, String> {
        let mut traces: Vec<SecretTrace> = Vec::new();
        for secret in &self.secrets {
            let text = secret.expose().trim();
            if text.len() < SHORTEST_TRACE {
                continue;
            }
            let end = text.floor_char_boundary(LONGEST_TRACE);
            let trace = SecretTrace { text: text[..end].to_owned(), is_cut: end < text.len() };
            if traces.iter().all(|known| known.text != trace.text) {
                traces.push(trace);
            }
        }
        let bytes: usize = traces.iter().map(|trace| trace.text.len()).sum();
        match bytes <= MAX_TRACES {
            true => Ok(traces),
            false => {
                Err(format!("its secrets have {bytes} bytes, at most {MAX_TRACES} are looked for"))
            }
        }
    }
}

/// Notes that a script of `stage` failed the job. Returns the line for the job's log, if its task is to
/// be kept.
pub async fn note_failure(
    context: &JobContext,
    folder: &StateFolder,
    key: &JobKey,
    stage: &str,
) -> Option<String> {
    let record = folder.record(key).ok().flatten().filter(|record| record.ready)?;
    let task = record.location.task.clone()?;
    let failed_unix_s = context.clock.since_1970().as_secs();
    let wanted = kept_until(&record, failed_unix_s);
    let tagged = match wanted {
        Some(kept) => tag(context, &record, &task, kept, Instant::now() + TAG_WITHIN).await,
        None => Ok(()),
    };
    let mark = FailureMark {
        task,
        stage: stage.to_owned(),
        failed_unix_s,
        tagged_until_unix_s: wanted.filter(|_| tagged.is_ok()).map(|kept| kept.keep_until_unix_s),
        is_declined: tagged.is_err(),
    };
    let marked = folder.mark_failure(key, &mark).await.map_err(|error| error.to_string());
    let kept = wanted?;
    Some(match tagged.and(marked) {
        Ok(()) => announced(&record, kept),
        Err(why) => format!("fargate-runner: the task of this job is not kept: {why}"),
    })
}

fn announced(record: &JobRecord, kept: KeptTask) -> String {
    let job = &record.job_id;
    let hold = duration(Duration::from_secs(record.hold_s.unwrap_or_default()));
    format!(
        "fargate-runner: the task of this failed job is kept until {} ({hold}), without its file \
         variables and tokens. On the host of the runner: `fargate-runner jobs shell {job}` opens a \
         shell in it, `fargate-runner jobs release {job}` stops it.",
        kept.clock_time()
    )
}

/// Removes the note: `stage` passed at a later try, or the job was cancelled if there is no `stage`.
pub fn forget_failure(folder: &StateFolder, key: &JobKey, stage: Option<&str>) {
    let Some(record) = folder.record(key).ok().flatten() else { return };
    let is_of = |mark: &FailureMark| stage.is_none_or(|stage| stage == mark.stage);
    if folder.failure_mark(&record).is_some_and(|mark| is_of(&mark)) {
        folder.remove_failure_mark(key);
    }
}

fn kept_until(record: &JobRecord, failed_unix_s: u64) -> Option<KeptTask> {
    let hold_s = record.hold_s.filter(|_| record.can_keep)?;
    Some(KeptTask { keep_until_unix_s: failed_unix_s.saturating_add(hold_s) })
}

/// Moves the deadline in the task's tag, which other hosts go by.
async fn tag(
    context: &JobContext,
    record: &JobRecord,
    task: &TaskArn,
    kept: KeptTask,
    deadline: Instant,
) -> Result<(), String> {
    let ecs = context.ecs_in(Some(record.location.region.clone())).await;
    let ecs = ecs.map_err(|why| why.headline())?;
    let until = kept.keep_until_unix_s.to_string();
    let tagged = retry(deadline, || ecs.tag_task(task, "deadline", &until)).await;
    tagged.map_err(|error| match error.denies(TAG_RIGHT) {
        true => format!(
            "the role of this host may not {TAG_RIGHT}, so no other host would leave it alone"
        ),
        false => format!("moving the deadline in its tag: {error}"),
    })
}

/// Keeps the task of a record that was taken over, if its job failed and somebody wants to look into
/// it. Returns `false` if the task is to be stopped, and not if it is another process's by now.
pub(super) async fn keep_if_failed(
    context: &JobContext,
    folder: &StateFolder,
    taken: &JobRecord,
    traces: Option<&JobTraces>,
) -> bool {
    let Some((task, mark)) = taken.location.task.clone().zip(folder.failure_mark(taken)) else {
        return false;
    };
    // If the clock was set back since the failure, the time would last for as long as it was ahead.
    let failed_unix_s = mark.failed_unix_s.min(context.clock.since_1970().as_secs());
    let kept = kept_until(taken, failed_unix_s).filter(|_| !mark.is_declined);
    let Some(kept) = kept else { return false };
    let is_alone = taken.launches.iter().all(|launch| launch.task.as_ref() == Some(&task));
    let (Some(traces), true) = (traces, is_alone) else { return false };
    let is_tagged = mark.tagged_until_unix_s == Some(kept.keep_until_unix_s);
    let keeping = TaskKeeping { context, folder, taken, task: &task, kept };
    match keeping.keep(traces, is_tagged).await {
        Ok((left, report)) => {
            let TaskKeepReport { searched, removed, masked } = report;
            let left_s = left.as_secs();
            emit(JobEvent::TaskKept { task, left_s, searched, removed, masked });
            true
        }
        // It may keep the task.
        Err(_) if is_taken_over(folder, taken) => true,
        Err(why) => {
            emit(JobEvent::TaskNotKept { message: why });
            false
        }
    }
}

/// Whether another clean-up or the sweep has the job now, which then keeps or stops its task.
fn is_taken_over(folder: &StateFolder, taken: &JobRecord) -> bool {
    match folder.record(&taken.job) {
        Ok(Some(now)) => now.prepared_by != taken.prepared_by,
        Ok(None) => true,
        Err(_) => false,
    }
}

/// A task that is about to be kept.
struct TaskKeeping<'a> {
    context: &'a JobContext,
    folder: &'a StateFolder,
    taken: &'a JobRecord,
    task: &'a TaskArn,
    kept: KeptTask,
}

impl TaskKeeping<'_> {
    /// Tags, wipes and writes down, in this order. Whatever is done when this ends early, the task is
    /// stopped by the sweep, because the record does not say yet that it is kept, and by its agent.
    async fn keep(
        &self,
        traces: &JobTraces,
        is_tagged: bool,
    ) -> Result<(Duration, TaskKeepReport), String> {
        let traces = TaskKeepRequest {
            traces: traces.to_wipe()?,
            build_folders: traces.build_folders.clone(),
            within_ms: ms(WIPE_WITHIN),
            lease: self.lease(self.left()?),
        };
        if !is_tagged {
            let deadline = Instant::now() + self.context.timeouts().aws_call;
            tag(self.context, self.taken, self.task, self.kept, deadline).await?;
        }
        let report = self.wipe(traces).await?;
        let written = self.folder.keep_task(self.taken, self.kept).await;
        written.map_err(|error| error.to_string())?;
        Ok((self.left()?, report))
    }

    fn left(&self) -> Result<Duration, String> {
        let left = self.kept.time_left(self.context.clock.now());
        left.filter(|left| *left >= SHORTEST_LEFT).ok_or_else(|| {
            "the time for which it was to be kept was over before the job was".to_owned()
        })
    }

    /// The task ends at its time, whether or not somebody is connected.
    fn lease(&self, left: Duration) -> TaskLease {
        let timeouts = self.context.timeouts();
        TaskLease {
            idle_ms: ms(left),
            deadline_ms: ms(left),
            client_gone_ms: ms(timeouts.client_gone),
            next_stage_grace_ms: Some(ms(timeouts.next_stage_grace)),
            hosts: Vec::new(),
        }
    }

    async fn wipe(&self, request: TaskKeepRequest) -> Result<TaskKeepReport, String> {
        let connector = reconnect::to(self.taken, self.context.profile(), &self.context.masker);
        let connector = connector.map_err(|why| why.headline())?;
        let mut session = match timeout(CONNECT_WITHIN, connector.open(|_| {})).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => {
                let within = duration(CONNECT_WITHIN);
                return Err(format!("its agent did not answer within {within}"));
            }
        };
        let wiped = session.keep(request, WIPE_WITHIN + ANSWER_MARGIN).await;
        session.close().await;
        wiped.map_err(|error| error.to_string())
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn traces(secrets: &[&str]) -> JobTraces {
        let secret = |text: &&str| SecretString::new(Zeroizing::new((*text).to_owned()));
        JobTraces { secrets: secrets.iter().map(secret).collect(), build_folders: Vec::new() }
    }

    #[test]
    fn secrets_are_looked_for_once_whole_or_by_their_beginning_and_never_in_part_of_a_letter() {
        let long = format!("a{}", "ä".repeat(600));
        let wiped = traces(&["short", " glcbt-12345\n", "glcbt-12345", &long]).to_wipe().unwrap();
        let texts: Vec<_> = wiped.iter().map(|trace| (trace.text.len(), trace.is_cut)).collect();
        assert_eq!(texts, [(11, false), (1023, true)]);
        let many: Vec<String> = (0..60).map(|n| format!("{n:04}{}", "x".repeat(1000))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        insta::assert_snapshot!(traces(&many).to_wipe().unwrap_err(), @"its secrets have 60240 bytes, at most 49152 are looked for");
    }
}
