//! Writes a configuration file from the outputs of the stack of `infrastructure/`.
//!
//! The text is read again before it is given out, so it is a file that `config check` accepts. Where it
//! is written is the business of whoever calls.

use std::fmt::Write as _;
use std::path::Path;

use crate::parse::parse;
use crate::settings::JobProfile;
use crate::stack_outputs::{StackOutputs, StackOutputsError};
use crate::toml_text::{toml_comment, toml_string};
use crate::unknown_key::UnknownKeyPolicy;

/// Longest line of a comment, in characters.
const WIDTH: usize = 100;
/// What a file must have; nothing of it is used.
const NO_FILE: &str = "config_version = 1\n[defaults]\ncluster = \"none\"\nsubnets = [\"subnet-0\"]\n\
                       security_groups = [\"sg-0\"]\ntask_definition = \"none\"\n";

/// The settings by which AWS is asked before there is a file: every default.
///
/// # Panics
///
/// Never: a test holds that it does not.
#[must_use]
pub fn settings_without_file() -> JobProfile {
    let loaded = parse(NO_FILE, Path::new("none"), UnknownKeyPolicy::Refuse);
    let config = loaded.expect("it has every required key").config;
    config.profile(None).expect("the defaults are a profile")
}

impl StackOutputs {
    /// The configuration file of these outputs; `source` tells in its first line whose they are.
    ///
    /// # Errors
    ///
    /// [`StackOutputsError::Value`] if a value is none that the configuration allows.
    pub fn config_text(&self, source: &str) -> Result<String, StackOutputsError> {
        let jobs = self.get("Concurrency").map(str::parse).transpose().map_err(|_| {
            StackOutputsError::Value("`Concurrency`: a number of jobs is expected".to_owned())
        })?;
        let text = self.written(source, jobs);
        let read = parse(&text, Path::new("the new file"), UnknownKeyPolicy::Refuse);
        let loaded = read.map_err(|error| StackOutputsError::Value(error.to_string()))?;
        let profile = loaded.config.profile(None);
        profile.map_err(|error| StackOutputsError::Value(error.to_string()))?;
        Ok(text)
    }

    fn written(&self, source: &str, jobs: Option<u32>) -> String {
        let mut page = StackConfigText(String::new());
        page.comment(&format!(
            "Made by `fargate-runner config import-stack` from {source}.\n\
             `fargate-runner config init` writes the reference, with every key there is."
        ));
        page.line("config_version = 1");
        if let Some(jobs) = jobs {
            page.line("\n[serve]");
            page.comment("`concurrent` of gitlab-runner.");
            page.line(&format!("job_slots = {jobs}"));
        }
        page.line("\n[defaults]");
        page.text("cluster", self.get("ClusterName"));
        page.text("region", self.get("Region"));
        let addresses = self.list("EgressAddresses");
        if !addresses.is_empty() {
            page.comment(&format!("Tasks leave by the addresses {}.", addresses.join(", ")));
        }
        page.list("subnets", &self.list("PrivateSubnetIds"));
        page.list("security_groups", &self.list("TaskSecurityGroupId"));
        self.write_definition(&mut page);
        self.write_volume(&mut page);
        page.0
    }

    fn write_definition(&self, page: &mut StackConfigText) {
        page.text("image", self.get("JobImage"));
        page.text("architecture", self.get("Architecture"));
        page.text("task_definition_family", self.get("TaskDefinitionFamily"));
        if let Some(secret) = self.get("RegistrySecretArn") {
            page.comment("Empty at first: `fargate-runner registry-secret set USER` fills it.");
            page.text("registry_secret", Some(secret));
        }
        page.text("execution_role", self.get("ExecutionRoleArn"));
        page.text("task_role", self.get("TaskRoleArn"));
        page.text("log_group", self.get("LogGroupName"));
    }

    fn write_volume(&self, page: &mut StackConfigText) {
        let Some(file_system) = self.get("FileSystemId") else { return };
        page.comment(
            "Jobs mount the volume below once this line counts and `fargate-runner efs apply` has made \
             its access point:",
        );
        page.line("#volumes = [\"cache\"]");
        page.line("\n[volume.cache]");
        page.text("file_system", Some(file_system));
        page.text("path", Some("/cache"));
        page.list("mount_target_security_groups", &self.list("FileSystemSecurityGroupId"));
    }
}

/// What has been written so far.
struct StackConfigText(String);

impl StackConfigText {
    fn line(&mut self, line: &str) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }

    fn comment(&mut self, text: &str) {
        self.0.push_str(&toml_comment(text, WIDTH));
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(&format!("{key} = {}", toml_string(value)));
        }
    }

    fn list(&mut self, key: &str, items: &[&str]) {
        if items.is_empty() {
            return;
        }
        let items: Vec<String> = items.iter().map(|item| toml_string(item)).collect();
        self.line(&format!("{key} = [{}]", items.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_settings_before_there_is_a_file() {
        assert_eq!(settings_without_file().region, None);
    }
}
