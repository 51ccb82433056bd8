//! Why something waits or failed: one entry of the catalogue with the facts of the case.

use fargate_model::cause::CauseReport;
use serde::{Deserialize, Serialize};

/// Headline, evidence and what to do, always together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WhyAnswer {
    /// The stable name of the cause.
    pub slug: String,
    /// Its class, the label of metrics.
    pub class: String,
    /// Who can mend it: `job`, `setup`, `AWS`, `runner`, `person`, `forge`.
    pub who: String,
    /// What happened, lower-case, without a full stop.
    pub headline: String,
    /// Sentences with numbers; words of AWS in quotation marks.
    pub evidence: Vec<String>,
    /// What AWS or the task said, word for word.
    pub quotes: Vec<String>,
    /// What to do.
    pub action: Option<String>,
    /// A command that works as pasted.
    pub command: Option<String>,
    /// What happens next: `waits`, `retries`, `final`.
    pub next: String,
}

impl WhyAnswer {
    /// The answer for one report.
    #[must_use]
    pub fn of(report: &CauseReport) -> Self {
        let entry = report.entry();
        let action = report.action();
        Self {
            slug: entry.slug.to_owned(),
            class: entry.class.to_owned(),
            who: entry.who.word().to_owned(),
            headline: report.headline(),
            evidence: report.evidence.iter().map(ToString::to_string).collect(),
            quotes: report.evidence.iter().filter_map(|evidence| evidence.quote.clone()).collect(),
            action: (!action.is_empty()).then_some(action),
            command: report.command(),
            next: entry.next.word().to_owned(),
        }
    }
}
