//! The mark of a job's state: one column wide, with another one where the locale has only ASCII.

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateMark {
    /// It waits for its turn.
    Waiting,
    /// Its task starts.
    Starting,
    /// It runs.
    Running,
    /// Its task is being stopped.
    Stopping,
    /// It passed.
    Passed,
    /// Its script failed.
    Failed,
    /// Something else than its script failed.
    SystemFailure,
    /// Somebody cancelled it.
    Cancelled,
}

impl StateMark {
    /// The mark; `unicode` says whether the locale shows characters outside ASCII.
    #[must_use]
    pub fn symbol(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Waiting, _) => ".",
            (Self::Starting, _) => "~",
            (Self::Running, _) => ">",
            (Self::Stopping, _) => "v",
            (Self::Passed, true) => "✓",
            (Self::Passed, false) => "+",
            (Self::Failed, true) => "✗",
            (Self::Failed, false) => "x",
            (Self::SystemFailure, _) => "!",
            (Self::Cancelled, _) => "-",
        }
    }
}
