//! Removes from a task what must not stay in it when a person looks into it: the folders that
//! gitlab-runner made for secrets, and every trace of a secret in a file that the job may have written.
//!
//! No process of the job runs any more. It searches what was changed since the agent started, in all
//! places that can be written and that belong to this task alone. If it cannot be sure, that is an
//! error. It finds secrets as they are, and not in another encoding or in an archive.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fargate_model::text::escape_within;
use fargate_protocol::{SecretTrace, TaskKeepReport};

use crate::trace_search::{TraceMatches, TraceSearch};
use crate::writable_mounts::WritableMounts;

/// What the name of a folder with secrets ends with.
///
/// Source: gitlab-runner, `common/build.go`, `TmpProjectDir`.
const SECRET_FOLDER: &str = ".tmp";
/// What gitlab-runner puts into such a folder, even if no project was cloned beside it.
///
/// Source: gitlab-runner, `shells/abstract.go`.
const SECRET_FOLDER_CONTENT: [&str; 3] =
    ["git-template", "gitlab_runner_env", ".gitlab-runner.ext.conf"];
/// Longest path that an error shows, in characters.
const SHOWN: usize = 120;

/// What to wipe.
pub struct WipeOrder {
    pub traces: Vec<SecretTrace>,
    /// Folders in which gitlab-runner builds.
    pub build_folders: Vec<String>,
    /// Older files are the image's.
    pub changed_since: SystemTime,
    pub deadline: Instant,
}

/// Why it is not sure that everything is wiped.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    #[error("there are too many files to search in the time for it")]
    TooLate,
    #[error("the builds folder {} is on a network file system, where other jobs have files", shown(.0))]
    SharedBuilds(PathBuf),
    #[error("{doing} {}: {source}", shown(path))]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("looking for secrets: {0}")]
    Search(#[from] aho_corasick::BuildError),
}

fn shown(path: &Path) -> String {
    escape_within(&path.to_string_lossy(), SHOWN)
}

fn at<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> WipeError + 'a {
    move |source| WipeError::File { doing, path: path.to_owned(), source }
}

/// Wipes everything.
///
/// # Errors
///
/// Returns [`WipeError`] if a secret may be left.
pub fn wipe(order: &WipeOrder) -> Result<TaskKeepReport, WipeError> {
    let mounts = WritableMounts::of_this_process()
        .map_err(at("reading", Path::new("/proc/self/mountinfo")))?;
    let builds: Vec<PathBuf> = order
        .build_folders
        .iter()
        .map(|folder| fs::canonicalize(folder).unwrap_or_else(|_| PathBuf::from(folder)))
        .collect();
    if let Some(shared) = builds.iter().find(|folder| mounts.is_shared(folder)) {
        return Err(WipeError::SharedBuilds(shared.clone()));
    }
    let search = TraceSearch::new(&order.traces)?;
    let mut wiper =
        FolderWiper { order, builds, search, mounts, report: TaskKeepReport::default() };
    for place in wiper.mounts.own.clone() {
        wiper.wipe_below(place)?;
    }
    Ok(wiper.report)
}

struct FolderWiper<'a> {
    order: &'a WipeOrder,
    builds: Vec<PathBuf>,
    search: TraceSearch,
    mounts: WritableMounts,
    report: TaskKeepReport,
}

impl FolderWiper<'_> {
    /// Wipes a place and all that is in it, but no other place that is mounted in it.
    fn wipe_below(&mut self, place: PathBuf) -> Result<(), WipeError> {
        let mut left = vec![place.clone()];
        while let Some(path) = left.pop() {
            if Instant::now() >= self.order.deadline {
                return Err(WipeError::TooLate);
            }
            if path != place && self.mounts.all.contains(&path) {
                continue;
            }
            let metadata = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(at("reading", &path)(error)),
            };
            if path != place && (self.names_a_secret(&path, &metadata) || self.is_secret(&path)) {
                self.remove(&path, &metadata)?;
            } else if metadata.is_dir() {
                self.enter(&path, &metadata, &mut left)?;
            } else if metadata.is_file() && self.is_changed(&metadata) {
                self.wipe_file(&path, &metadata)?;
            }
        }
        Ok(())
    }

    /// A folder that may not be read, and that nobody changed, is the image's: the user of the job
    /// cannot have written into it.
    fn enter(
        &self,
        path: &Path,
        metadata: &Metadata,
        left: &mut Vec<PathBuf>,
    ) -> Result<(), WipeError> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error)
                if error.kind() == std::io::ErrorKind::PermissionDenied
                    && !self.is_changed(metadata) =>
            {
                return Ok(());
            }
            Err(error) => return Err(at("reading", path)(error)),
        };
        for entry in entries {
            left.push(entry.map_err(at("reading", path))?.path());
        }
        Ok(())
    }

    /// The time of the last change of a file or of its place, which no program can set.
    fn is_changed(&self, metadata: &Metadata) -> bool {
        let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
        let nanos = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
        let changed = UNIX_EPOCH + Duration::new(seconds, nanos);
        changed >= self.order.changed_since
    }

    /// Whether the name holds a secret, or the path to which a link leads.
    fn names_a_secret(&self, path: &Path, metadata: &Metadata) -> bool {
        let name = path.file_name().unwrap_or_default();
        let target = metadata.is_symlink().then(|| fs::read_link(path).ok()).flatten();
        self.search.is_in(name.as_bytes())
            || target.is_some_and(|target| self.search.is_in(target.as_os_str().as_bytes()))
    }

    /// Whether gitlab-runner made this folder for secrets.
    fn is_secret(&self, path: &Path) -> bool {
        let Some(project) = path.to_str().and_then(|path| path.strip_suffix(SECRET_FOLDER)) else {
            return false;
        };
        let is_in_builds = self.builds.iter().any(|builds| path.starts_with(builds));
        is_in_builds
            && path.is_dir()
            && (Path::new(project).is_dir()
                || SECRET_FOLDER_CONTENT.iter().any(|name| path.join(name).exists()))
    }

    fn wipe_file(&mut self, path: &Path, metadata: &Metadata) -> Result<(), WipeError> {
        self.report.searched += 1;
        match self.search.search(path, self.order.deadline) {
            Ok(TraceMatches::Nothing) => Ok(()),
            Ok(TraceMatches::TooLate) => Err(WipeError::TooLate),
            Ok(TraceMatches::At(places)) if TraceSearch::overwrite(path, &places).is_ok() => {
                self.report.masked += 1;
                Ok(())
            }
            Ok(TraceMatches::At(_) | TraceMatches::Uncounted) => self.remove(path, metadata),
            Err(error) => Err(at("searching", path)(error)),
        }
    }

    fn remove(&mut self, path: &Path, metadata: &Metadata) -> Result<(), WipeError> {
        let removed = match metadata.is_dir() {
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        };
        removed.map_err(at("removing", path))?;
        self.report.removed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "glcbt-canary";

    /// Wipes a folder as if it were a place of its own.
    fn wiped(root: &Path, within: Duration) -> Result<TaskKeepReport, WipeError> {
        let traces = vec![SecretTrace { text: TOKEN.to_owned(), is_cut: false }];
        let order = WipeOrder {
            traces: traces.clone(),
            build_folders: Vec::new(),
            changed_since: SystemTime::now() - Duration::from_secs(60),
            deadline: Instant::now() + within,
        };
        let mut wiper = FolderWiper {
            order: &order,
            builds: vec![root.join("builds")],
            search: TraceSearch::new(&traces).unwrap(),
            mounts: WritableMounts::default(),
            report: TaskKeepReport::default(),
        };
        wiper.wipe_below(root.to_owned()).map(|()| wiper.report)
    }

    #[test]
    fn folders_for_secrets_go_and_tokens_in_other_files_are_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("builds/group/project/src/main.rs", "fn main() {}");
        write("builds/group/project.tmp/KEY_FILE", "short");
        write("builds/group/other.tmp/git-template/config", "");
        write("builds/group/project/out/data.tmp/kept", "evidence");
        write("builds/group/project/.git/config", &format!("url = https://ci:{TOKEN}@host/x"));
        write(&format!("tmp/{TOKEN}.txt"), "");
        std::os::unix::fs::symlink(format!("/{TOKEN}"), root.join("tmp/link")).unwrap();
        let report = wiped(root, Duration::from_secs(60)).unwrap();
        assert_eq!((report.removed, report.masked), (4, 1));
        assert!(!root.join("builds/group/project.tmp").exists());
        assert!(!root.join("builds/group/other.tmp").exists());
        assert!(root.join("builds/group/project/out/data.tmp/kept").exists());
        assert!(fs::symlink_metadata(root.join("tmp/link")).is_err());
        let config = fs::read_to_string(root.join("builds/group/project/.git/config")).unwrap();
        assert_eq!(config, format!("url = https://ci:{}@host/x", "*".repeat(TOKEN.len())));
    }

    #[test]
    fn a_search_that_is_not_done_in_time_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("x"), TOKEN).unwrap();
        let error = wiped(root.path(), Duration::ZERO).unwrap_err();
        insta::assert_snapshot!(error, @"there are too many files to search in the time for it");
    }
}
