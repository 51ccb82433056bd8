//! Looks at the configuration file and at the files that it names, for `config check`: who else may
//! change them, and whether the log can be written. It opens, makes and refuses nothing.

use std::fs::{self, FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use fargate_config::{ConfigProblem, RunnerConfig};
use fargate_model::text::{escape, shell_word};
use fargate_state::{StateFolder, is_trusted_owner, others_may_write, user_name};

/// Everything that is noticed.
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

/// Who else may change what the state folder holds, or make files in it.
fn state_folder(root: &Path) -> Option<(String, Option<String>)> {
    let shared = StateFolder::shared_with_others(root).map(|doubt| (root.to_owned(), doubt));
    let Some((path, doubt)) = shared.or_else(|| StateFolder::distrusted_part(root)) else {
        return open_to_all(root);
    };
    let [root, path] = [root, &path].map(|path| escape(&path.display().to_string()));
    let part = if path == root { String::new() } else { format!(", and no job can use {path}") };
    let message = format!("`state_dir` is {root}{part}: {}", doubt.what);
    Some((message, Some(format!("`{}`", doubt.mend))))
}

/// A folder such as /tmp, where everybody may make files and only their owners remove them. Jobs run
/// with it, but a stranger can make files there that stop them, for example one named `owner`.
fn open_to_all(root: &Path) -> Option<(String, Option<String>)> {
    let metadata = fs::metadata(root).ok().filter(others_may_write)?;
    let (shown, mode) = (escape(&root.display().to_string()), metadata.mode() & 0o7777);
    let message = format!(
        "`state_dir` is {shown}: others than its owner may make files in it (mode {mode:04o})"
    );
    Some((message, Some(format!("`chmod go-w {}`", shell_word(&root.display().to_string())))))
}

/// Others than root and the user of gitlab-runner who may change the file. The file says who this host
/// is in AWS, and which program gives the keys.
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

/// Why the log may not hold what is written to it.
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
            "{}, not a regular file; a line that it does not take at once is lost",
            kind(metadata.file_type())
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
            let missing = !folder.is_dir();
            missing.then(|| doubt("its folder does not exist, so nothing is logged".to_owned()))?
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_state_folder_in_which_everybody_may_make_files_is_not_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let told = |mode| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let doubt = state_folder(folder.path());
            doubt.map(|(message, hint)| {
                let text = format!("{message}\nhint: {}", hint.unwrap_or_default());
                text.replace(&folder.path().display().to_string(), "FOLDER")
            })
        };
        assert_eq!((told(0o700), told(0o755)), (None, None));
        insta::assert_snapshot!(told(0o1777).unwrap(), @r"
        `state_dir` is FOLDER: others than its owner may make files in it (mode 1777)
        hint: `chmod go-w FOLDER`
        ");
        assert!(told(0o777).unwrap().contains("may take files out of it (mode 0777)"));
    }
}
