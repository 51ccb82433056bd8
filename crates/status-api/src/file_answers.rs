//! The answer from the report that `fargate-runner check` writes.
//!
//! A file that is not there is the empty state, and one that cannot be read is said in the answer.

use std::io::ErrorKind;
use std::path::Path;

use fargate_model::content_hash::sha256_hex;
use fargate_status_answers::ChecksAnswer;

/// Largest report that is read, and largest configuration file that is compared.
const MAX_REPORT: u64 = 1024 * 1024;

/// What `fargate-runner check` found last, and whether `config_file` changed after that.
#[must_use]
pub fn checks(file: &Path, config_file: &Path) -> ChecksAnswer {
    let mut answer = report(file);
    answer.is_outdated = answer
        .config_sha256
        .as_ref()
        .zip(digest(config_file))
        .is_some_and(|(checked, now)| *checked != now);
    answer
}

fn is_large(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|it| it.len() > MAX_REPORT)
}

fn digest(config_file: &Path) -> Option<String> {
    if is_large(config_file) {
        return None;
    }
    std::fs::read(config_file).ok().map(|bytes| sha256_hex(&bytes))
}

fn report(file: &Path) -> ChecksAnswer {
    let empty = ChecksAnswer {
        answer: "Not checked yet: `fargate-runner check`".to_owned(),
        ..ChecksAnswer::default()
    };
    let broken = |why: String| ChecksAnswer {
        answer: "The report of the checks cannot be read.".to_owned(),
        needs_action: true,
        error: Some(format!("{}: {why}", file.display())),
        ..ChecksAnswer::default()
    };
    if is_large(file) {
        return broken(format!("larger than {MAX_REPORT} bytes"));
    }
    match std::fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => empty,
        Err(error) => broken(error.to_string()),
        Ok(bytes) => {
            serde_json::from_slice(&bytes).unwrap_or_else(|error| broken(error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_cannot_be_read_is_never_a_pass() {
        let root = std::env::temp_dir().join(format!("checks-{}.json", std::process::id()));
        let nowhere = Path::new("");
        assert_eq!(checks(&root, nowhere).answer, "Not checked yet: `fargate-runner check`");
        std::fs::write(&root, "{").unwrap();
        let broken = checks(&root, nowhere);
        std::fs::remove_file(&root).unwrap();
        assert!(broken.needs_action && broken.error.is_some());
    }

    #[test]
    fn a_report_is_old_once_the_configuration_has_changed() {
        let root = std::env::temp_dir().join(format!("checks-old-{}", std::process::id()));
        let config = root.with_extension("toml");
        std::fs::write(&config, "a = 1").unwrap();
        let report = ChecksAnswer { config_sha256: digest(&config), ..ChecksAnswer::default() };
        std::fs::write(&root, serde_json::to_vec(&report).unwrap()).unwrap();
        assert!(!checks(&root, &config).is_outdated);
        std::fs::write(&config, "a = 2").unwrap();
        assert!(checks(&root, &config).is_outdated);
        std::fs::remove_file(&config).unwrap();
        assert!(!checks(&root, &config).is_outdated);
        std::fs::remove_file(&root).unwrap();
    }
}
