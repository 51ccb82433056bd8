//! What `tasks list` prints: one row for each live task, with its job where a record of this host names it.

use std::time::{Duration, SystemTime};

use fargate_controller::host_jobs::{HostJobs, JobPhase, KnownJob};
use fargate_controller::host_journals::JobStories;
use fargate_controller::{TaskListSource, TaskListing};
use fargate_driver::daemon::ListedTask;
use fargate_driver::task::ObservedTask;
use fargate_job_journal::JobStory;
use fargate_model::size::FargateSize;
use fargate_model::task::TaskStatus;
use fargate_model::text::{count, escape, ticking};
use fargate_terminal::{StateMark, TableColumn, table_lines};
use serde_json::{Value, json};

use crate::jobs_output::headline;

const COLUMNS: [TableColumn; 7] = [
    TableColumn::new("  STATE"),
    TableColumn::new("FOR").number(),
    TableColumn::new("JOB"),
    TableColumn::new("PROJECT").dropped(2),
    TableColumn::new("TASK").dropped(1),
    TableColumn::new("SIZE").dropped(0),
    TableColumn::new("PHASE"),
];

/// The columns of `--watch`. Costs are estimates.
const WATCHED: [TableColumn; 8] = [
    TableColumn::new("  STATE"),
    TableColumn::new("FOR").number(),
    TableColumn::new("JOB"),
    TableColumn::new("PROJECT").dropped(3),
    TableColumn::new("TASK").dropped(2),
    TableColumn::new("SIZE").dropped(1),
    TableColumn::new("COST, EST.").number().dropped(0),
    TableColumn::new("PHASE OR WHY"),
];

/// A live task and the job that it belongs to.
pub struct LiveTask<'a> {
    pub task: &'a ListedTask,
    pub job: Option<&'a KnownJob>,
}

/// All tasks of the list, each with its job.
pub fn live_tasks<'a>(listing: &'a TaskListing, jobs: &'a HostJobs) -> Vec<LiveTask<'a>> {
    let job_of = |seen: &ObservedTask| {
        let is_its = |job: &&KnownJob| seen.job.as_deref() == Some(job.key.as_str());
        jobs.all().iter().find(is_its)
    };
    listing.tasks.iter().map(|task| LiveTask { task, job: job_of(&task.seen) }).collect()
}

impl LiveTask<'_> {
    /// The job's name, if a record tells it.
    pub fn job_name(&self) -> Option<String> {
        self.job.map(KnownJob::name)
    }

    fn state(&self) -> (&'static str, StateMark) {
        let seen = &self.task.seen;
        match &seen.status {
            _ if seen.stopping => ("stopping", StateMark::Stopping),
            status if status.is_starting() => ("starting", StateMark::Starting),
            TaskStatus::Running => match self.job.map(|job| job.phase) {
                Some(JobPhase::Starting) => ("starting", StateMark::Starting),
                Some(JobPhase::Kept(_)) => ("kept", StateMark::Failed),
                _ => ("running", StateMark::Running),
            },
            _ => ("stopping", StateMark::Stopping),
        }
    }

    fn age(&self) -> Option<Duration> {
        SystemTime::now().duration_since(self.task.seen.timeline.created?).ok()
    }

    fn project(&self) -> Option<String> {
        let launch = self.job.and_then(|job| job.record.as_ref()?.launches.last());
        let of_record = launch.and_then(|launch| launch.tags.get("fargate-runner:project"));
        of_record.or_else(|| self.task.seen.tags.get("project")).cloned()
    }

    fn size(&self) -> Option<String> {
        let (cpu_units, memory_mib) = (self.task.seen.cpu_units?, self.task.seen.memory_mib?);
        Some(FargateSize { cpu_units, memory_mib }.to_string())
    }

    /// Where it stands, in a few words.
    fn phase(&self) -> String {
        let timeline = &self.task.seen.timeline;
        let words = match self.state().0 {
            "starting" if timeline.pull_stopped.is_some() => "starting the container",
            "starting" if timeline.pull_started.is_some() => "pulling the image",
            "starting" if self.task.seen.status == TaskStatus::Running => "reaching the agent",
            "starting" if self.task.seen.status == TaskStatus::Provisioning => "network",
            "running" if self.job.is_none() => "no job of this host names it",
            _ => return format!("ECS says {}", self.task.seen.status),
        };
        words.to_owned()
    }

    fn row(&self) -> Vec<String> {
        let or_dash = |text: Option<String>| escape(&text.unwrap_or_else(|| "-".to_owned()));
        let (word, mark) = self.state();
        vec![
            format!("{} {word}", mark.symbol(false)),
            or_dash(self.age().map(ticking)),
            or_dash(self.job_name()),
            or_dash(self.project()),
            escape(&self.task.seen.task.short()),
            or_dash(self.size()),
            escape(&self.phase()),
        ]
    }

    fn document(&self) -> Value {
        let seen = &self.task.seen;
        let unix_s = |time: Option<SystemTime>| {
            Some(time?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
        };
        json!({
            "task": seen.task.0,
            "state": self.state().0,
            "ecs_status": seen.status.to_string(),
            "phase": self.phase(),
            "job": self.job_name(),
            "job_key": seen.job,
            "project": self.project(),
            "cpu_units": seen.cpu_units,
            "memory_mib": seen.memory_mib,
            "capacity": seen.provider,
            "cluster": self.task.place.cluster,
            "region": self.task.place.region,
            "created_unix_s": unix_s(seen.timeline.created),
            "started_unix_s": unix_s(seen.timeline.started),
        })
    }
}

/// For a terminal; empty where no task is live.
pub fn table(tasks: &[LiveTask<'_>], width: Option<usize>) -> String {
    if tasks.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = tasks.iter().map(LiveTask::row).collect();
    table_lines(&COLUMNS, &rows, width).join("\n")
}

/// One document. Names of fields are never renamed.
pub fn document(host: &str, listing: &TaskListing, tasks: &[LiveTask<'_>]) -> Value {
    let rows: Vec<Value> = tasks.iter().map(LiveTask::document).collect();
    let source = match listing.source {
        TaskListSource::Daemon => "daemon",
        TaskListSource::Ecs => "ecs",
    };
    json!({ "host": host, "source": source, "tasks": rows, "problems": listing.problems })
}

/// One document for each task, each on a line of its own.
pub fn ndjson(tasks: &[LiveTask<'_>]) -> String {
    tasks.iter().map(|task| task.document().to_string()).collect::<Vec<_>>().join("\n")
}

/// One line for each task.
pub fn tsv(tasks: &[LiveTask<'_>]) -> String {
    let line = |task: &LiveTask<'_>| {
        let seen = &task.task.seen;
        let or_dash = |text: Option<String>| escape(&text.unwrap_or_else(|| "-".to_owned()));
        let age = task.age().map(|age| age.as_secs().to_string());
        let (job, project) = (or_dash(task.job_name()), or_dash(task.project()));
        [task.state().0.to_owned(), or_dash(age), job, project, escape(&seen.task.0)].join("\t")
    };
    tasks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The jobs whose `prepare` runs and that have no live task yet, the oldest first.
pub fn waiting_jobs<'a>(listing: &TaskListing, jobs: &'a HostJobs) -> Vec<&'a KnownJob> {
    let has_task = |job: &KnownJob| {
        listing.tasks.iter().any(|task| task.seen.job.as_deref() == Some(job.key.as_str()))
    };
    let waits = |job: &&KnownJob| job.phase == JobPhase::Starting && !has_task(job);
    let mut waiting: Vec<_> = jobs.all().iter().filter(waits).collect();
    waiting.sort_by_key(|job| job.since());
    waiting
}

/// The jobs that have a row: what their journals tell is read.
pub fn shown_jobs<'a>(
    live: &'a [LiveTask<'_>],
    jobs: &'a HostJobs,
) -> impl Iterator<Item = &'a KnownJob> {
    let has_task =
        |job: &KnownJob| live.iter().any(|task| task.job.is_some_and(|of| of.key == job.key));
    jobs.all().iter().filter(move |job| job.phase == JobPhase::Starting || has_task(job))
}

/// The head line of `--watch`.
pub fn head(host: &str, listing: &TaskListing, waiting: usize) -> String {
    let now = |word: &str| {
        let live = listing.tasks.iter().filter(|task| {
            let is_starting = task.seen.status.is_starting() && !task.seen.stopping;
            is_starting == (word == "start")
        });
        format!("{} {word}", live.count())
    };
    let source = match listing.source {
        TaskListSource::Daemon => "",
        TaskListSource::Ecs => "  no daemon, asking ECS every 5 s",
    };
    format!("host {}  {waiting} wait, {}, {}{source}", escape(host), now("start"), now("run"))
}

/// What stands above the table where jobs wait for a reason: the first reason, how many jobs have it, and what tells
/// more.
pub fn attention(waiting: &[&KnownJob], stories: &JobStories) -> Option<String> {
    let why = |job: &KnownJob| stories.get(&job.key).and_then(headline);
    let (first, cause) = waiting.iter().find_map(|job| Some((job, why(job)?)))?;
    let of_it = waiting.iter().filter(|job| why(job).as_ref() == Some(&cause)).count();
    let jobs = if of_it == 1 { "1 job".to_owned() } else { format!("{of_it} jobs") };
    let (cause, name) = (escape(&cause), escape(&first.name()));
    Some(format!("! {cause}: {jobs}  fargate-runner jobs why {name}"))
}

/// What `tasks stop` and the key `s` ask. `of_job` is ` of NAME`, or empty.
pub fn stop_question(short: &str, of_job: &str) -> String {
    format!("stop task {short}{of_job}? The job ends as a system failure.")
}

/// A row of `--watch`: a job that waits for a task, or a task. It borrows nothing, because it is drawn until the next
/// look.
pub struct WatchedRow {
    pub job: Option<KnownJob>,
    pub task: Option<ListedTask>,
    cells: Vec<String>,
}

impl WatchedRow {
    /// The same for the same task or waiting job in each look.
    pub fn id(&self) -> String {
        match (&self.task, &self.job) {
            (Some(task), _) => task.seen.task.0.clone(),
            (None, job) => job.as_ref().map_or_else(String::new, |job| job.key.to_string()),
        }
    }

    /// All that it says, also in columns that have no room.
    pub fn text(&self) -> String {
        self.cells.join(" ")
    }

    /// What the key `s` asks; nothing where there is no task to stop.
    pub fn stop_question(&self) -> Option<String> {
        let job = self.job.as_ref();
        let of_job = job.map_or_else(String::new, |job| format!(" of {}", escape(&job.name())));
        Some(stop_question(&escape(&self.task.as_ref()?.seen.task.short()), &of_job))
    }
}

/// The rows of `--watch`: jobs that wait, then tasks that start, then the others, the oldest of each first.
pub fn watched_rows(
    live: &[LiveTask<'_>],
    waiting: &[&KnownJob],
    stories: &JobStories,
) -> Vec<WatchedRow> {
    let mut tasks: Vec<&LiveTask<'_>> = live.iter().collect();
    tasks.sort_by_key(|task| (task.state().0 != "starting", std::cmp::Reverse(task.age())));
    let of_tasks = tasks.into_iter().map(|task| {
        let mut cells = task.row();
        let story = task.job.and_then(|job| stories.get(&job.key));
        cells.insert(6, story.and_then(cost).unwrap_or_else(|| "-".to_owned()));
        WatchedRow { job: task.job.cloned(), task: Some(task.task.clone()), cells }
    });
    let of_jobs = waiting.iter().map(|job| {
        let cells = waiting_row(job, stories.get(&job.key));
        WatchedRow { job: Some((*job).clone()), task: None, cells }
    });
    of_jobs.chain(of_tasks).collect()
}

/// The table of these rows: a head, and a line for each. Without rows it has no line.
pub fn watched_table(rows: &[&WatchedRow], width: usize) -> Vec<String> {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells.clone()).collect();
    match cells.is_empty() {
        true => Vec::new(),
        false => table_lines(&WATCHED, &cells, Some(width)),
    }
}

fn waiting_row(job: &KnownJob, story: Option<&JobStory>) -> Vec<String> {
    let or_dash = |text: Option<String>| escape(&text.unwrap_or_else(|| "-".to_owned()));
    let since = job.since().and_then(|since| SystemTime::now().duration_since(since).ok());
    let why = story.and_then(headline).unwrap_or_else(|| "asking for a task".to_owned());
    vec![
        format!("{} waiting", StateMark::Waiting.symbol(false)),
        or_dash(since.map(ticking)),
        escape(&job.name()),
        or_dash(story.and_then(|story| story.description.project.clone())),
        "-".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
        escape(&why),
    ]
}

/// What all tries of a job cost so far, as an estimate.
fn cost(story: &JobStory) -> Option<String> {
    let tries: Vec<u64> = story.tries.iter().filter_map(|of| of.cost_micro_usd).collect();
    let micro_usd: u64 = tries.iter().sum();
    let hundredths_of_cents = micro_usd / 100;
    let (whole, rest) = (hundredths_of_cents / 10_000, hundredths_of_cents % 10_000);
    (!tries.is_empty()).then(|| format!("${whole}.{rest:04}"))
}

/// How many tasks there are and who told, in words.
pub fn words(host: &str, listing: &TaskListing) -> String {
    let told = match listing.source {
        TaskListSource::Daemon => "told by the daemon",
        TaskListSource::Ecs => "no daemon, told by ECS",
    };
    match listing.tasks.len() {
        0 => format!("no task is live on host {}; {told}", escape(host)),
        1 => format!("1 task is live on host {}; {told}", escape(host)),
        n => format!("{} tasks are live on host {}; {told}", count(n as u64), escape(host)),
    }
}
