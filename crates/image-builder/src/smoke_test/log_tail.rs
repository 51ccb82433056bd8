//! The end of a container's log, for people: without secrets, without control characters, cut to a few lines.

use std::time::Duration;

use bollard::query_parameters::LogsOptions;
use fargate_mask::SharedMasker;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::engine::ImageEngine;
use crate::secret_scan::{LineRedactor, SecretScanner};

/// Most lines, characters of a line, and bytes that are read.
const LINES: usize = 20;
const WIDTH: usize = 200;
const MOST_BYTES: usize = 256 * 1024;
/// How long the engine may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The last lines, with words before them.
pub(super) async fn of(engine: &ImageEngine, container: &str, masker: &SharedMasker) -> String {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: LINES.to_string(),
        ..LogsOptions::default()
    };
    let mut bytes = Vec::new();
    let mut pieces = std::pin::pin!(engine.client().logs(container, Some(options)));
    let read = timeout(PATIENCE, async {
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?.into_bytes());
            if bytes.len() > MOST_BYTES {
                break;
            }
        }
        Ok::<_, bollard::errors::Error>(())
    });
    match read.await {
        Ok(Ok(())) => shown(&bytes, masker),
        Ok(Err(_)) | Err(_) if bytes.is_empty() => {
            "the engine gave no log of the container".to_owned()
        }
        Ok(Err(_)) | Err(_) => shown(&bytes, masker),
    }
}

fn shown(bytes: &[u8], masker: &SharedMasker) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut redactor = LineRedactor::new(SecretScanner::new());
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<String> =
        lines.map(|line| format!("  {}", masker.within(&redactor.line(line), WIDTH))).collect();
    match lines.as_slice() {
        [] => "the container wrote nothing".to_owned(),
        lines => {
            let last = &lines[lines.len().saturating_sub(LINES)..];
            format!("the container's log ends with\n{}", last.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_have_no_secret_and_no_control_character_and_are_few() {
        let masker = SharedMasker::default();
        masker.remember("canary-log-tail");
        let mut text = "line\n".repeat(30);
        text += "\x1b[31mred canary-log-tail\n";
        text += &format!("token ghp_{}\n\n", "q8ZbT3mW9xKcV2nR7sLpD4fGhJ6yEaU5oQ1i");
        let shown = shown(text.as_bytes(), &masker);
        assert_eq!(shown.lines().count(), LINES + 1);
        assert!(
            !shown.contains("canary") && !shown.contains("ghp_") && !shown.contains('\x1b'),
            "{shown}"
        );
        assert!(shown.contains("red "), "{shown}");
        assert_eq!(super::shown(b" \n", &masker), "the container wrote nothing");
    }
}
