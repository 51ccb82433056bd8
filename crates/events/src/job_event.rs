//! The table of all events. Everything that is known of an event stands in its entry here.

use std::net::SocketAddr;

use fargate_model::cause::FailureCause;
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::task::TaskStatus;
use serde::{Deserialize, Serialize};

use crate::field::{EventField, FieldValue};
use crate::schema::{EventLevel, EventSchema, FieldSchema};

/// Makes the enum and its functions from the entries
/// `/// MEANING` `Variant("noun.verb", VERSION, LEVEL) { field: Type }`. Words that are the same each
/// time stand behind the level; words that change are a field `message`.
macro_rules! job_events {
    ($(
        $(#[doc = $meaning:literal])+
        $variant:ident($name:literal, $version:literal, $level:ident $(, $fixed:literal)?) {
            $($field:ident: $type:ty),* $(,)?
        }
    )+) => {
        /// Everything that an operator's log can tell. `docs/LOGGING.md` says what each field holds.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        #[allow(missing_docs, reason = "a field means the same in every event; docs/LOGGING.md lists them")]
        pub enum JobEvent {
            $(
                $(#[doc = $meaning])+
                #[serde(rename = $name)]
                $variant {
                    $(#[serde(skip_serializing_if = "EventField::is_absent")] $field: $type,)*
                },
            )+
        }

        impl JobEvent {
            /// What is known of every event before it occurs, in the order of the table.
            pub const SCHEMAS: &[EventSchema] = &[$(
                EventSchema {
                    name: $name,
                    version: $version,
                    level: EventLevel::$level,
                    fixed_message: [$(Some($fixed),)? None][0],
                    meaning: concat!($($meaning),+),
                    fields: &[$(
                        FieldSchema {
                            name: stringify!($field),
                            kind: <$type as EventField>::KIND,
                            is_optional: <$type as EventField>::IS_OPTIONAL,
                        },
                    )*],
                },
            )+];

            /// What is the same each time this event occurs.
            #[must_use]
            pub fn schema(&self) -> &'static EventSchema {
                let name = match self {
                    $(Self::$variant { .. } => $name,)+
                };
                let found = Self::SCHEMAS.iter().find(|schema| schema.name == name);
                found.expect("the table gives each variant its schema")
            }

            /// The fields that are there, in the order of the table, and the words last.
            #[must_use]
            pub fn fields(&self) -> Vec<(&'static str, FieldValue<'_>)> {
                match self {
                    $(Self::$variant { $($field),* } => {
                        let fields: [(&str, Option<FieldValue<'_>>); _] = [
                            $((stringify!($field), EventField::value($field)),)*
                            $(("message", Some(FieldValue::Text($fixed.into()))),)?
                        ];
                        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
                    })+
                }
            }

            /// Tells the current subscriber of `tracing`.
            pub(crate) fn to_tracing(&self) {
                match self {
                    $(Self::$variant { $($field),* } => tracing::event!(
                        target: "fargate_events",
                        EventLevel::$level.as_tracing(),
                        event = $name,
                        $($field = EventField::as_tracing($field),)*
                        $(message = $fixed,)?
                    ),)+
                }
            }
        }
    };
}

job_events! {
    // The life of a job, in the order in which it happens.

    /// `prepare` took up a job.
    JobReceived("job.received", 1, Debug) { project: u64, timeout_s: Option<u64> }
    /// gitlab-runner gave no response file. The job is known only by variables that it can set itself.
    IdentityUntrusted("identity.untrusted", 1, Warn) {}
    /// The job has more masked variables than we look for in our own texts.
    SecretsUnmasked("secrets.unmasked", 1, Warn, "this job has more masked variables than are looked for") {}
    /// `prepare` found something odd in the configuration, such as a key that is ignored.
    ConfigurationNoticed("configuration.noticed", 1, Warn) { message: String }
    /// A person told this host to hold new jobs (with `who`), or a job waits because of that (with `cause`).
    JobsHeld("jobs.held", 1, Info) {
        who: Option<String>,
        note: Option<String>,
        cause: Option<FailureCause>,
        message: Option<String>,
    }
    /// The job may start: new jobs are not held, and no other `prepare` of this job runs.
    JobAdmitted("job.admitted", 1, Debug) { waited_ms: u64 }
    /// An earlier `prepare` of the job left a record; its tasks are stopped first.
    FormerFound("former.found", 1, Info) { launches: usize }
    /// The record of an earlier `prepare` cannot be read; what is known of its task is stopped.
    FormerDamaged("former.damaged", 1, Warn) { message: String }
    /// The channel that the profile names leads to this image now.
    ImageResolved("image.resolved", 1, Debug) { channel: String, image: String }
    /// The version of the image is deprecated. Later it will be refused.
    ImageDeprecated("image.deprecated", 1, Warn) { channel: String, image: String, message: String }
    /// ECS has a revision with the content that the profile makes. Tasks are started from it.
    DefinitionFound("definition.found", 1, Info) { definition: String, content: String }
    /// ECS had no such revision, so this process registered one.
    DefinitionRegistered("definition.registered", 1, Info) { definition: String, content: String }
    /// RunTask refused a revision that this host knew. ECS is asked for it once more.
    DefinitionRefused("definition.refused", 1, Warn, "ECS takes no tasks from it any more") { definition: String }
    /// The driver sends RunTask. If it sends the same launch again, the token stays the same.
    TaskRequested("task.requested", 1, Debug) { launch: RandomToken }
    /// RunTask failed.
    RunTaskFailed("run_task.failed", 1, Warn) { cause: FailureCause, request_id: Option<String>, message: String }
    /// ECS accepted a task.
    TaskAccepted("task.accepted", 1, Info) { task: TaskArn, launch: RandomToken }
    /// The state of the task changed.
    TaskStatusChanged("task.status", 1, Info) { task: TaskArn, status: TaskStatus }
    /// The task failed for a reason that may pass. The driver starts another task; `n` counts these.
    TaskRelaunched("task.relaunch", 1, Warn) { cause: FailureCause, n: u32 }
    /// A launch had no capacity, or its task was taken back. The next launch uses another subnet or capacity provider.
    CapacityMoved("capacity.moved", 1, Info) { from: String, to: String, cause: FailureCause }
    /// A capacity provider failed too often. All jobs of this host leave it alone for `pause_s`.
    CapacityAvoided("capacity.avoided", 1, Warn, "jobs of this host leave this capacity provider alone for a while") {
        provider: String,
        failures: u32,
        pause_s: u64,
    }
    /// The file that remembers failures of a capacity provider cannot be used. Jobs use the provider.
    BreakerUnusable("breaker.unusable", 1, Debug) { message: String }
    /// EC2 did not tell the public address of the task's network interface. The driver asks again.
    AddressUnknown("address.unknown", 1, Warn) { interface: String, message: String }
    /// The driver connected to the task, but the SSH login failed.
    LoginFailed("login.failed", 1, Warn) { address: SocketAddr, message: String }
    /// The agent or the SSH server of the task answered, and its host key is the right one.
    AgentAnswered("agent.answered", 1, Info) { task: TaskArn, peer: String }
    /// The agent is more than 12 months older than the driver.
    AgentOld("agent.old", 1, Warn) { agent: String, message: String }
    /// The agent is newer than the driver.
    AgentNewer("agent.newer", 1, Info, "the agent is newer than this driver") { agent: String }
    /// The task runs a stock SSH server. `group`: it can end a script with all its processes. `watchdog`: the task can end itself.
    SshdFound("sshd.found", 1, Info) { server: String, group: bool, watchdog: bool }
    /// The stock SSH server lacks `group` or `watchdog`. Only this host can enforce the job's deadline.
    SshdLess("sshd.less", 1, Warn, "the task cannot end itself, or a script in it as a whole: its deadline rests on this host") {
        watchdog: bool,
        group: bool,
    }
    /// The task is ready for the job's scripts.
    PrepareDone("prepare.done", 1, Info) { task: TaskArn, took_ms: u64 }
    /// `prepare` failed. No task runs on, or the record names it for `cleanup`.
    PrepareFailed("prepare.failed", 1, Error) { cause: Option<FailureCause>, message: String }
    /// The task started one of the job's scripts.
    ScriptStarted("script.started", 1, Debug) {}
    /// A script ended.
    ScriptEnded("script.ended", 1, Info) { status: u8 }
    /// A stage failed or was cancelled. A stage that succeeds writes no such line.
    StageEnded("stage.ended", 1, Info) { cause: Option<FailureCause>, exit: u8, message: String }
    /// `cleanup` took up a job.
    CleanupStarted("cleanup.started", 1, Debug) {}
    /// ECS accepted StopTask.
    TaskStopping("task.stopping", 1, Info) { task: TaskArn, message: Option<String> }
    /// StopTask failed.
    StopFailed("stop.failed", 1, Warn) { task: TaskArn, request_id: Option<String>, message: String }
    /// `cleanup` is over.
    CleanupDone("cleanup.done", 1, Info) { undone: usize }
    /// The job failed, and its task was wiped and is kept for `left_s` seconds, so that a person can look into it.
    TaskKept("task.kept", 1, Info) { task: TaskArn, left_s: u64, searched: u64, removed: u64, masked: u64 }
    /// The task of a failed job was to be kept, and is stopped. The message says why.
    TaskNotKept("task.not_kept", 1, Warn) { message: String }
    /// `cleanup` could not do this. The task's own timers will end the task.
    CleanupUndone("cleanup.undone", 1, Warn) { message: String }

    // The connection while a script runs.

    /// The agent is too old to resume a session. If the connection is cut, the job fails.
    SessionNotResumable("session.no_resume", 1, Info) { agent: String, message: String }
    /// The connection was cut while a script ran. The driver connects again.
    SessionCut("session.cut", 1, Warn) { offset: u64, message: String }
    /// The first try to connect again failed. More tries follow.
    TaskUnreachable("task.unreachable", 1, Info) { address: SocketAddr, message: String }
    /// The driver is connected again, and the script's output goes on.
    SessionResumed("session.resumed", 1, Info) { offset: u64, away_ms: u64 }
    /// The script had not arrived whole before the cut. The driver sends it again.
    SessionSentAgain("session.sent_again", 1, Info, "the script had not arrived whole") { away_ms: u64 }
    /// The connection was cut, and the driver cannot connect again. The job fails.
    SessionLost("session.lost", 1, Warn) { offset: u64, message: String }
    /// The agent broke the protocol. The job fails.
    SessionBroken("session.broken", 1, Warn) { offset: u64, message: String }
    /// A script on a stock SSH server ended, but its output did not. The driver asks whether the server still answers.
    SessionSilent("session.silent", 1, Info, "the script has ended and its output has not; asking the server") {}
    /// A connection has new keys, as after `ssh.rekey_after_mib` or an hour.
    SessionRekeyed("session.rekeyed", 1, Debug, "the connection has new keys") { times: u32 }
    /// The task wanted to open a channel to this host. The driver refused.
    SessionChannelRefused("session.channel_refused", 1, Debug, "the task wanted to open a channel to us") { kind: String }
    /// The address of the job's task shows another host key. It may be another machine. The job fails.
    SecurityWrongHost("security.wrong_host", 1, Error) { address: SocketAddr, message: String }
    /// STS says that another one than the job's task proved the host key, or that nobody did. It may be another machine. The job fails.
    SecurityHostUnproven("security.host_unproven", 1, Error) { address: SocketAddr, message: String }

    // AWS.

    /// This source gave credentials.
    CredentialsLoaded("credentials.loaded", 1, Info) { source: String }
    /// AWS refused the credentials. The driver asks their source again.
    CredentialsRefused("credentials.refused", 1, Warn) { request_id: Option<String>, message: String }
    /// The source gave credentials before and gives none now. The old ones are used until they expire; then the stage waits.
    CredentialsNotRenewed("credentials.not_renewed", 1, Warn) { message: String }
    /// A line of a profile file is wrong. No profile in use needs it, so it is ignored.
    AwsProfileWrongLine("aws_profile.wrong_line", 1, Warn) { message: String }
    /// Some certificates of the file cannot be read. The others are trusted.
    CaBundlePartlyRead("ca_bundle.partly_read", 1, Warn) { path: String, unreadable: u64 }
    /// AWS refused a request because of its time. The driver signs by the time of AWS and sends again. Turn on time synchronisation.
    ClockDiffers("clock.differs", 1, Warn, "this host's clock differs from AWS's") {}
    /// The host's role may not do `action`. The message says what is lost.
    RightMissing("right.missing", 1, Warn) { action: String, message: String }
    /// ECS could not be asked for the state of a task.
    DescribeFailed("describe.failed", 1, Warn) { request_id: Option<String>, message: String }
    /// ECS did not tell which containers of a task are essential. All count as essential.
    DefinitionUnread("definition.unread", 1, Warn) { request_id: Option<String>, message: String }
    /// The log of a container that ended at once, or ended its task, could not be read. If the right is missing, `right.missing` says so instead.
    LogUnread("log.unread", 1, Warn) { request_id: Option<String>, message: String }
    /// ECS throttles questions about tasks. All drivers of this host ask half as often for a while.
    ReadsSlowed("reads.slowed", 1, Warn, "ECS answers fewer questions") { per_second: f64 }
    /// The file of the shared rate limiter of this host cannot be used.
    RateLimiterUnusable("rate_limiter.unusable", 1, Debug) { message: String }
    /// The driver could not write down that AWS refused a right. It will try again too soon.
    RefusalNotKept("refusal.not_kept", 1, Debug) { message: String }

    // The state folder and the log.

    /// A file of the state folder could not be written.
    StateNotWritten("state.not_written", 1, Warn) { message: String }
    /// A file of the state folder cannot be read.
    StateDamaged("state.damaged", 1, Warn) { message: String }
    /// Another user may have written a file of the state folder. The driver ignores it.
    StateDistrusted("state.distrusted", 1, Warn) { message: String }
    /// Other users may remove files from the state folder. See [OPERATIONS.md](OPERATIONS.md).
    StateShared("state.shared", 1, Warn) { message: String }
    /// `run` could not write down that a script runs. If the job ends its task between two stages, that counts as a system failure.
    MarkNotWritten("mark.not_written", 1, Warn) { message: String }
    /// The job's journal could not be written. The job goes on; its history ends there.
    JournalNotWritten("journal.not_written", 1, Warn) { message: String }
    /// The daemon cannot read the journal of a job. The job goes on; its history waits.
    JournalUnreadable("journal.unreadable", 1, Warn) { message: String }
    /// The daemon cannot write to the history. Jobs go on, and their journals wait until it can.
    HistoryStalled("history.stalled", 1, Warn) { message: String }
    /// The database of the history is damaged. It was moved to `path` (a file, or a schema of PostgreSQL; empty if it
    /// was gone), and a new one is filled from the journals.
    HistoryReplaced("history.replaced", 1, Warn) { path: String, message: String }
    /// The daemon can write to the history again.
    HistoryGoesOn("history.goes_on", 1, Info) {}
    /// The daemon has no socket. Drivers ask ECS themselves.
    DaemonSocketFailed("daemon.socket_failed", 1, Warn) { message: String }
    /// ECS does not answer the daemon about a cluster. Jobs go on, and what the page says of its tasks is old.
    EcsSilent("ecs.silent", 1, Warn) { message: String }
    /// ECS answers the daemon again about all clusters.
    EcsAnswersAgain("ecs.answers_again", 1, Info) {}
    /// The log could not take some lines. This line stands before the next one that it takes.
    LogDropped("log.dropped", 1, Warn) { lines: u64 }

    // Looking after a host.

    /// A person told this host to take new jobs again.
    JobsResumed("jobs.resumed", 1, Info) { who: String }
    /// A target took a message about something that somebody must act on.
    NoticeSent("notice.sent", 1, Info) { target: String, condition: String, kind: String, tries: u32 }
    /// A target did not take a message, or there was no room for it. Nobody learns of it from this message.
    NoticeFailed("notice.failed", 1, Warn) {
        target: String,
        condition: String,
        kind: String,
        tries: u32,
        message: String,
    }
    /// A person told ECS to stop a task of this host.
    TaskStoppedByPerson("task.stopped_by_person", 1, Info) { task: TaskArn, who: String }
    /// `drain` waits until no job runs.
    DrainWaiting("drain.waiting", 1, Info) { within_s: u64 }
    /// A person opened a shell or ran a command in the task of a job.
    ShellOpened("shell.opened", 1, Info) { job: String, task: Option<TaskArn>, who: String }
    /// That shell or command ended.
    ShellClosed("shell.closed", 1, Info) { job: String, task: Option<TaskArn>, message: String }
    /// A sweep could not look at something.
    ReapProblem("reap.problem", 1, Warn) { message: String }
    /// An orphan was stopped.
    OrphanStopped("orphan.stopped", 1, Info) { task: Option<TaskArn>, job: String, reason: String, message: String }
    /// An orphan could not be stopped. The next sweep starts anew with it.
    OrphanStays("orphan.stays", 1, Warn) { task: Option<TaskArn>, job: String, reason: String, message: String }
    /// An orphan was not stopped: a job needs it after all, it was seen only once, or nothing was to be changed.
    OrphanSpared("orphan.spared", 1, Info) { task: Option<TaskArn>, job: String, reason: String }
    /// A sweep of the tasks of this host is over.
    ReapSwept("reap.swept", 1, Info) { needed: usize, orphans: usize, seen_once: usize, left_alone: usize }
    /// A sweep of whole clusters (`--cluster`) is over.
    ReapClusterSwept("reap.cluster_swept", 1, Info) { needed: usize, orphans: usize, seen_once: usize, left_alone: usize }
}
