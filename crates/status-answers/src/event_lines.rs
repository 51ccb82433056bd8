//! The entries of a journal as lines for people: a moment, a name, and the facts in short. Secrets were masked
//! when the entry was written; whoever shows a line escapes it.

use fargate_events::{FieldValue, JobEvent, JobFact, TaskFact};
use fargate_job_journal::{JournalContent, JournalEntry};
use fargate_model::id::TaskArn;
use fargate_model::text::bytes;

use crate::JobEventLine;
use crate::answer_words::stage_verdict;

/// The line of this entry.
#[must_use]
pub fn event_line(entry: &JournalEntry) -> JobEventLine {
    let (name, text) = match &entry.content {
        JournalContent::Event(event) => (event.schema().name.to_owned(), event_text(event)),
        JournalContent::Fact(fact) => of_fact(fact),
        JournalContent::Unknown(other) => {
            let name = other.get("name").or_else(|| other.get("fact"));
            let name = name.and_then(|name| name.as_str()).unwrap_or("unknown");
            (name.to_owned(), "written by another version".to_owned())
        }
    };
    JobEventLine { at_ms: entry.time_ms, name, text }
}

fn event_text(event: &JobEvent) -> String {
    let fields = event.fields().into_iter().map(|(name, value)| {
        let value = match value {
            FieldValue::Text(text) => text.into_owned(),
            FieldValue::Number(number) => number.to_string(),
            FieldValue::Flag(flag) => flag.to_string(),
        };
        if name == "message" { value } else { format!("{name}={value}") }
    });
    fields.collect::<Vec<_>>().join(" ")
}

fn of_fact(fact: &JobFact) -> (String, String) {
    let (name, text) = match fact {
        JobFact::Described(described) => {
            let image = described.image.as_deref().unwrap_or("-");
            ("job.described", format!("try {} image {image}", described.attempt))
        }
        JobFact::Waits { report } => ("job.waits", report.headline()),
        JobFact::LaunchSent(launch) => (
            "launch.sent",
            format!("{} in {} as {}", launch.definition, launch.subnet, launch.launch),
        ),
        JobFact::LaunchAnswered { task: Some(task), .. } => {
            ("launch.answered", format!("task {task}"))
        }
        JobFact::LaunchAnswered { report, .. } => {
            let why = report.as_ref().map(|report| report.headline());
            ("launch.answered", format!("refused: {}", why.unwrap_or_default()))
        }
        JobFact::TaskSeen(seen) => ("task.seen", task_text(seen)),
        JobFact::AgentReached { proof, .. } => {
            ("agent.reached", proof.as_ref().map_or_else(String::new, |how| format!("proof={how}")))
        }
        JobFact::StageStarted { stage } => ("script.begun", stage.clone()),
        JobFact::StageEnded { stage, exit, output_bytes, verdict, .. } => {
            let exit = exit.map_or_else(String::new, |exit| format!(" exit {exit}"));
            let (verdict, output) = (stage_verdict(*verdict), bytes(*output_bytes));
            ("script.over", format!("{stage} {verdict}{exit}, {output} of output"))
        }
        JobFact::Finished {} => ("job.finished", String::new()),
        JobFact::Explained { report, .. } => {
            ("why", format!("{}: {}", report.entry().slug, report.headline()))
        }
    };
    (name.to_owned(), text)
}

fn task_text(seen: &TaskFact) -> String {
    let mut words = vec![TaskArn(seen.task.clone()).short(), seen.status.clone()];
    words.extend(seen.stop_code.clone());
    words.extend(seen.stop_reason.as_ref().map(|reason| format!("\"{reason}\"")));
    words.extend(seen.container_reason.as_ref().map(|reason| format!("container: \"{reason}\"")));
    words.join(" ")
}
