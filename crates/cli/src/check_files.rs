//! What `config check` sees of the files that a configuration is and names: who else may change them,
//! and whether the log can hold what is written to it. Nothing is opened, made or refused here.

use std::fs::{self, FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use fargate_config::{ConfigProblem, RunnerConfig};
use fargate_model::text::{escape, shell_word};
use fargate_state::{StateFolder, is_trusted_owner, others_may_write, user_name};

/// Everything that is noticed, for `config check`.
pub fn doubts(path: &Path, config: &RunnerConfig) -> Vec<ConfigProblem> {
    let problem =
        |(key, (message, hint)): (Option<&str>, (String, Option<String>))| ConfigProblem {
            path: path.to_owned(),
            line: None,
            key: key.map(str::to_owned),
            message,
            hint,
        };
    let log = config.log_file.as_deref().and_then(log_file).map(|doubt| (Some("log_file"), doubt));
    let state = state_folder(&config.state_dir).map(|doubt| (Some("state_dir"), doubt));
    let own = writers(path, &config.state_dir).into_iter().map(|doubt| (None, doubt));
    own.chain(state).chain(log).map(problem).collect()
}

/// Others than this user who may change what the state folder holds.
fn state_folder(root: &Path) -> Option<(String, Option<String>)> {
    let shared = StateFolder::shared_with_others(root).map(|doubt| (root.to_owned(), doubt));
    let (path, doubt) = shared.or_else(|| StateFolder::distrusted_part(root))?;
    let [root, path] = [root, &path].map(|path| escape(&path.display().to_string()));
    let part = if path == root { String::new() } else { format!(", and no job can use {path}") };
    let message = format!("`state_dir` is {root}{part}: {}", doubt.what);
    Some((message, Some(format!("`{}`", doubt.mend))))
}

/// Others than root and the user of gitlab-runner who may change the file: it says who this host is in
/// AWS, and which program gives the keys.
fn writers(path: &Path, state_dir: &Path) -> Vec<(String, Option<String>)> {
    let Ok(path) = fs::canonicalize(path) else { return Vec::new() };
    let runner = fs::metadata(state_dir).ok().map(|metadata| metadata.uid());
    let is_known = |metadata: &Metadata| {
        is_trusted_owner(metadata.uid()) || runner.is_some_and(|runner| runner == metadata.uid())
    };
    let mut doubts = Vec::new();
    for (path, what) in [(Some(path.as_path()), "this file"), (path.parent(), "its folder")] {
        let Some((path, metadata)) = path.and_then(|path| Some((path, fs::metadata(path).ok()?)))
        else {
            continue;
        };
        let word = shell_word(&path.display().to_string());
        let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        if !is_known(&metadata) {
            let owner = user_name(metadata.uid().into());
            let message = format!("{what} belongs to {owner}, who may change it");
            doubts.push((message, Some(format!("`chown root {word}`"))));
        } else if others_may_write(&metadata) && !is_sticky {
            let mode = metadata.mode() & 0o7777;
            let message =
                format!("{what} may be changed by others than its owner (mode {mode:04o})");
            doubts.push((message, Some(format!("`chmod go-w {word}`"))));
        }
    }
    doubts
}

/// What is odd about the log.
fn log_file(path: &Path) -> Option<(String, Option<String>)> {
    let shown = escape(&path.display().to_string());
    let doubt = |what: String| Some((format!("`log_file` is {shown}: {what}"), None));
    let link = fs::symlink_metadata(path).ok().filter(Metadata::is_symlink);
    if let Some(owner) = link.map(|link| link.uid()).filter(|owner| !is_trusted_owner(*owner)) {
        let owner = user_name(owner.into());
        return doubt(format!(
            "a symbolic link of {owner}; it is not followed, so nothing is logged"
        ));
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(metadata) if metadata.is_dir() => doubt("a folder; nothing is logged".to_owned()),
        Ok(metadata) => doubt(format!(
            "{}, no regular file; lines that it does not take at once are dropped",
            kind(metadata.file_type())
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
            let missing = !folder.is_dir();
            missing.then(|| doubt("its folder is not there, so nothing is logged".to_owned()))?
        }
        Err(error) => doubt(format!("{error}; nothing is logged")),
    }
}

fn kind(file: FileType) -> &'static str {
    if file.is_fifo() {
        "a named pipe"
    } else if file.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
