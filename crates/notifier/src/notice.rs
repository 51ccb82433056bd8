//! One message: that a condition began, or that it is over. What it says as JSON, as a mail and in one line.
//!
//! It holds what it is given: whoever makes a condition leaves out what its readers must not see.

use std::time::Duration;

use fargate_model::text;
use serde::{Deserialize, Serialize};

/// The version of the JSON. It rises when a member goes or changes its meaning; new members do not raise it.
const VERSION: u32 = 1;
/// Longest subject of a mail, in characters. Source: Amazon SNS API Reference, `Publish`.
const LONGEST_SUBJECT: usize = 99;
/// Longest text that one member repeats.
pub(crate) const LONGEST_TEXT: usize = 500;

/// Something that somebody must act on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenCondition {
    /// The name of the cause, or of the condition of the host: `no-capacity`, `ecs-silent`.
    pub name: String,
    /// The class of the cause; `host` for a condition of the host.
    pub class: String,
    /// What happens, lower-case, without a full stop.
    pub headline: String,
    /// How many jobs met it.
    pub jobs: u64,
    /// Of how many projects they are.
    pub projects: u64,
    /// The names of these projects, if they may be told.
    pub project_names: Vec<String>,
    /// Since when: milliseconds since 1970.
    pub since_ms: u64,
    /// What to do.
    pub action: Option<String>,
    /// A command that works as pasted.
    pub command: Option<String>,
    /// The path of the page that shows it.
    pub path: String,
    /// Whether it is enough to be told; a condition that was told stays open without it.
    pub is_enough: bool,
}

/// What a message says of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// It began.
    Opened,
    /// It is over.
    Recovered,
}

impl NoticeKind {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Recovered => "recovered",
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorNotice {
    /// What it says of the condition.
    pub kind: NoticeKind,
    /// The condition, as it was seen last.
    pub condition: OpenCondition,
    /// The host that tells it.
    pub host: String,
    /// When it was made: milliseconds since 1970.
    pub at_ms: u64,
    /// Messages that wait because too many were sent within an hour.
    pub held_back: u64,
    /// The address of the page that shows the condition.
    pub page: Option<String>,
    /// The address of the runbook's page about it.
    pub runbook: Option<String>,
}

/// The body of a message. docs/OPERATIONS.md describes it.
#[derive(Serialize)]
struct NoticeBody<'a> {
    version: u32,
    id: String,
    kind: NoticeKind,
    condition: &'a str,
    class: &'a str,
    host: &'a str,
    text: String,
    headline: String,
    jobs: u64,
    projects: u64,
    project_names: &'a [String],
    since_ms: u64,
    at_ms: u64,
    action: Option<&'a str>,
    command: Option<&'a str>,
    page: Option<&'a str>,
    runbook: Option<&'a str>,
    held_back: u64,
}

impl OperatorNotice {
    /// The same for every try to send this message, so that a receiver can tell a repeated one.
    #[must_use]
    pub fn id(&self) -> String {
        let OpenCondition { name, since_ms, .. } = &self.condition;
        format!("{}/{name}/{since_ms}/{}", self.host, self.kind.word())
    }

    /// The message as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let about = &self.condition;
        let body = NoticeBody {
            version: VERSION,
            id: self.id(),
            kind: self.kind,
            condition: &about.name,
            class: &about.class,
            host: &self.host,
            text: self.line(),
            headline: text::escape_within(&about.headline, LONGEST_TEXT),
            jobs: about.jobs,
            projects: about.projects,
            project_names: &about.project_names,
            since_ms: about.since_ms,
            at_ms: self.at_ms,
            action: about.action.as_deref(),
            command: about.command.as_deref(),
            page: self.page.as_deref(),
            runbook: self.runbook.as_deref(),
            held_back: self.held_back,
        };
        // Texts and whole numbers are always JSON.
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// The message in one sentence.
    #[must_use]
    pub fn line(&self) -> String {
        let about = &self.condition;
        let headline = text::escape_within(&about.headline, LONGEST_TEXT);
        let open = Duration::from_millis(self.at_ms.saturating_sub(about.since_ms));
        match (self.kind, about.jobs) {
            (NoticeKind::Opened, 0) => {
                format!("{}: {headline}, for {}.", self.host, text::ticking(open))
            }
            (NoticeKind::Opened, jobs) => format!(
                "{}: {headline}. {} of {} met it.",
                self.host,
                counted(jobs, "job"),
                counted(about.projects, "project")
            ),
            (NoticeKind::Recovered, _) => {
                format!("{}: over after {}: {headline}.", self.host, text::ticking(open))
            }
        }
    }

    /// The subject of a mail: ASCII, at most 100 characters.
    #[must_use]
    pub fn subject(&self) -> String {
        let over = if self.kind == NoticeKind::Recovered { "over: " } else { "" };
        let subject = format!("[{}] {over}{}", self.host, self.condition.headline);
        let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        subject.chars().take(LONGEST_SUBJECT).map(plain).collect()
    }

    /// The message as a mail has it.
    #[must_use]
    pub fn mail(&self) -> String {
        let about = &self.condition;
        let mut lines = vec![self.line()];
        if self.kind == NoticeKind::Opened {
            let names = about.project_names.join(", ");
            lines.extend((!names.is_empty()).then(|| format!("Projects: {names}")));
            lines.extend(about.action.as_ref().map(|action| format!("Fix: {action}")));
            lines.extend(about.command.as_ref().map(|command| format!("  {command}")));
        }
        lines.extend(self.page.as_ref().map(|page| format!("Page: {page}")));
        lines.extend(self.runbook.as_ref().map(|page| format!("Runbook: {page}")));
        if self.held_back > 0 {
            let waiting = counted(self.held_back, "more message");
            lines.push(format!("{waiting} held back: the limit of an hour is reached."));
        }
        lines.join("\n") + "\n"
    }
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", text::count(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(kind: NoticeKind) -> OperatorNotice {
        OperatorNotice {
            kind,
            condition: OpenCondition {
                name: "no-capacity".to_owned(),
                class: "capacity".to_owned(),
                headline: "no Fargate capacity".to_owned(),
                jobs: 9,
                projects: 2,
                since_ms: 1_795_989_000_000,
                action: Some("let the profile use another size".to_owned()),
                command: Some("fargate-runner config check".to_owned()),
                path: "/history?cause=no-capacity&last=24h".to_owned(),
                is_enough: true,
                ..OpenCondition::default()
            },
            host: "ci-1".to_owned(),
            at_ms: 1_795_989_600_000,
            held_back: 0,
            page: Some("https://ci.example.org/history?cause=no-capacity&last=24h".to_owned()),
            runbook: Some("https://wiki.example.org/no-capacity".to_owned()),
        }
    }

    #[test]
    fn the_json_of_a_message_is_as_documented() {
        let opened: serde_json::Value =
            serde_json::from_str(&notice(NoticeKind::Opened).json()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&opened).unwrap());
        let host = OpenCondition {
            name: "ecs-silent".to_owned(),
            headline: "ECS does not answer".to_owned(),
            since_ms: 1_795_989_348_000,
            ..OpenCondition::default()
        };
        let silent = OperatorNotice { condition: host, ..notice(NoticeKind::Opened) };
        insta::assert_snapshot!(silent.line(), @"ci-1: ECS does not answer, for 4m 12s.");
    }

    #[test]
    fn a_mail_says_what_to_do_and_its_subject_is_one_that_sns_takes() {
        insta::assert_snapshot!(notice(NoticeKind::Opened).mail());
        let mut over = notice(NoticeKind::Recovered);
        insta::assert_snapshot!(over.line(), @"ci-1: over after 10m 00s: no Fargate capacity.");
        over.condition.headline = format!("é\n{}", "x".repeat(200));
        let subject = over.subject();
        assert!(subject.is_ascii() && !subject.contains('\n') && subject.len() <= 100, "{subject}");
    }

    #[test]
    fn a_message_keeps_its_id_and_another_one_has_another() {
        let opened = notice(NoticeKind::Opened);
        let later = OperatorNotice { at_ms: 1_795_989_700_000, ..opened.clone() };
        assert_eq!(opened.id(), later.id());
        assert_ne!(opened.id(), notice(NoticeKind::Recovered).id());
    }
}
