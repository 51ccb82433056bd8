//! What one check found, before the catalogue gives it the check's id and name.

use fargate_status_answers::CheckOutcome;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFinding {
    /// What came of it.
    pub outcome: CheckOutcome,
    /// What was found, with ids.
    pub found: String,
    /// What it means for a job, as a clause that the sentence above a report can hold: "tasks in
    /// eu-west-1c have no way out". Failures have one.
    pub consequence: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    /// A command or policy statement to paste.
    pub command: Option<String>,
}

impl CheckFinding {
    fn of(outcome: CheckOutcome, found: impl Into<String>) -> Self {
        Self { outcome, found: found.into(), consequence: None, fix: None, command: None }
    }

    /// As a job needs it.
    pub fn pass(found: impl Into<String>) -> Self {
        Self::of(CheckOutcome::Pass, found)
    }

    /// It works, and this is to be said.
    pub fn warn(found: impl Into<String>) -> Self {
        Self::of(CheckOutcome::Warn, found)
    }

    /// Nobody knows, for this reason.
    pub fn unknown(found: impl Into<String>) -> Self {
        Self::of(CheckOutcome::Unknown, found)
    }

    /// A job would fail, or a rule of security is broken.
    pub fn fail(found: impl Into<String>, consequence: impl Into<String>) -> Self {
        let consequence = Some(consequence.into());
        Self { consequence, ..Self::of(CheckOutcome::Fail, found) }
    }

    /// Nobody knows, because AWS refused the question. `subject` is what is not known.
    #[must_use]
    pub fn not_allowed(subject: &str, right: &str, error: &str) -> Self {
        Self::unknown(format!("{right} is not allowed, so this is not known: {subject} ({error})"))
            .fix(format!("allow {right} to whoever runs the check"))
            .command(format!(r#"{{"Effect":"Allow","Action":"{right}","Resource":"*"}}"#))
    }

    /// Adds what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds what to paste.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// Adds what to paste, where there is something.
    #[must_use]
    pub fn command_if(self, command: Option<String>) -> Self {
        Self { command, ..self }
    }

    /// Whether it is one of these that nobody may overlook.
    #[must_use]
    pub fn is_fail(&self) -> bool {
        self.outcome == CheckOutcome::Fail
    }

    /// The line's text: what was found, and what it means.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.consequence {
            Some(consequence) => format!("{}: {consequence}", self.found),
            None => self.found.clone(),
        }
    }
}
