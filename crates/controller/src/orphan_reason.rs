//! Why a task is an orphan, and why one is not judged: names for programs, and words for people.

/// Why nobody needs it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrphanReason {
    /// Its deadline has passed, and it should have ended itself.
    Overdue,
    /// It was kept for a person, and the time for that is over.
    HoldOver,
    /// The host has restarted, so no process of the job is left.
    Rebooted,
    /// No process that could call a stage of the job is left.
    ManagerGone,
    /// Its `prepare` or clean-up was interrupted, and no stage can use it.
    CutShort,
    /// The job has been cleaned up.
    CleanedUp,
    /// Its job has no record, and without a record no stage can use it.
    NoRecord,
    /// An earlier try of the job started it, and the job has another task now.
    FormerTry,
}

impl OrphanReason {
    /// The name for programs. It is never changed.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::HoldOver => "hold-over",
            Self::Rebooted => "host-rebooted",
            Self::ManagerGone => "manager-gone",
            Self::CutShort => "cut-short",
            Self::CleanedUp => "cleaned-up",
            Self::NoRecord => "no-record",
            Self::FormerTry => "former-try",
        }
    }

    /// The words for people, to stand after "because".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Overdue => "its deadline is over",
            Self::HoldOver => "the time for which it was kept is over",
            Self::Rebooted => "this host has restarted",
            Self::ManagerGone => "the runner that called its stages is gone",
            Self::CutShort => "its prepare or its clean-up was interrupted",
            Self::CleanedUp => "its job was cleaned up",
            Self::NoRecord => "this host has no record of its job",
            Self::FormerTry => "its job has another task now",
        }
    }
}

/// Why a task of this owner is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnjudgedReason {
    /// Its `startedBy` names another owner, although ECS was asked for this one.
    AnotherOwner,
    /// It names no job, so it is not ours.
    NoJob,
    /// It belongs to another state folder: one of a host with the same owner, or one that was lost.
    AnotherFolder,
    /// This version cannot read the record of its job.
    Unreadable,
    /// It is ours, but some of our tags are missing, or its deadline cannot be read.
    NoDeadline,
}

impl UnjudgedReason {
    /// The name for programs. It is never changed.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::AnotherOwner => "another-owner",
            Self::NoJob => "no-job",
            Self::AnotherFolder => "another-folder",
            Self::Unreadable => "unreadable",
            Self::NoDeadline => "no-deadline",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::AnotherOwner => "another owner started it",
            Self::NoJob => "it names no job of Fargate Runner",
            Self::AnotherFolder => "it belongs to another state folder",
            Self::Unreadable => "the record of its job cannot be read",
            Self::NoDeadline => "its tags have no readable deadline",
        }
    }
}
