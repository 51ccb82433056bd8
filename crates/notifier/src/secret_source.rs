//! Where a secret of the notifier is kept: a file, or an environment variable of this process. It is read again
//! for each message, so that a new one counts at once.
//!
//! No error repeats what was read.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fargate_files::require_own_file;
use fargate_mask::SharedMasker;
use fargate_model::text::error_chain;
use zeroize::Zeroizing;

/// Longest secret, in bytes.
const LONGEST: u64 = 8 * 1024;
/// Others may read it.
const OTHERS_READ: u32 = 0o004;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoticeSecretSource {
    /// The first line of this file.
    File(PathBuf),
    /// This environment variable.
    Variable(String),
}

impl NoticeSecretSource {
    /// The place that the configuration names; the file counts first.
    pub(crate) fn of(file: Option<&PathBuf>, variable: Option<&String>) -> Option<Self> {
        let file = file.map(|file| Self::File(file.clone()));
        file.or_else(|| variable.map(|variable| Self::Variable(variable.clone())))
    }

    /// The secret, which `masker` knows from now on.
    ///
    /// # Errors
    ///
    /// In words that name the place, if there is none, or if others may read or write the file.
    pub(crate) fn read(&self, masker: &SharedMasker) -> Result<Zeroizing<String>, String> {
        let text = match self {
            Self::File(path) => of_file(path)?,
            Self::Variable(name) => Zeroizing::new(std::env::var(name).map_err(|_| {
                format!("the environment variable {name} is not set, or is no text")
            })?),
        };
        let first = text.lines().next().unwrap_or_default().trim();
        if first.is_empty() {
            return Err(match self {
                Self::File(path) => format!("the first line of {} is empty", path.display()),
                Self::Variable(name) => format!("the environment variable {name} is empty"),
            });
        }
        masker.remember(first);
        Ok(Zeroizing::new(first.to_owned()))
    }
}

fn of_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let unread = |error: std::io::Error| format!("reading {shown}: {error}");
    let flags = 0o4000; // O_NONBLOCK: a pipe must not hold up a message.
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    if !about.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    require_own_file(path, &about).map_err(|error| error_chain(&error))?;
    if about.mode() & OTHERS_READ != 0 {
        return Err(format!("every user may read {shown}; mend it: `chmod o-r {shown}`"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(unread)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_the_first_line_of_a_file_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        let source = NoticeSecretSource::File(path.clone());
        let masker = SharedMasker::default();
        assert!(source.read(&masker).unwrap_err().starts_with("reading "));
        std::fs::write(&path, "https://hooks.example.org/T0/secret\n# note\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        let refused = source.read(&masker).unwrap_err();
        assert!(refused.contains("chmod o-r") && !refused.contains("hooks"), "{refused}");
        mode(0o640);
        assert_eq!(*source.read(&masker).unwrap(), "https://hooks.example.org/T0/secret");
        assert!(!masker.text("to https://hooks.example.org/T0/secret").contains("T0/secret"));
        std::fs::write(&path, "\n").unwrap();
        assert!(source.read(&masker).unwrap_err().ends_with("is empty"));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = NoticeSecretSource::Variable("FARGATE_RUNNER_NO_SUCH_VARIABLE".to_owned());
        let refused = source.read(&SharedMasker::default()).unwrap_err();
        assert!(refused.contains("FARGATE_RUNNER_NO_SUCH_VARIABLE"), "{refused}");
    }
}
