//! Bad input: the driver prints exactly one `error:` line that explains itself, exits with the
//! right class, does not panic, and leaves nothing running.

mod clock_changes;
mod configuration_file;
mod first_commands;
mod host_settings;
mod job_environment;
mod job_response_file;
mod log_file;
mod private_memory;
mod process_limits;
mod state_folder;

use fargate_tests::{SYSTEM_FAILURE, TestJob, TestProcessResult};

/// Every stage in gitlab-runner's order, and how each ended.
pub async fn every_stage(job: &TestJob) -> Vec<(&'static str, TestProcessResult)> {
    vec![
        ("config", job.config().await),
        ("prepare", job.prepare().await),
        ("run", job.run("echo never").await),
        ("cleanup", job.cleanup().await),
    ]
}

/// Each stage ended as a system failure with one line, which holds `words`, on the stream where
/// gitlab-runner shows it, and printed nothing that could be taken for something else.
pub fn refused(stages: &[(&'static str, TestProcessResult)], words: &str) {
    for (stage, ended) in stages {
        let said = ended.all();
        assert_eq!(ended.code, SYSTEM_FAILURE, "{stage}: {said}");
        let line = ended.error_line();
        assert!(line.contains(words), "{stage}: {words:?} in {line:?}");
        let other = if *stage == "prepare" { ended.err() } else { ended.out() };
        assert_eq!(other, "", "{stage}");
        let ours = line.starts_with("fargate-runner: error: ");
        assert_eq!(ours, *stage == "run", "{stage}: {line}");
    }
}
