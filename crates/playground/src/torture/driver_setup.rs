//! The driver of each job of a torture: its configuration, and the words before it that end its calls.
//!
//! The configuration is the cloud's own, with shorter time limits and with what the job's harm needs.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::harm::JobHarm;
use super::plan::TortureJob;
use super::timeout_presets::TimeoutPreset;
use crate::runner::{DriverCallKind, DriverCommands};

/// What all drivers of a torture have in common.
pub struct DriverSetup {
    /// The `fargate-runner`.
    pub program: PathBuf,
    /// The cloud's configuration.
    pub text: String,
    /// ARN of a role that may be assumed.
    pub role: String,
    /// The folder of the configuration files.
    pub folder: PathBuf,
}

impl DriverSetup {
    /// The driver of a job that is not harmed.
    ///
    /// # Errors
    ///
    /// If its configuration cannot be written.
    pub fn usual(&self) -> io::Result<DriverCommands> {
        self.driver("usual", TimeoutPreset::Usual, &JobHarm::None)
    }

    /// The driver of one job. If the harm ends calls, words before the program do that.
    ///
    /// # Errors
    ///
    /// If its configuration cannot be written.
    pub fn of(&self, planned: &TortureJob) -> io::Result<DriverCommands> {
        let windows = TimeoutPreset::of(&planned.network);
        let mut driver = self.driver(&planned.number.to_string(), windows, &planned.harm)?;
        let (verb, before): (DriverCallKind, Vec<OsString>) = match &planned.harm {
            JobHarm::Killed { verb, after_ms } => {
                let seconds = format!("{}.{:03}", after_ms / 1000, after_ms % 1000);
                let words = ["timeout", "--foreground", "-s", "KILL", &seconds];
                (*verb, words.map(OsString::from).to_vec())
            }
            JobHarm::Ended { verb, signal, step } => {
                let end = format!("FARGATE_RUNNER_END_AT={signal} {step}");
                (*verb, ["env", &end].map(OsString::from).to_vec())
            }
            _ => return Ok(driver),
        };
        let words = match verb {
            DriverCallKind::Config => &mut driver.config,
            DriverCallKind::Prepare => &mut driver.prepare,
            DriverCallKind::Run => &mut driver.run,
            DriverCallKind::Cleanup => &mut driver.cleanup,
        };
        words.splice(0..0, before);
        Ok(driver)
    }

    fn driver(
        &self,
        name: &str,
        windows: TimeoutPreset,
        harm: &JobHarm,
    ) -> io::Result<DriverCommands> {
        let file = self.folder.join(format!("config-{name}.toml"));
        let ssh = "[defaults.ssh]\n";
        let text = self.configuration(harm).replace(ssh, &format!("{ssh}{}", windows.ssh_lines()));
        std::fs::write(&file, format!("{text}{windows}"))?;
        Ok(DriverCommands::new(&self.program, &["custom"], &["-c", &file.to_string_lossy()]))
    }

    fn configuration(&self, harm: &JobHarm) -> String {
        match harm {
            JobHarm::SidecarEnds(sidecar) => {
                self.text.replace("\"ci-job\"", &format!("{:?}", sidecar.family()))
            }
            JobHarm::KeysExpire { .. } => {
                let table = "[defaults]\n";
                self.text.replace(table, &format!("{table}assume_role_arn = {:?}\n", self.role))
            }
            _ => self.text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harm::StopOrigin;
    use super::super::sidecar::SidecarContainer;
    use super::*;

    #[test]
    fn the_configuration_of_a_job_has_what_its_harm_needs() {
        let text = "[defaults]\ncluster = \"ci\"\ntask_definition = \"ci-job\"\n".to_owned();
        let (program, folder) = (PathBuf::new(), PathBuf::new());
        let setup = DriverSetup { program, text, role: "arn:r".to_owned(), folder };
        let with_role = setup.configuration(&JobHarm::KeysExpire { rules: "" });
        assert!(with_role.starts_with("[defaults]\nassume_role_arn = \"arn:r\"\ncluster"));
        let sidecar = SidecarContainer::draw(&mut fastrand::Rng::with_seed(1));
        let with_sidecar = setup.configuration(&JobHarm::SidecarEnds(sidecar));
        assert!(with_sidecar.contains(&format!("task_definition = \"{}\"", sidecar.family())));
        let other = setup.configuration(&JobHarm::ToldToEnd(StopOrigin::Spot));
        assert_eq!(other, setup.text);
    }
}
