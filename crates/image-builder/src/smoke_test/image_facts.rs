//! What the engine knows of the image that is tested: its processor and its variables.

use crate::engine::ImageEngine;
use crate::failure::ImageFailure;

/// Folders that every server's own PATH has.
///
/// Source: `_PATH_STDPATH` and `_PATH_DEFPATH` of OpenSSH on Debian, and `/etc/login.defs`.
const USUAL_FOLDERS: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Variables that each session sets by itself.
const OF_SESSIONS: &[&str] =
    &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "TERM", "HOSTNAME"];
/// Most variables that are looked at. Ours.
const MOST_VARIABLES: usize = 200;

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct ImageFacts {
    architecture: Option<String>,
    variables: Vec<(String, String)>,
}

impl ImageFacts {
    /// Asks the engine.
    pub(super) async fn read(engine: &ImageEngine, image: &str) -> Result<Self, ImageFailure> {
        let found = engine.client().inspect_image(image);
        let found = engine.ask(&format!("the image {image}"), found).await?;
        let variables = found.config.and_then(|config| config.env).unwrap_or_default();
        let pairs = variables.iter().filter_map(|line| line.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self { architecture: found.architecture, variables: variables.collect() })
    }

    /// Words about a processor that is not the engine's.
    pub(super) fn foreign_architecture(&self, engine: &ImageEngine) -> Option<String> {
        let own = &engine.facts().architecture;
        let foreign = self.architecture.as_deref().filter(|image| *image != own)?;
        Some(format!(
            "the image is for {}, the engine's machine is {own}: it needs an emulator there, or an engine of \
             that kind",
            fargate_model::text::escape_within(foreign, 20)
        ))
    }

    /// The folders that the image adds to PATH.
    pub(super) fn added_folders(&self) -> Vec<&str> {
        let path = self.variables.iter().find(|(name, _)| name == "PATH");
        let folders = path.map_or("", |(_, value)| value).split(':');
        folders.filter(|folder| !folder.is_empty() && !USUAL_FOLDERS.contains(folder)).collect()
    }

    /// The names of its other variables that a script may name.
    pub(super) fn other_names(&self) -> Vec<&str> {
        let is_name = |name: &str| {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        };
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        let names = names.filter(|name| is_name(name) && !OF_SESSIONS.contains(name));
        names.take(MOST_VARIABLES).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_every_server_knows_and_names_that_no_script_can_use_do_not_count() {
        let variables =
            [("PATH", "/opt/tool/bin:/usr/bin::/bin"), ("LANG", "C"), ("1X", ""), ("A-B", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let facts = ImageFacts { architecture: None, variables: variables.to_vec() };
        assert_eq!(facts.added_folders(), ["/opt/tool/bin"]);
        assert_eq!(facts.other_names(), ["LANG"]);
        assert!(ImageFacts::default().added_folders().is_empty());
    }
}
