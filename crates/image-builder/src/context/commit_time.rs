//! The one time that all entries of a context get, so that two builds of one commit are equal.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long git may take.
const GIT_TIME: Duration = Duration::from_secs(10);
/// The latest time that a header of a tar file can hold: eleven octal digits.
const MAX_TIME_S: u64 = 0o77_777_777_777;

/// `source_date_epoch` where it is a number (the variable `SOURCE_DATE_EPOCH`), else the time of the last
/// commit that changed the folder, else 0: seconds since 1970.
///
/// Source of the variable: reproducible-builds.org, "`SOURCE_DATE_EPOCH` specification".
pub async fn content_time(folder: &Path, source_date_epoch: Option<&str>) -> u64 {
    let given = source_date_epoch.and_then(|text| text.trim().parse().ok());
    let time_s = match given {
        Some(time_s) => Some(time_s),
        None => last_commit(folder).await,
    };
    time_s.filter(|time_s| *time_s <= MAX_TIME_S).unwrap_or(0)
}

async fn last_commit(folder: &Path) -> Option<u64> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["log", "-1", "--format=%ct", "--", "."]);
    git.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(GIT_TIME, git.output()).await.ok()?.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
