//! Where the script of a stage comes from: written by us, or recorded from a real gitlab-runner.

use std::io;
use std::path::Path;

use super::build_stage::BuildStage;
use super::script;
use super::script_builder::StageScriptInput;

/// The source of a job's scripts.
#[derive(Clone, Debug, Default)]
pub enum ScriptSource {
    /// Written for the job as it is.
    #[default]
    Written,
    /// Those of a recording, in its order.
    Recorded(RecordedScripts),
}

/// The scripts of one recorded job, by stage.
#[derive(Clone, Debug)]
pub struct RecordedScripts {
    scripts: Vec<(String, Vec<u8>)>,
}

impl RecordedScripts {
    /// Reads a folder of files named `NN-stage`; each `(old, new)` of `changes` is replaced.
    ///
    /// # Errors
    ///
    /// What kept the folder or one of its files from being read.
    pub fn read(folder: &Path, changes: &[(&str, &str)]) -> io::Result<Self> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        let mut scripts = Vec::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((_, stage)) = name.split_once('-') else { continue };
            let mut content = std::fs::read(&path)?;
            for (old, new) in changes {
                content = replaced(&content, old.as_bytes(), new.as_bytes());
            }
            scripts.push((stage.to_owned(), content));
        }
        Ok(Self { scripts })
    }

    /// The script of the `nth` call of `stage`, counted from 0.
    #[must_use]
    pub fn script(&self, stage: &str, nth: usize) -> Option<&[u8]> {
        let mut of_stage = self.scripts.iter().filter(|(name, _)| name == stage);
        of_stage.nth(nth).map(|(_, content)| content.as_slice())
    }
}

fn replaced(content: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.windows(old.len()).position(|window| window == old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    out
}

impl ScriptSource {
    /// The script of the `nth` call of `stage`; none where the recording has none.
    pub(super) fn script(
        &self,
        stage: &BuildStage,
        nth: usize,
        subject: &StageScriptInput,
    ) -> Option<Vec<u8>> {
        match self {
            Self::Written => Some(script::write(stage, subject).into_bytes()),
            Self::Recorded(recorded) => {
                recorded.script(&stage.to_string(), nth).map(<[u8]>::to_vec)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_of_one_stage_come_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("05-get_sources", "second OLD"), ("03-get_sources", "first"), ("04-clear", "x")]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let recorded = RecordedScripts::read(folder.path(), &[("OLD", "new")]).unwrap();
        assert_eq!(recorded.script("get_sources", 0), Some(&b"first"[..]));
        assert_eq!(recorded.script("get_sources", 1), Some(&b"second new"[..]));
        assert_eq!(recorded.script("get_sources", 2), None);
    }
}
