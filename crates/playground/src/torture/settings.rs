//! The configuration files of a torture's jobs: the cloud's own, with windows that are scaled down and
//! with what the harm of the job needs.

use std::io;
use std::path::{Path, PathBuf};

use super::harm::Harm;
use super::windows::Windows;

/// What all of them have in common.
pub struct Settings {
    /// The cloud's configuration.
    pub text: String,
    /// ARN of a role that may be assumed.
    pub role: String,
    /// Where they lie.
    pub folder: PathBuf,
}

impl Settings {
    /// Writes the file of this name.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn write(&self, name: &str, windows: Windows, harm: Option<&Harm>) -> io::Result<PathBuf> {
        let path = self.folder.join(Path::new(&format!("config-{name}.toml")));
        std::fs::write(&path, format!("{}{windows}", self.text_for(harm)))?;
        Ok(path)
    }

    fn text_for(&self, harm: Option<&Harm>) -> String {
        match harm {
            Some(Harm::SidecarEnds(sidecar)) => {
                self.text.replace("\"ci-job\"", &format!("{:?}", sidecar.family()))
            }
            Some(Harm::KeysExpire { .. }) => {
                let table = "[defaults]\n";
                self.text.replace(table, &format!("{table}assume_role_arn = {:?}\n", self.role))
            }
            _ => self.text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harm::By;
    use super::*;

    #[test]
    fn the_file_of_a_job_has_what_its_harm_needs() {
        let text = "[defaults]\ncluster = \"ci\"\ntask_definition = \"ci-job\"\n";
        let settings =
            Settings { text: text.to_owned(), role: "arn:r".to_owned(), folder: PathBuf::new() };
        let keys = Harm::KeysExpire { rules: "" };
        let with_role = settings.text_for(Some(&keys));
        assert!(with_role.starts_with("[defaults]\nassume_role_arn = \"arn:r\"\ncluster"));
        let sidecar = super::super::sidecar::Sidecar::draw(&mut fastrand::Rng::with_seed(1));
        let with_sidecar = settings.text_for(Some(&Harm::SidecarEnds(sidecar)));
        assert!(with_sidecar.contains(&format!("task_definition = \"{}\"", sidecar.family())));
        assert_eq!(settings.text_for(Some(&Harm::ToldToEnd(By::Spot))), text);
    }
}
