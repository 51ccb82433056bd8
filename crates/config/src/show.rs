//! The effective settings, written as a file in our own grammar that [`crate::parse`] takes again.
//!
//! Every line says where its value comes from. There are no secrets in a configuration, so nothing
//! is hidden.

use std::fmt::Write as _;

use fargate_model::text::escape;

use crate::check_profile;
use crate::config::{ConfigGrammar, DEFAULT_STATE_DIR, RunnerConfig};
use crate::layer::SettingsLayer;
use crate::profile::LaunchMode;
use crate::reader::{KeyLocation, LocatedValue};
use crate::timeouts::{JobTimeouts, TIMEOUT_KEYS, TimeoutValue};

/// A value of `[timeouts]` as the file has it.
pub(crate) fn amount(amount: TimeoutValue) -> String {
    match amount {
        TimeoutValue::Span(_) => format!("\"{amount}\""),
        TimeoutValue::Count(_) => amount.to_string(),
    }
}

/// The top level, then one profile, or `[defaults]` and every profile.
pub(crate) fn config(config: &RunnerConfig, profile: Option<&str>) -> String {
    let document = &config.document;
    let mut out = SettingsText(String::new());
    let path = escape(&document.path.display().to_string());
    match config.grammar() {
        ConfigGrammar::Own => out.comment(&format!("effective settings of {path}")),
        ConfigGrammar::GitLab => {
            out.comment(&format!(
                "effective settings of {path}, a file of GitLab's Fargate driver"
            ));
        }
    }
    top(config, &mut out);
    let Some(name) = profile else {
        settings(&document.merged(None), "defaults", &mut out);
        for (name, layer) in &document.profiles {
            let merged = document.merged(Some((name, layer)));
            settings(&merged, &format!("profile.{name}"), &mut out);
        }
        return out.0;
    };
    match document.profiles.iter().find(|(known, _)| known == name) {
        Some((known, layer)) => {
            let merged = document.merged(Some((known, layer)));
            settings(&merged, &format!("profile.{known}"), &mut out);
        }
        None => {
            out.comment(&format!("profile {} is not in this file", crate::check::quoted(name)));
        }
    }
    out.0
}

fn top(config: &RunnerConfig, out: &mut SettingsText) {
    let place = |name: &str| {
        let top = &config.document.top;
        top.iter().find(|(known, _)| *known == name).map(|(_, place)| place)
    };
    out.line("config_version", "1", place("config_version"));
    match &config.owner {
        Some(owner) => out.line("owner", &string(owner), place("owner")),
        None => out.comment("owner is not set: an id kept in the state folder"),
    }
    let state_dir = config.state_dir.to_str().unwrap_or(DEFAULT_STATE_DIR);
    out.line("state_dir", &string(state_dir), place("state_dir"));
    match config.log_file.as_ref().map(|path| (path.is_absolute(), path.to_str())) {
        Some((true, Some(path))) => out.line("log_file", &string(path), place("log_file")),
        // Our grammar takes neither a relative path nor one that is not UTF-8.
        Some((_, path)) => {
            let path = crate::check::quoted(path.unwrap_or("?"));
            out.comment(&format!("log_file is {path}, from the working directory"));
        }
        None => out.comment("log_file is not set: journald"),
    }
    out.line("log_level", &string(config.log_level.as_str()), place("log_level"));
    out.line("log_format", &string(config.log_format.as_str()), place("log_format"));
}

/// One merged layer under the header `[name]`.
fn settings(layer: &SettingsLayer, name: &str, out: &mut SettingsText) {
    out.header(name);
    own_settings(layer, out);
    out.header(&format!("{name}.ssh"));
    out.placed(
        "user",
        layer.user.as_ref(),
        |user| string(user),
        Some(&string(check_profile::DEFAULT_USER)),
    );
    out.placed(
        "port",
        layer.port.as_ref(),
        u32::to_string,
        Some(&check_profile::DEFAULT_PORT.to_string()),
    );
    let client_key = string(check_profile::DEFAULT_CLIENT_KEY.as_str());
    out.placed("client_key", layer.client_key.as_ref(), |v| string(v.as_str()), Some(&client_key));
    out.header(&format!("{name}.timeouts"));
    for key in TIMEOUT_KEYS {
        let default = amount((key.get)(&JobTimeouts::default()));
        out.placed(key.name, layer.timeouts.get(key.name), |a| amount(*a), Some(&default));
    }
    out.header(&format!("{name}.tags"));
    for (tag, value) in &layer.tags {
        out.placed(&key(tag), Some(value), |value| string(value), None);
    }
}

fn own_settings(layer: &SettingsLayer, out: &mut SettingsText) {
    let text = |text: &String| string(text);
    let list = |items: &Vec<String>| strings(items);
    let container = string(check_profile::DEFAULT_CONTAINER);
    let host_key = string(check_profile::DEFAULT_HOST_KEY.as_str());
    let public_ip = string(check_profile::DEFAULT_PUBLIC_IP.as_str());
    let shell = string(check_profile::DEFAULT_SHELL.as_str());
    out.placed("cluster", layer.cluster.as_ref(), text, None);
    out.placed("region", layer.region.as_ref(), text, None);
    out.placed("subnets", layer.subnets.as_ref(), list, None);
    out.placed("security_groups", layer.security_groups.as_ref(), list, None);
    out.placed("task_definition", layer.task_definition.as_ref(), text, None);
    out.placed("container", layer.container.as_ref(), text, Some(&container));
    launch(layer.launch.as_ref(), out);
    out.placed("platform_version", layer.platform_version.as_ref(), text, None);
    out.placed("cpu", layer.cpu.as_ref(), u32::to_string, None);
    out.placed("memory", layer.memory.as_ref(), u32::to_string, None);
    out.placed("host_key", layer.host_key.as_ref(), |v| string(v.as_str()), Some(&host_key));
    out.placed("public_ip", layer.public_ip.as_ref(), |v| string(v.as_str()), Some(&public_ip));
    let command = layer.enable_execute_command.as_ref();
    out.placed("enable_execute_command", command, bool::to_string, Some("false"));
    out.placed("job_task_definitions", layer.job_task_definitions.as_ref(), list, Some("[]"));
    out.placed("job_platform_versions", layer.job_platform_versions.as_ref(), list, Some("[]"));
    out.placed("assume_role_arn", layer.role_arn.as_ref(), text, None);
    out.placed("assume_role_external_id", layer.role_external_id.as_ref(), text, None);
    out.placed("assume_role_session_name", layer.role_session_name.as_ref(), text, None);
    out.placed("ca_bundle", layer.ca_bundle.as_ref(), text, None);
    out.placed("shell", layer.shell.as_ref(), |v| string(v.as_str()), Some(&shell));
    out.placed("builds_dir", layer.builds_dir.as_ref(), text, None);
    out.placed("cache_dir", layer.cache_dir.as_ref(), text, None);
}

fn launch(launch: Option<&LocatedValue<LaunchMode>>, out: &mut SettingsText) {
    let default = LaunchMode::Type(check_profile::DEFAULT_LAUNCH_TYPE);
    let (key, value) = launch_setting(launch.map_or(&default, |placed| &placed.value));
    out.line(key, &value, launch.map(|placed| &placed.place));
}

/// The key and the value that say where tasks run.
pub(crate) fn launch_setting(launch: &LaunchMode) -> (&'static str, String) {
    let items = match launch {
        LaunchMode::Type(launch_type) => return ("launch_type", string(launch_type.as_str())),
        LaunchMode::ClusterDefault => return ("launch_type", string("CLUSTER")),
        LaunchMode::Strategy(items) => items,
    };
    let item = |item: &crate::StrategyItem| {
        let provider = string(&item.provider);
        let (weight, base) = (item.weight, item.base);
        format!("{{ provider = {provider}, weight = {weight}, base = {base} }}")
    };
    let items: Vec<String> = items.iter().map(item).collect();
    ("capacity_provider_strategy", format!("[{}]", items.join(", ")))
}

/// What has been written so far.
struct SettingsText(String);

impl SettingsText {
    fn put(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }

    fn comment(&mut self, text: &str) {
        self.put(format_args!("# {text}"));
    }

    fn header(&mut self, name: &str) {
        self.put(format_args!("\n[{name}]"));
    }

    fn line(&mut self, key: &str, value: &str, place: Option<&KeyLocation>) {
        match place.map(KeyLocation::origin) {
            Some(origin) => self.put(format_args!("{key} = {value} # {origin}")),
            None => self.put(format_args!("{key} = {value} # default")),
        }
    }

    fn placed<T>(
        &mut self,
        key: &str,
        given: Option<&LocatedValue<T>>,
        write: impl Fn(&T) -> String,
        default: Option<&str>,
    ) {
        match (given, default) {
            (Some(LocatedValue { value, place }), _) => self.line(key, &write(value), Some(place)),
            (None, Some(default)) => self.line(key, default, None),
            (None, None) => self.comment(&format!("{key} is not set")),
        }
    }
}

pub(crate) fn strings(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| string(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A key, in quotes only where it needs them.
pub(crate) fn key(text: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { string(text) }
}

/// A TOML string. The checks let no control character through.
pub(crate) fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
