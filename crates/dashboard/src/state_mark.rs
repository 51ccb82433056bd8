//! The marks of states and verdicts: a shape, a word and a colour, never one of them alone.

use fargate_status_answers::{JobStateWord, JobVerdictWord};
use maud::{Markup, PreEscaped, html};

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkKind {
    Waiting,
    Starting,
    Running,
    Stopping,
    Finished,
    Passed,
    Failed,
    SystemFailure,
    TimedOut,
    Cancelled,
    Unknown,
    Notice,
}

const DISC: &str =
    r#"<circle cx="7" cy="7" r="5.5" fill="none" stroke="currentColor" stroke-width="1.5"/>"#;

impl MarkKind {
    /// The mark of a job: its verdict if it is over, else its state.
    pub(crate) fn of(state: JobStateWord, verdict: Option<JobVerdictWord>) -> Self {
        match (verdict, state) {
            (Some(JobVerdictWord::Passed), _) => Self::Passed,
            (Some(JobVerdictWord::Failed), _) => Self::Failed,
            (Some(JobVerdictWord::SystemFailure), _) => Self::SystemFailure,
            (Some(JobVerdictWord::TimedOut), _) => Self::TimedOut,
            (Some(JobVerdictWord::Cancelled), _) => Self::Cancelled,
            (None, JobStateWord::Waiting) => Self::Waiting,
            (None, JobStateWord::Starting) => Self::Starting,
            (None, JobStateWord::Running) => Self::Running,
            (None, JobStateWord::Stopping) => Self::Stopping,
            (None, JobStateWord::Finished) => Self::Finished,
        }
    }

    /// The mark of a word: `passed`, `system failure` ...
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "passed" => Self::Passed,
            "failed" => Self::Failed,
            "system failure" | "system" => Self::SystemFailure,
            "timed out" => Self::TimedOut,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::SystemFailure => "system failure",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::Unknown => "not known",
            Self::Notice => "notice",
        }
    }

    /// The sign of the terminal, for titles of tabs.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Waiting => ".",
            Self::Starting => "~",
            Self::Running => ">",
            Self::Stopping => "v",
            Self::Passed | Self::Finished => "\u{2713}",
            Self::Failed => "\u{2717}",
            Self::SystemFailure => "!",
            Self::TimedOut => "T",
            Self::Cancelled => "-",
            Self::Unknown => "?",
            Self::Notice => "i",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Waiting | Self::Notice => "s-wait",
            Self::Starting => "s-aws",
            Self::Running => "s-job",
            Self::Stopping | Self::Cancelled | Self::Unknown => "s-muted",
            Self::Passed | Self::Finished => "s-ink",
            Self::Failed | Self::SystemFailure | Self::TimedOut => "s-fail",
        }
    }

    fn shape(self) -> String {
        let stroke = |path: &str| {
            format!(
                r#"<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>"#
            )
        };
        match self {
            Self::Waiting => format!("{DISC}{}", stroke("M7 4v3h2.5")),
            Self::Starting => {
                format!(r#"{DISC}<path d="M1.5 7a5.5 5.5 0 0 0 11 0z" fill="currentColor"/>"#)
            }
            Self::Running => r#"<path d="M3 1.5l9.5 5.5l-9.5 5.5z" fill="currentColor"/>"#.to_owned(),
            Self::Stopping => {
                r#"<rect x="2" y="2" width="10" height="10" fill="none" stroke="currentColor" stroke-width="1.5"/>"#
                    .to_owned()
            }
            Self::Passed | Self::Finished => {
                r#"<path d="M2 7.5l3.5 3.5l6.5-8" fill="none" stroke="currentColor" stroke-width="2"/>"#
                    .to_owned()
            }
            Self::Failed => format!("{DISC}{}", stroke("M5 5l4 4M9 5l-4 4")),
            Self::SystemFailure => format!(
                r#"<path d="M7 1.2l6 11.3h-12z" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/>{}<circle cx="7" cy="10.6" r="0.9" fill="currentColor"/>"#,
                stroke("M7 5.2v3")
            ),
            Self::TimedOut => format!(
                r#"<path d="M11 6a5 5 0 1 0-5 5" fill="none" stroke="currentColor" stroke-width="1.5"/>{}{}"#,
                stroke("M6 3.5v2.5h2"),
                stroke("M9 9l4 4M13 9l-4 4")
            ),
            Self::Cancelled => {
                r#"<rect x="1.5" y="5.5" width="11" height="3" fill="currentColor"/>"#.to_owned()
            }
            Self::Unknown => format!(
                r#"{DISC}{}<circle cx="7" cy="10" r="0.9" fill="currentColor"/>"#,
                stroke("M5.4 5.4a1.6 1.6 0 1 1 2.4 1.4q-.8 .5-.8 1")
            ),
            Self::Notice => format!(
                r#"{DISC}{}<circle cx="7" cy="4.3" r="0.9" fill="currentColor"/>"#,
                stroke("M7 6.8v3")
            ),
        }
    }

    fn drawing(self, label: Option<&str>) -> Markup {
        let label = match label {
            Some(label) => format!(r#"role="img" aria-label="{label}""#),
            None => r#"aria-hidden="true""#.to_owned(),
        };
        PreEscaped(format!(
            r#"<svg class="mark {}" width="14" height="14" viewBox="0 0 14 14" focusable="false" {label}>{}</svg>"#,
            self.class(),
            self.shape()
        ))
    }

    /// The shape alone, with the word as its accessible name.
    pub(crate) fn shape_only(self) -> Markup {
        self.drawing(Some(self.word()))
    }

    /// The shape alone beside words that say the same.
    pub(crate) fn shape_beside_words(self) -> Markup {
        self.drawing(None)
    }

    /// The shape and the word.
    pub(crate) fn with_word(self) -> Markup {
        let mut word = self.word().to_owned();
        if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        html! {
            span.state.(self.class()) { (self.drawing(None)) (word) }
            @if self == Self::SystemFailure { " " span.chip.c-aws { "system" } }
        }
    }
}
