//! The names of a job's stages. What each does, and in which order they come, is decided elsewhere.

use std::fmt;

/// One stage of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildStage {
    /// Says where the job runs.
    PrepareScript,
    /// Fetches the commit.
    GetSources,
    /// Empties the work tree before the second try of [`BuildStage::GetSources`].
    ClearWorktree,
    /// Unpacks the caches.
    RestoreCache,
    /// Fetches the artifacts of earlier jobs.
    DownloadArtifacts,
    /// A script of the user, or one that the server added: the name of its step.
    Step(String),
    /// What runs after the user's script, whatever came of it.
    AfterScript,
    /// Packs the caches of this outcome.
    ArchiveCache {
        /// Whether the scripts passed.
        passed: bool,
    },
    /// Uploads the artifacts of this outcome.
    UploadArtifacts {
        /// Whether the scripts passed.
        passed: bool,
    },
    /// Removes what held variables.
    CleanupFileVariables,
}

impl fmt::Display for BuildStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrepareScript => "prepare_script",
            Self::GetSources => "get_sources",
            Self::ClearWorktree => "clear_worktree",
            Self::RestoreCache => "restore_cache",
            Self::DownloadArtifacts => "download_artifacts",
            // The custom executor still gets the old name of the user's script.
            Self::Step(name) if name == "script" => "build_script",
            Self::Step(name) => return write!(f, "step_{name}"),
            Self::AfterScript => "after_script",
            Self::ArchiveCache { passed: true } => "archive_cache",
            Self::ArchiveCache { passed: false } => "archive_cache_on_failure",
            Self::UploadArtifacts { passed: true } => "upload_artifacts_on_success",
            Self::UploadArtifacts { passed: false } => "upload_artifacts_on_failure",
            Self::CleanupFileVariables => "cleanup_file_variables",
        })
    }
}
