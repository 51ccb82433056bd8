//! Writes the settings of a file, whatever its grammar, as a short file in ours: what it says, and
//! comments on what can be better.
//!
//! It is meant for files of GitLab's driver. Read again, the text means the same; only a relative
//! log file cannot be said, and becomes a comment.

use std::fmt::Write as _;

use fargate_model::text::escape;

use crate::config::{DEFAULT_STATE_DIR, LogFormat, LogLevel, RunnerConfig};
use crate::layer::SettingsLayer;
use crate::profile::{HostKey, LaunchMode, PublicIp};
use crate::reader::LocatedValue;
use crate::show::{amount, key, launch_setting, string, strings};
use crate::timeouts::TIMEOUT_KEYS;

/// The whole text.
pub(crate) fn config(config: &RunnerConfig) -> String {
    let mut page = ImportText(String::new());
    let path = escape(&config.document.path.display().to_string());
    page.comment(&format!(
        "The settings of {path} in Fargate Runner's own grammar.\n\
         `fargate-runner config init` writes the reference, with every key there is."
    ));
    page.set("config_version", "1");
    top(config, &mut page);
    page.header("defaults");
    let layer = config.document.merged(None);
    place(&layer, &mut page);
    task(&layer, &mut page);
    trust(&layer, &mut page);
    choices(&layer, &mut page);
    account(&layer, &mut page);
    tables(&layer, &mut page);
    page.0
}

fn top(config: &RunnerConfig, page: &mut ImportText) {
    if let Some(owner) = &config.owner {
        page.set("owner", &string(owner));
    }
    let state_dir = config.state_dir.to_str().unwrap_or(DEFAULT_STATE_DIR);
    page.about("The state of jobs, where `TaskMetadata.Directory` was.");
    page.set("state_dir", &string(state_dir));
    match config.log_file.as_ref().map(|path| (path.is_absolute(), path.to_str())) {
        None => {}
        Some((true, Some(path))) => page.set("log_file", &string(path)),
        Some((_, path)) => page.about(&format!(
            "The log file {} is relative and was lost with each job: here the log goes to journald.",
            crate::check::quoted(path.unwrap_or("?"))
        )),
    }
    if config.log_level != LogLevel::Info {
        page.set("log_level", &string(config.log_level.as_str()));
    }
    if config.log_format != LogFormat::Json {
        page.about("Better: \"json\", the default, which tools can search.");
        page.set("log_format", &string(config.log_format.as_str()));
    }
}

/// Cluster and network.
fn place(layer: &SettingsLayer, page: &mut ImportText) {
    page.text("cluster", layer.cluster.as_ref());
    page.text("region", layer.region.as_ref());
    if let Some(LocatedValue { value, .. }) = &layer.subnets {
        if value.len() == 1 {
            page.about(
                "Better: several subnets, in different zones. They are tried in this order when one \
                 has no capacity or no address left.",
            );
        }
        page.set("subnets", &strings(value));
    }
    page.list("security_groups", layer.security_groups.as_ref());
    if let Some(LocatedValue { value, .. }) = &layer.public_ip {
        if *value != PublicIp::None {
            page.about("Better: \"none\", with private subnets behind a NAT gateway.");
        }
        page.set("public_ip", &string(value.as_str()));
    }
}

/// What runs, and on what.
fn task(layer: &SettingsLayer, page: &mut ImportText) {
    page.text("task_definition", layer.task_definition.as_ref());
    page.text("container", layer.container.as_ref());
    if let Some(LocatedValue { value, .. }) = &layer.launch {
        let (key, setting) = launch_setting(value);
        if *value == LaunchMode::ClusterDefault {
            page.about(
                "The cluster's default capacity provider strategy decides. Better: \"FARGATE\", or a \
                 `capacity_provider_strategy` of its own.",
            );
        }
        page.set(key, &setting);
    }
    page.text("platform_version", layer.platform_version.as_ref());
    page.number("cpu", layer.cpu.as_ref());
    page.number("memory", layer.memory.as_ref());
    if let Some(LocatedValue { value, .. }) = &layer.enable_execute_command {
        page.set("enable_execute_command", &value.to_string());
    }
    if let Some(LocatedValue { value, .. }) = &layer.shell {
        page.set("shell", &string(value.as_str()));
    }
    page.text("builds_dir", layer.builds_dir.as_ref());
    page.text("cache_dir", layer.cache_dir.as_ref());
}

fn trust(layer: &SettingsLayer, page: &mut ImportText) {
    let Some(LocatedValue { value, .. }) = &layer.host_key else { return };
    if *value == HostKey::FirstUse {
        page.about(
            "The first host key that a task shows is taken and pinned. Better: \"seed\", once the \
             image starts fargate-agent instead of sshd: then the key is proven before the first \
             byte, and a job starts sooner.",
        );
    }
    page.set("host_key", &string(value.as_str()));
}

/// What a job may choose.
fn choices(layer: &SettingsLayer, page: &mut ImportText) {
    match &layer.job_task_definitions {
        Some(LocatedValue { value, .. }) => page.set("job_task_definitions", &strings(value)),
        None => page.about(
            "A job's variable FARGATE_TASK_DEFINITION chooses only what stands here, and so does \
             FARGATE_PLATFORM_VERSION with `job_platform_versions`. To allow some:\n\
             job_task_definitions = [\"family:revision\"]",
        ),
    }
    page.list("job_platform_versions", layer.job_platform_versions.as_ref());
}

fn account(layer: &SettingsLayer, page: &mut ImportText) {
    page.text("assume_role_arn", layer.role_arn.as_ref());
    page.text("assume_role_external_id", layer.role_external_id.as_ref());
    page.text("assume_role_session_name", layer.role_session_name.as_ref());
    page.text("ca_bundle", layer.ca_bundle.as_ref());
}

/// The tables below `[defaults]`.
fn tables(layer: &SettingsLayer, page: &mut ImportText) {
    page.header("defaults.ssh");
    page.text("user", layer.user.as_ref());
    page.number("port", layer.port.as_ref());
    if let Some(LocatedValue { value, .. }) = &layer.client_key {
        page.set("client_key", &string(value.as_str()));
    }
    if layer.timeouts.is_empty() {
        page.about(
            "Every wait has a limit of its own, such as `start` (10m, from RunTask to the task's \
             answer), under [defaults.timeouts].",
        );
    } else {
        page.header("defaults.timeouts");
        for given in TIMEOUT_KEYS {
            if let Some(LocatedValue { value, .. }) = layer.timeouts.get(given.name) {
                page.set(given.name, &amount(*value));
            }
        }
    }
    if layer.tags.is_empty() {
        page.about("Tags for cost reports, such as team = \"build\", stand under [defaults.tags].");
    } else {
        page.header("defaults.tags");
        for (tag, LocatedValue { value, .. }) in &layer.tags {
            page.set(&key(tag), &string(value));
        }
    }
}

/// Longest line of a comment, in characters.
const WIDTH: usize = 100;

/// What has been written so far.
struct ImportText(String);

impl ImportText {
    fn put(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }

    /// Lines of a comment, broken between words.
    fn comment(&mut self, text: &str) {
        for paragraph in text.lines() {
            let mut line = "#".to_owned();
            for word in paragraph.split(' ') {
                if line.chars().count() + 1 + word.chars().count() > WIDTH {
                    self.put(format_args!("{line}"));
                    line = "#".to_owned();
                }
                line.push(' ');
                line.push_str(word);
            }
            self.put(format_args!("{line}"));
        }
    }

    /// A comment on the setting that follows, after an empty line.
    fn about(&mut self, text: &str) {
        self.put(format_args!(""));
        self.comment(text);
    }

    fn header(&mut self, name: &str) {
        self.put(format_args!("\n[{name}]"));
    }

    fn set(&mut self, key: &str, value: &str) {
        self.put(format_args!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, given: Option<&LocatedValue<String>>) {
        if let Some(given) = given {
            self.set(key, &string(&given.value));
        }
    }

    fn list(&mut self, key: &str, given: Option<&LocatedValue<Vec<String>>>) {
        if let Some(given) = given {
            self.set(key, &strings(&given.value));
        }
    }

    fn number(&mut self, key: &str, given: Option<&LocatedValue<u32>>) {
        if let Some(given) = given {
            self.set(key, &given.value.to_string());
        }
    }
}
