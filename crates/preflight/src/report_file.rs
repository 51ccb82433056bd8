//! The report as a file: what the page shows, with what came of the last runs.
//!
//! It is written whole or not at all, for this user alone, as the other files of the state folder.

use std::path::Path;

use fargate_files::FileError;
use fargate_status_answers::{CheckOutcome, CheckRunMark, ChecksAnswer, MOST_CHECK_RUNS};

/// The file's name in the state folder.
pub const CHECKS_FILE: &str = "checks.json";

/// Writes `answer`, and adds this run to those that the file remembers. A file that cannot be read is
/// replaced: it remembers nothing.
///
/// # Errors
///
/// [`FileError`], if the file cannot be written.
pub fn keep_report(state_dir: &Path, answer: &ChecksAnswer) -> Result<(), FileError> {
    let path = state_dir.join(CHECKS_FILE);
    let former = fargate_files::read(&path).ok().flatten();
    let former = former.and_then(|bytes| serde_json::from_slice::<ChecksAnswer>(&bytes).ok());
    let mut kept = answer.clone();
    kept.runs = former.map(|former| former.runs).unwrap_or_default();
    kept.runs.push(mark_of(answer));
    let surplus = kept.runs.len().saturating_sub(MOST_CHECK_RUNS);
    kept.runs.drain(..surplus);
    let bytes = serde_json::to_vec_pretty(&kept).expect("texts and numbers are JSON");
    fargate_files::write(&path, &bytes)
}

/// This run in short. Lines are in the order of their gravity, so the first one has the gravest outcome.
fn mark_of(answer: &ChecksAnswer) -> CheckRunMark {
    let gravest = answer.checks.first();
    let outcome = gravest.map_or(CheckOutcome::Unknown, |line| line.outcome);
    CheckRunMark {
        at_ms: answer.checked_ms.unwrap_or_default(),
        outcome,
        first: gravest.filter(|_| outcome != CheckOutcome::Pass).map(|line| line.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use fargate_status_answers::CheckLine;

    use super::*;

    fn answer(at_ms: u64, outcome: CheckOutcome) -> ChecksAnswer {
        let line = CheckLine { name: format!("check {at_ms}"), outcome, ..CheckLine::default() };
        ChecksAnswer { checked_ms: Some(at_ms), checks: vec![line], ..ChecksAnswer::default() }
    }

    fn read(folder: &Path) -> ChecksAnswer {
        serde_json::from_slice(&std::fs::read(folder.join(CHECKS_FILE)).unwrap()).unwrap()
    }

    #[test]
    fn the_file_remembers_the_last_thirty_runs_and_is_this_user_s() {
        let folder = tempfile::tempdir().unwrap();
        for at_ms in 0..40 {
            let outcome = if at_ms < 38 { CheckOutcome::Pass } else { CheckOutcome::Fail };
            keep_report(folder.path(), &answer(at_ms, outcome)).unwrap();
        }
        let kept = read(folder.path());
        assert_eq!((kept.runs.len(), kept.runs[0].at_ms), (MOST_CHECK_RUNS, 10));
        assert_eq!((kept.runs[27].outcome, &kept.runs[27].first), (CheckOutcome::Pass, &None));
        assert_eq!(kept.runs[28].first.as_deref(), Some("check 38"));
        let mode = std::fs::metadata(folder.path().join(CHECKS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CHECKS_FILE), "{").unwrap();
        keep_report(folder.path(), &answer(1, CheckOutcome::Pass)).unwrap();
        assert_eq!(read(folder.path()).runs.len(), 1);
    }
}
