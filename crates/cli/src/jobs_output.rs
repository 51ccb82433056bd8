//! What `jobs list` and `jobs show` print: for people, as JSON, as TSV. Never a secret: of a record
//! only the fields that are named here are printed.

use std::time::SystemTime;

use fargate_controller::host_jobs::{JobPhase, KnownJob};
use fargate_controller::host_journals::JobStories;
use fargate_driver::session::host_key_fingerprint;
use fargate_history::JobRow;
use fargate_job_journal::{JobStory, JobVerdict};
use fargate_model::size::FargateSize;
use fargate_model::text::{count, escape, ticking};
use fargate_state::{JobRecord, LaunchRequest, TaskServer};
use fargate_status_answers::{JobAnswer, JobVerdictWord, causes_of};
use fargate_terminal::{StateMark, TableColumn, table_lines};
use serde_json::{Value, json};

use crate::history_rows;
use crate::kept_words::kept_until;

const LIST: [TableColumn; 7] = [
    TableColumn::new("STATE"),
    TableColumn::new("FOR").number(),
    TableColumn::new("JOB"),
    TableColumn::new("PROJECT").dropped(0),
    TableColumn::new("TASK").dropped(1),
    TableColumn::new("SIZE").dropped(2),
    TableColumn::new("NOTE"),
];

/// The jobs of a list: those of this host with their stories, and those that only the history knows.
pub struct ListedJobs<'a> {
    pub known: &'a [KnownJob],
    pub stories: &'a JobStories,
    pub past: &'a [JobRow],
    pub now_ms: u64,
}

impl ListedJobs<'_> {
    /// For a terminal; empty where there is no job.
    pub fn table(&self, width: Option<usize>) -> String {
        let rows = self.rows(true);
        if rows.is_empty() {
            return String::new();
        }
        table_lines(&LIST, &rows, width).join("\n")
    }

    /// One line for each job.
    pub fn tsv(&self) -> String {
        self.rows(false).iter().map(|cells| cells.join("\t")).collect::<Vec<_>>().join("\n")
    }

    /// One document.
    pub fn json(&self) -> String {
        format!("{:#}", json!({ "jobs": self.documents() }))
    }

    /// One document for each job, each on a line of its own.
    pub fn ndjson(&self) -> String {
        self.documents().iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    /// How many jobs there are, in words.
    pub fn words(&self) -> String {
        match (self.known.is_empty(), self.past.len() as u64) {
            (true, 0) => "no job is known on this host".to_owned(),
            (false, 0) => list_words(self.known),
            (_, past) => format!("{}, {} more in the history", list_words(self.known), count(past)),
        }
    }

    fn rows(&self, for_people: bool) -> Vec<Vec<String>> {
        let known =
            self.known.iter().map(|job| list_row(job, self.stories.get(&job.key), for_people));
        let past = self.past.iter().map(|row| history_rows::list_row(row, for_people, self.now_ms));
        let safe = |cells: Vec<String>| cells.iter().map(|cell| escape(cell)).collect();
        known.chain(past).map(safe).collect()
    }

    fn documents(&self) -> Vec<Value> {
        let known = self.known.iter().map(|job| document(job, self.stories.get(&job.key)));
        known.chain(self.past.iter().map(history_rows::document)).collect()
    }
}

/// Why a job waits or failed.
pub fn why_json(answer: &JobAnswer) -> Value {
    json!({
        "job": answer.id,
        "key": answer.key,
        "state": answer.state,
        "verdict": answer.verdict,
        "answer": answer.answer,
        "why": answer.why,
        "then": answer.then,
    })
}

fn list_words(jobs: &[KnownJob]) -> String {
    let number = |phase: fn(JobPhase) -> bool| {
        count(jobs.iter().filter(|job| phase(job.phase)).count() as u64)
    };
    let finished = number(|phase| phase == JobPhase::Finished);
    let alive = number(|phase| phase != JobPhase::Finished);
    format!("{alive} on this host, {finished} cleaned up")
}

fn list_row(job: &KnownJob, story: Option<&JobStory>, for_people: bool) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let ended = story.and_then(|story| story.verdict).filter(|_| job.phase == JobPhase::Finished);
    let state = match (for_people, ended) {
        (true, Some(verdict)) => {
            format!("{} {}", verdict_mark(verdict), JobVerdictWord::from(verdict).words())
        }
        (true, None) => format!("{} {}", mark(job.phase), job.phase.word()),
        (false, _) => job.phase.word().to_owned(),
    };
    let age = match for_people {
        true => job.since().and_then(|since| since.elapsed().ok()).map(ticking),
        false => unix_seconds(job.since()).map(|seconds| seconds.to_string()),
    };
    let record = job.record.as_deref();
    let task = match for_people {
        true => task(job).map(fargate_model::id::TaskArn::short),
        false => task(job).map(|task| task.0.clone()),
    };
    vec![
        state,
        or_dash(age),
        job.name(),
        or_dash(
            record
                .and_then(|record| tag(record, "project"))
                .or_else(|| story?.description.project.clone()),
        ),
        or_dash(task),
        or_dash(record.and_then(last_launch).and_then(size).or_else(|| told_size(story?))),
        match (note(job), ended) {
            (note, Some(_)) if note == "-" => or_dash(story.and_then(headline)),
            (note, _) => note,
        },
    ]
}

/// The size that ECS gave its task.
fn told_size(story: &JobStory) -> Option<String> {
    Some(story.description.size?.to_string())
}

/// Why the last try of a job failed.
/// Why it waits or failed, in a few words; none if nothing is wrong.
pub fn headline(story: &JobStory) -> Option<String> {
    let causes = causes_of(story, story.tries.last()?);
    causes.first().map(fargate_model::cause::CauseReport::headline)
}

fn verdict_mark(verdict: JobVerdict) -> &'static str {
    let mark = match verdict {
        JobVerdict::Passed => StateMark::Passed,
        JobVerdict::Failed => StateMark::Failed,
        JobVerdict::SystemFailure => StateMark::SystemFailure,
        JobVerdict::TimedOut => return "T",
        JobVerdict::Cancelled => StateMark::Cancelled,
    };
    mark.symbol(false)
}

/// What else a person should know, in a few words.
fn note(job: &KnownJob) -> String {
    let failure = job.tombstone.as_ref().and_then(|tombstone| tombstone.failure.as_ref());
    let failure = job.record.as_ref().and_then(|record| record.failure.as_ref()).or(failure);
    match (job.phase, failure) {
        (JobPhase::Unreadable { is_newer: true }, _) => {
            "a newer version wrote its record".to_owned()
        }
        (JobPhase::Unreadable { is_newer: false }, _) => "its record is damaged".to_owned(),
        (JobPhase::Kept(kept), _) => kept_until(kept, SystemTime::now()),
        (_, Some(why)) => why.headline(),
        (
            JobPhase::Starting | JobPhase::Running | JobPhase::Stopping | JobPhase::Finished,
            None,
        ) => match job.tombstone.as_ref().map(|tombstone| tombstone.tries) {
            Some(tries @ 2..) => format!("{tries} tries"),
            _ => "-".to_owned(),
        },
    }
}

/// The mark of a state. How a job ended, only its journal and its forge know.
fn mark(phase: JobPhase) -> &'static str {
    let mark = match phase {
        JobPhase::Starting => StateMark::Starting,
        JobPhase::Running => StateMark::Running,
        JobPhase::Kept(_) => StateMark::Failed,
        JobPhase::Stopping => StateMark::Stopping,
        JobPhase::Unreadable { .. } => StateMark::SystemFailure,
        JobPhase::Finished => return " ",
    };
    mark.symbol(false)
}

/// For people: a head line, and one line for each fact.
pub fn show_lines(job: &KnownJob) -> String {
    let symbol = mark(job.phase);
    let age = job.since().and_then(|since| since.elapsed().ok()).map(ticking);
    let age = age.map(|age| match job.phase {
        JobPhase::Finished => format!(", cleaned up {age} ago"),
        _ => format!(" for {age}"),
    });
    let head = format!("{symbol} {}  {}{}", job.name(), job.phase.word(), age.unwrap_or_default());
    format!("{}\n\n{}", escape(&head), fact_lines(&facts(job)))
}

/// One line for each fact: its name and its value.
pub fn show_tsv(job: &KnownJob) -> String {
    let state = ("state", job.phase.word().to_owned());
    let lines = std::iter::once(state).chain(facts(job));
    lines.map(|(name, value)| format!("{name}\t{}", escape(&value))).collect::<Vec<_>>().join("\n")
}

/// One document: what the record says, and in `history` what the journal tells.
pub fn show_json(job: &KnownJob, answer: Option<&JobAnswer>) -> Value {
    let mut document = document(job, None);
    document["verdict"] = json!(answer.and_then(|answer| answer.verdict));
    document["history"] = json!(answer);
    document
}

/// What only the record says, one line for each fact.
pub fn record_lines(job: &KnownJob) -> String {
    const OF_RECORD: [&str; 7] =
        ["key", "pipeline", "address", "user", "host key", "ends itself", "note"];
    let facts: Vec<_> =
        facts(job).into_iter().filter(|(name, _)| OF_RECORD.contains(name)).collect();
    fact_lines(&facts)
}

fn fact_lines(facts: &[(&str, String)]) -> String {
    let widest = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| format!("{name:widest$}  {}", escape(value));
    facts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is known, in the order in which people ask for it.
fn facts(job: &KnownJob) -> Vec<(&'static str, String)> {
    let mut facts = vec![("key", job.key.as_str().to_owned())];
    let mut add =
        |name: &'static str, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    let record = job.record.as_deref();
    let launch = record.and_then(last_launch);
    add("project", record.and_then(|record| tag(record, "project")));
    add("pipeline", record.and_then(|record| tag(record, "pipeline")));
    add("profile", record.and_then(|record| tag(record, "profile")));
    add("task", task(job).map(|task| task.0.clone()));
    add("definition", launch.map(|launch| launch.task_definition.clone()));
    add("size", launch.and_then(size));
    add("capacity", launch.map(|launch| launch.purchase.name()));
    add("cluster", record.map(|record| record.location.cluster.clone()));
    add("region", record.map(|record| record.location.region.clone()));
    add("subnet", launch.map(|launch| launch.subnet.clone()));
    add("address", record.and_then(|record| record.address).map(|address| address.to_string()));
    add("server", record.and_then(|record| record.peer.as_ref()).map(server));
    add("user", record.map(|record| record.user.clone()));
    add("host key", record.and_then(|record| host_key_fingerprint(&record.host_key)));
    add("tries", tries(job).map(|tries| tries.to_string()));
    add("ends itself", record.and_then(|record| ends_in(record.deadline_unix_s)));
    add("note", Some(note(job)).filter(|note| note != "-"));
    facts
}

/// The same for programs. Names of fields are never renamed.
fn document(job: &KnownJob, story: Option<&JobStory>) -> Value {
    let record = job.record.as_deref();
    let launch = record.and_then(last_launch);
    let failure = record.and_then(|record| record.failure.as_ref());
    let failure = failure.or_else(|| job.tombstone.as_ref()?.failure.as_ref());
    json!({
        "job": job.name(),
        "key": job.key.as_str(),
        "state": job.phase.word(),
        "verdict": story.and_then(|story| story.verdict),
        "since_unix_s": unix_seconds(job.since()),
        "project": record.and_then(|record| tag(record, "project")),
        "pipeline": record.and_then(|record| tag(record, "pipeline")),
        "profile": record.and_then(|record| tag(record, "profile")),
        "task": task(job).map(|task| task.0.as_str()),
        "task_definition": launch.map(|launch| launch.task_definition.as_str()),
        "cpu_units": launch.and_then(|launch| launch.cpu_units),
        "memory_mib": launch.and_then(|launch| launch.memory_mib),
        "capacity": launch.map(|launch| launch.purchase.name()),
        "cluster": record.map(|record| record.location.cluster.as_str()),
        "region": record.map(|record| record.location.region.as_str()),
        "subnet": launch.map(|launch| launch.subnet.as_str()),
        "address": record.and_then(|record| record.address).map(|address| address.to_string()),
        "server": record.and_then(|record| record.peer.as_ref()).map(server),
        "user": record.map(|record| record.user.as_str()),
        "host_key": record.and_then(|record| host_key_fingerprint(&record.host_key)),
        "tries": tries(job),
        "deadline_unix_s": record.map(|record| record.deadline_unix_s),
        "cause": failure.map(|why| why.entry().slug),
        "headline": failure.map(fargate_model::cause::CauseReport::headline),
    })
}

/// Why there is no log of a job without a record.
pub fn no_record_words(job: &KnownJob) -> String {
    let name = escape(&job.name());
    match (job.phase, task(job)) {
        (JobPhase::Finished, Some(task)) => format!(
            "job {name} is over, and its record is gone; a log group of its task definition may still hold the stream that ends with {}",
            escape(task.task_id())
        ),
        (JobPhase::Starting, _) => format!("job {name} is still starting: it has no task yet"),
        _ => format!("job {name} has no record that can be read, so its log cannot be found"),
    }
}

fn last_launch(record: &JobRecord) -> Option<&LaunchRequest> {
    record.launches.last()
}

fn tag(record: &JobRecord, name: &str) -> Option<String> {
    last_launch(record)?.tags.get(&format!("fargate-runner:{name}")).cloned()
}

fn task(job: &KnownJob) -> Option<&fargate_model::id::TaskArn> {
    let of_record = job.record.as_ref().and_then(|record| record.location.task.as_ref());
    of_record.or_else(|| job.tombstone.as_ref()?.task.as_ref())
}

fn tries(job: &KnownJob) -> Option<u32> {
    let of_record = job.record.as_ref().map(|record| record.attempt);
    of_record.or_else(|| job.tombstone.as_ref().map(|tombstone| tombstone.tries))
}

/// What the launch asked for; `None` where the task definition decides.
fn size(launch: &LaunchRequest) -> Option<String> {
    let (cpu_units, memory_mib) = (launch.cpu_units?, launch.memory_mib?);
    Some(FargateSize { cpu_units, memory_mib }.to_string())
}

fn server(server: &TaskServer) -> String {
    match server {
        TaskServer::Agent(name) | TaskServer::Sshd(name) => name.clone(),
    }
}

fn ends_in(deadline_unix_s: u64) -> Option<String> {
    let now = unix_seconds(Some(SystemTime::now()))?;
    Some(match deadline_unix_s.checked_sub(now) {
        Some(left) => format!("in {}", ticking(std::time::Duration::from_secs(left))),
        None => "its time is over".to_owned(),
    })
}

fn unix_seconds(time: Option<SystemTime>) -> Option<u64> {
    Some(time?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
}
