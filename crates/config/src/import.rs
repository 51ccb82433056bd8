//! Writes the settings of a file, whatever its grammar, as a short file in ours: what it says, and
//! comments on what can be better.
//!
//! It is meant for files of GitLab's driver. Read again, the text means the same; only a relative
//! log file cannot be said, and becomes a comment.

use std::fmt::Write as _;

use fargate_model::text::escape;

use crate::check::quoted;
use crate::config::RunnerConfig;
use crate::settings::{JobProfile, JobTimeouts};
use crate::table::{SettingKey, SettingKind, SettingSection, duration, plain};
use crate::toml_text::{toml_comment, toml_key};
use crate::value::{SettingValue, SettingsTable};

impl RunnerConfig {
    /// The same settings as a file in our own grammar, with comments on what can be better.
    ///
    /// What flags said is part of it. A relative `LogFile` cannot be said in our grammar and
    /// becomes a comment.
    #[must_use]
    pub fn import(&self) -> String {
        let mut page = ImportText(String::new());
        let path = escape(&self.document.path.display().to_string());
        page.comment(&format!(
            "The settings of {path} in Fargate Runner's own grammar.\n\
             `fargate-runner config init` writes the reference, with every key there is."
        ));
        page.put(format_args!("config_version = 1"));
        for key in RunnerConfig::SECTION.keys {
            let given = self.document.top.value(key.name).map(|given| &given.value);
            if let Some(value) = given.filter(|value| key.default_value().as_ref() != Some(value)) {
                page.key(key, value);
            }
        }
        page.header("defaults");
        page.keys(JobProfile::SECTION, &self.document.merged(None).values, "defaults");
        page.0
    }
}

/// What a person should know about a value.
fn advice(key: &str, value: &SettingValue) -> Option<&'static str> {
    let is = |text: &str| *value == SettingValue::text(text);
    match key {
        "state_dir" => Some("The state of jobs, where `TaskMetadata.Directory` was."),
        "log_format" => Some("Better: \"json\", the default, which tools can search."),
        "subnets" if matches!(value, SettingValue::List(items) if items.len() == 1) => Some(
            "Better: several subnets, in different zones. They are tried in this order when one \
             has no capacity or no address left.",
        ),
        "public_ip" if !is("none") => {
            Some("Better: \"none\", with private subnets behind a NAT gateway.")
        }
        "launch_type" if is("CLUSTER") => Some(
            "The cluster's default capacity provider strategy decides. Better: \"FARGATE\", or a \
             `capacity_provider_strategy` of its own.",
        ),
        "host_key" if is("first_use") => Some(
            "The first host key that a task shows is taken and pinned. Better: \"seed\", once the \
             image starts fargate-agent instead of sshd: then the key is proven before the first \
             byte, and a job starts sooner.",
        ),
        _ => None,
    }
}

/// What a person should know about a key that the file does not have.
fn advice_on_absent(key: &str) -> Option<String> {
    match key {
        "job_task_definitions" => Some(
            "A job's variable FARGATE_TASK_DEFINITION chooses only what stands here, and so does \
             FARGATE_PLATFORM_VERSION with `job_platform_versions`. To allow some:\n\
             job_task_definitions = [\"family:revision\"]"
                .to_owned(),
        ),
        "timeouts" => Some(format!(
            "Every wait has a limit of its own, such as `task_start` ({}, from RunTask to the task's \
             answer), under [defaults.timeouts].",
            duration(JobTimeouts::default().task_start)
        )),
        "tags" => Some(
            "Tags for cost reports, such as team = \"build\", stand under [defaults.tags]."
                .to_owned(),
        ),
        _ => None,
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

    fn comment(&mut self, text: &str) {
        self.0.push_str(&toml_comment(text, WIDTH));
    }

    /// A comment on the setting that follows, after an empty line.
    fn about(&mut self, text: &str) {
        self.put(format_args!(""));
        self.comment(text);
    }

    fn header(&mut self, name: &str) {
        self.put(format_args!("\n[{name}]"));
    }

    /// The keys of a section that the file has, and the tables below it.
    fn keys(&mut self, section: &SettingSection, values: &SettingsTable, header: &str) {
        for key in section.keys {
            let given = values.value(key.name).map(|given| &given.value);
            match given {
                Some(SettingValue::Table(below)) if below.len() > 0 => {
                    self.table(key, below, &format!("{header}.{}", key.name));
                }
                None | Some(SettingValue::Table(_)) => {
                    if let Some(text) = advice_on_absent(key.name) {
                        self.about(&text);
                    }
                }
                Some(value) => self.key(key, value),
            }
        }
    }

    fn table(&mut self, key: &SettingKey, below: &SettingsTable, header: &str) {
        self.header(header);
        if let SettingKind::Table(section) = key.kind {
            return self.keys(section, below, header);
        }
        for (name, given) in below.iter() {
            self.put(format_args!("{} = {}", toml_key(name), plain(&given.value)));
        }
    }

    fn key(&mut self, key: &SettingKey, value: &SettingValue) {
        if let SettingValue::Path(path) = value
            && (path.is_relative() || path.to_str().is_none())
        {
            return self.about(&format!(
                "The log file {} is relative and was lost with each job: here the log goes to \
                 journald.",
                quoted(path.to_str().unwrap_or("?"))
            ));
        }
        if let Some(text) = advice(key.name, value) {
            self.about(text);
        }
        self.put(format_args!("{} = {}", key.name, key.written(value)));
    }
}
