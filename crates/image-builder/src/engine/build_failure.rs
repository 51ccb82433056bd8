//! Why a build came to nothing, from the words of either builder.

use std::time::Duration;

use super::build_log::BuildLog;
use crate::failure::ImageFailure;

/// How long a build may say nothing. Ours: a step that compiles may be silent for long.
pub(super) const SILENCE: Duration = Duration::from_secs(30 * 60);

/// Why the answer of the engine is no image.
pub(super) enum AnswerError {
    /// The engine says why.
    Said(String),
    /// The answer broke off, or cannot be read.
    Lost(String),
    /// Nothing came for [`SILENCE`].
    Silent,
}

/// The failure of a build.
pub(super) fn failure(log: &BuildLog, error: &AnswerError) -> ImageFailure {
    let said = match error {
        AnswerError::Silent => {
            let what = log.failed(&format!("the engine said nothing for {} s", SILENCE.as_secs()));
            let hint = "let the step write something now and then".to_owned();
            return ImageFailure::BuildFailed { what, hint };
        }
        AnswerError::Said(said) => said.clone(),
        AnswerError::Lost(why) => {
            let what = log.failed(&format!("the engine ended its answer: {why}"));
            let hint =
                "look whether dockerd was restarted, and at its log; then try again".to_owned();
            return ImageFailure::BuildFailed { what, hint };
        }
    };
    let (what, said) = (log.failed(&said), said.to_ascii_lowercase());
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["no space left on device"]) {
        let hint = "`docker system df` tells what uses the disk, `docker image prune` frees some";
        return ImageFailure::EngineUnusable { what, hint: hint.to_owned() };
    }
    if has(&[
        "unauthorized",
        "no basic auth credentials",
        "access denied",
        "access to the resource is denied",
    ]) {
        let hint = "pull the base on the engine first, or log in there".to_owned();
        return ImageFailure::RegistryDenied { what, hint };
    }
    let hint = match exit_code(&said) {
        Some(code) => {
            format!("the command of this step ended with {code}; its last lines stand above")
        }
        None if has(&["requires buildkit"]) => {
            "the engine's first builder has no `--mount` and no heredocs".to_owned()
        }
        None if has(&["copy failed", "add failed", "file not found"]) => {
            "look at the paths, and at `.dockerignore`".to_owned()
        }
        None => "correct the Dockerfile".to_owned(),
    };
    ImageFailure::BuildFailed { what, hint }
}

/// The failure of a build that ended without a word about its result.
pub(super) fn no_result(log: &BuildLog) -> ImageFailure {
    ImageFailure::BuildFailed {
        what: log.failed("the engine ended its answer with neither an image nor an error"),
        hint: "look whether dockerd was restarted, and at its log; then try again".to_owned(),
    }
}

/// The exit code that the words of an engine tell: of the first builder, or of BuildKit.
fn exit_code(said: &str) -> Option<u32> {
    ["returned a non-zero code: ", "exit code: "].into_iter().find_map(|words| {
        let (_, after) = said.split_once(words)?;
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_found_in_the_words_of_both_builders() {
        let classic = "the command '/bin/sh -c false' returned a non-zero code: 7";
        assert_eq!(exit_code(classic), Some(7));
        assert_eq!(exit_code("did not complete successfully: exit code: 137, more"), Some(137));
        assert_eq!(exit_code("file not found"), None);
    }
}
