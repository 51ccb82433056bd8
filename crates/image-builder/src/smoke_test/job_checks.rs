//! What the job of a test does: it looks at its environment, checks a repository out, fails with a status,
//! and writes much. Each check is one script, as each stage of a job is.

use std::time::Duration;

use fargate_model::text::{bytes, escape_within};

use super::image_facts::ImageFacts;
use super::phase::PhaseLog;
use super::phase_problem::PhaseProblem;
use super::test_container::TestContainer;
use super::test_job::{EndedScript, SmokeJob};
use crate::event::ImageStep;

/// How long one script may take.
const SHORT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(180);
/// Most names that a warning lists.
const NAMES: usize = 10;
/// What the failing script exits with: no shell and no program uses it by itself.
const STATUS: u8 = 7;
/// Pieces of the large output, and the bytes of each: 10 MiB together.
const PIECES: usize = 160;
const PIECE_BYTES: usize = 65_536;
/// Bytes before the filling of a piece: its number, and four that a terminal or a filter would change.
const HEAD_BYTES: usize = 12;

/// A repository that is made, cloned and compared in a temporary folder. A script's own settings of git have
/// no part in it.
const CHECKOUT: &str = r#"
command -v git >/dev/null 2>&1 || { echo none; exit 0; }
folder="${TMPDIR:-/tmp}/fargate-runner-smoke-test-$$"
trap 'rm -rf "$folder"' EXIT
set -e
mkdir -p "$folder/home"
export HOME="$folder/home" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
version=$(git --version)
git init -q "$folder/origin"
echo "content of the smoke test" >"$folder/origin/file"
cd "$folder/origin"
git add file
git -c user.name=test -c user.email=test@localhost commit -q -m first
git clone -q "$folder/origin" "$folder/copy"
read -r line <"$folder/copy/file"
[ "$line" = "content of the smoke test" ]
echo "$version"
"#;

/// Does all of them.
pub(super) async fn all(
    job: &SmokeJob,
    facts: &ImageFacts,
    container: &TestContainer,
    log: &mut PhaseLog,
) -> Result<(), PhaseProblem> {
    let run = log.run().clone();
    let warn = |text: String| run.events.warn(ImageStep::SmokeTest, text);
    log.check("environment", SHORT, container, environment(job, facts, &warn)).await?;
    log.check("checkout", LONG, container, checkout(job)).await?;
    log.check("exit status", SHORT, container, exit_status(job)).await?;
    log.check("large output", LONG, container, large_output(job)).await
}

/// The folders that the image adds to PATH are in that of the script.
async fn environment(
    job: &SmokeJob,
    facts: &ImageFacts,
    warn: &impl Fn(String),
) -> Result<(bool, String), PhaseProblem> {
    let names = facts.other_names();
    let mut script = "printf '%s\\n' \"$PATH\"\n".to_owned();
    for name in &names {
        script += &format!("[ \"${{{name}+x}}\" ] || printf '%s\\n' {name}\n");
    }
    let ended = job.script(&(script + ":\n")).await?;
    require_status(&ended, 0)?;
    let text = String::from_utf8_lossy(&ended.output).into_owned();
    let mut lines = text.lines();
    let seen: Vec<&str> = lines.next().unwrap_or_default().split(':').collect();
    let unset: Vec<&str> = lines.filter(|line| names.contains(line)).collect();
    if !unset.is_empty() {
        warn(format!(
            "scripts do not see {} of the image: {} does not pass the image's variables on; the agent does",
            shown_names(&unset),
            job.peer()
        ));
    }
    let added = facts.added_folders();
    let missing: Vec<&str> =
        added.iter().copied().filter(|folder| !seen.contains(folder)).collect();
    if missing.is_empty() {
        return Ok((
            true,
            match added.len() {
                0 => "the image adds no folder to PATH".to_owned(),
                _ => format!("PATH has {}", shown_names(&added)),
            },
        ));
    }
    Err(PhaseProblem::image(
        format!(
            "scripts do not find what the image has in {}: it is in the image's PATH, and not in that of the \
             script",
            shown_names(&missing)
        ),
        "a stock sshd gives scripts a PATH of its own: let the entry point write `SetEnv PATH=...` into \
         sshd_config, or use the agent, which keeps the image's variables",
    ))
}

fn shown_names(names: &[&str]) -> String {
    let first = names.iter().take(NAMES).map(|name| escape_within(name, 80));
    let first = first.collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES) {
        Some(more) if more > 0 => format!("{first} and {more} more"),
        _ => first,
    }
}

async fn checkout(job: &SmokeJob) -> Result<(bool, String), PhaseProblem> {
    let ended = job.script(CHECKOUT).await?;
    require_status(&ended, 0)?;
    match String::from_utf8_lossy(&ended.output).trim() {
        "none" => Ok((false, "the image has no git, so nothing was checked out".to_owned())),
        version if version.starts_with("git version ") => {
            Ok((true, format!("{}, one commit checked out", escape_within(version, 40))))
        }
        other => Err(PhaseProblem::image(
            format!("`git --version` said \"{}\"", escape_within(other, 80)),
            "look at what `git` is in the image",
        )),
    }
}

async fn exit_status(job: &SmokeJob) -> Result<(bool, String), PhaseProblem> {
    let ended = job.script(&format!("exit {STATUS}\n")).await?;
    require_status(&ended, STATUS)?;
    Ok((true, format!("{STATUS} arrived as {STATUS}")))
}

async fn large_output(job: &SmokeJob) -> Result<(bool, String), PhaseProblem> {
    let ended = job.script(&output_script()).await?;
    require_status(&ended, 0)?;
    let expected = expected_output();
    let differs = expected.iter().zip(&ended.output).position(|(one, other)| one != other);
    let at = differs.or((expected.len() as u64 != ended.output_bytes)
        .then_some(expected.len().min(ended.output.len())));
    match at {
        None => Ok((true, format!("{} arrived byte for byte", bytes(ended.output_bytes)))),
        Some(at) => Err(PhaseProblem::image(
            format!(
                "of {} bytes of output {} arrived; they differ from byte {at} on",
                expected.len(),
                ended.output_bytes
            ),
            "look for what writes into the output of scripts, such as the shell's start files",
        )),
    }
}

fn output_script() -> String {
    // Only what each shell has by itself.
    format!(
        "fill=0123456789abcdef\n\
         while [ ${{#fill}} -lt {PIECE_BYTES} ]; do fill=$fill$fill; done\n\
         fill=${{fill%????????????}}\n\
         number=0\n\
         while [ $number -lt {PIECES} ]; do\n\
         printf '%08d\\000\\377\\r\\033' $number\n\
         printf '%s' \"$fill\"\n\
         number=$((number + 1))\n\
         done\n"
    )
}

fn expected_output() -> Vec<u8> {
    let fill = b"0123456789abcdef".repeat(PIECE_BYTES / 16);
    let mut expected = Vec::with_capacity(PIECES * PIECE_BYTES);
    for number in 0..PIECES {
        expected.extend_from_slice(format!("{number:08}").as_bytes());
        expected.extend_from_slice(b"\x00\xff\r\x1b");
        expected.extend_from_slice(&fill[..PIECE_BYTES - HEAD_BYTES]);
    }
    expected
}

fn require_status(ended: &EndedScript, status: u8) -> Result<(), PhaseProblem> {
    if ended.status == status {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&ended.errors);
    let said = match errors.trim() {
        "" => "it said nothing".to_owned(),
        said => format!("it said \"{}\"", escape_within(said, 300)),
    };
    Err(PhaseProblem::image(
        format!("the script ended with {} where {status} was expected; {said}", ended.status),
        "run the same in a container of the image by hand",
    ))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn by_shell(shell: &str, script: &str) -> std::process::Output {
        Command::new(shell).args(["-c", script]).stdin(Stdio::null()).output().unwrap()
    }

    #[test]
    fn each_shell_writes_the_large_output_that_is_expected() {
        let expected = expected_output();
        assert_eq!(expected.len(), 10 * 1024 * 1024);
        for shell in ["sh", "bash"] {
            let made = by_shell(shell, &output_script());
            assert!(made.stdout == expected, "{shell}: {} bytes", made.stdout.len());
        }
    }

    #[test]
    fn a_checkout_leaves_nothing_behind_and_says_whether_there_is_git() {
        let folder = tempfile::tempdir().unwrap();
        let run = |path: &str| {
            let script = format!(
                "TMPDIR={} PATH={path}; export TMPDIR\n{CHECKOUT}",
                folder.path().display()
            );
            let made = by_shell("/bin/sh", &script);
            assert!(made.status.success(), "{made:?}");
            String::from_utf8(made.stdout).unwrap()
        };
        assert!(run("/usr/bin:/bin").starts_with("git version "));
        assert_eq!(run("/nonexistent").trim(), "none");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
