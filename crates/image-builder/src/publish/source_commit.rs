//! The commit that a folder is at, and whether files that count differ from it, as git says.
//!
//! git writes nothing: it takes no lock, and no monitor of the repository is started.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fargate_model::text::escape_within;
use tokio::process::Command;
use tokio::time::timeout;

/// How long git may take for one answer.
const GIT_TIME: Duration = Duration::from_secs(30);

/// What git says of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceCommit {
    /// The whole hash.
    pub commit: String,
    /// A file that differs from it, by its path in the folder.
    pub changed: Option<String>,
}

impl SourceCommit {
    /// Asks git. `counts` says whether a path below the folder matters: an error of git is a text in one
    /// line.
    pub async fn read(folder: &Path, counts: impl Fn(&str) -> bool) -> Result<Self, String> {
        let place = git(folder, &["rev-parse", "--show-prefix", "HEAD"]).await?;
        let place = String::from_utf8_lossy(&place).into_owned();
        let (prefix, commit) = place.split_once('\n').ok_or("git does not tell the commit")?;
        let commit = commit.trim().to_owned();
        let status = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all"];
        let status = git(folder, &[&status[..], &["--", "."]].concat()).await?;
        let changed = changed_paths(&status, prefix).into_iter().find(|path| counts(path));
        Ok(Self { commit, changed })
    }
}

/// The paths of `git status -z`, from the folder on.
fn changed_paths(status: &[u8], prefix: &str) -> Vec<String> {
    let entries = status.split(|byte| *byte == 0).filter(|entry| entry.len() > 3);
    let path = |entry: &[u8]| {
        // Two letters and a space stand before it.
        let path = String::from_utf8_lossy(&entry[3..]).into_owned();
        path.strip_prefix(prefix).map_or_else(|| path.clone(), str::to_owned)
    };
    entries.map(path).collect()
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false"]).args(arguments);
    git.env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(GIT_TIME, git.output()).await;
    let output = output
        .map_err(|_| format!("git gave no answer within {} s", GIT_TIME.as_secs()))?
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let line = words.lines().next().unwrap_or("git failed and said nothing");
    Err(escape_within(line, 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_folder_and_may_hold_anything() {
        let status = b" M images/ci/Dockerfile\0?? images/ci/a b\nc\0 D images/ci/gone\0";
        assert_eq!(changed_paths(status, "images/ci/"), ["Dockerfile", "a b\nc", "gone"]);
        assert_eq!(changed_paths(b"", ""), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_folder_is_clean_until_a_file_that_counts_differs() {
        let folder = tempfile::tempdir().unwrap();
        let (root, below) = (folder.path(), folder.path().join("ci"));
        std::fs::create_dir(&below).unwrap();
        let read = || SourceCommit::read(&below, |path| path != "ignored");
        assert!(read().await.unwrap_err().contains("not a git repository"));
        std::fs::write(below.join("Dockerfile"), "FROM scratch\n").unwrap();
        git(root, &["init", "--quiet"]).await.unwrap();
        git(root, &["add", "."]).await.unwrap();
        let author = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        git(root, &[&author[..], &["commit", "--quiet", "-m", "one"]].concat()).await.unwrap();
        for elsewhere in [root.join("other"), below.join("ignored")] {
            std::fs::write(elsewhere, "1").unwrap();
        }
        let clean = read().await.unwrap();
        assert_eq!((clean.commit.len(), clean.changed), (40, None));
        std::fs::write(below.join("new"), "1").unwrap();
        assert_eq!(read().await.unwrap().changed.as_deref(), Some("new"));
        std::fs::remove_file(below.join("new")).unwrap();
        std::fs::remove_file(below.join("Dockerfile")).unwrap();
        assert_eq!(read().await.unwrap().changed.as_deref(), Some("Dockerfile"));
    }
}
