//! The effective settings, written as a file in our own grammar that [`crate::parse`] takes again.
//!
//! Every line says where its value comes from. There are no secrets in a configuration, so nothing
//! is hidden.

use std::fmt::Write as _;

use fargate_model::text::escape;

use crate::config::{Config, DEFAULT_STATE_DIR, LogLevel};
use crate::fit;
use crate::layer::Layer;
use crate::profile::Launch;
use crate::reader::{Place, Placed};
use crate::timeouts::{Amount, TIMEOUT_KEYS, Timeouts};

/// A value of `[timeouts]` as the file has it.
pub(crate) fn amount(amount: Amount) -> String {
    match amount {
        Amount::Span(_) => format!("\"{amount}\""),
        Amount::Count(_) => amount.to_string(),
    }
}

/// The top level, then one profile, or `[defaults]` and every profile.
pub(crate) fn config(config: &Config, profile: Option<&str>) -> String {
    let document = &config.document;
    let mut out = Page(String::new());
    out.comment(&format!("effective settings of {}", escape(&document.path.display().to_string())));
    top(config, &mut out);
    let Some(name) = profile else {
        settings(&document.defaults, "defaults", &mut out);
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

fn top(config: &Config, out: &mut Page) {
    let line = |name: &str| {
        let lines = &config.document.top_lines;
        lines.iter().find(|(known, _)| *known == name).map(|(_, line)| *line)
    };
    out.line("config_version", "1", line("config_version"));
    match &config.owner {
        Some(owner) => out.line("owner", &string(owner), line("owner")),
        None => out.comment("owner is not set: an id kept in the state folder"),
    }
    let state_dir = config.state_dir.to_str().unwrap_or(DEFAULT_STATE_DIR);
    out.line("state_dir", &string(state_dir), line("state_dir"));
    match config.log_file.as_ref().and_then(|path| path.to_str()) {
        Some(path) => out.line("log_file", &string(path), line("log_file")),
        None => out.comment("log_file is not set: journald"),
    }
    let level: LogLevel = config.log_level;
    out.line("log_level", &string(level.as_str()), line("log_level"));
}

/// One merged layer under the header `[name]`.
fn settings(layer: &Layer, name: &str, out: &mut Page) {
    out.header(name);
    own_settings(layer, out);
    out.header(&format!("{name}.ssh"));
    out.placed("user", layer.user.as_ref(), |user| string(user), Some(&string(fit::DEFAULT_USER)));
    out.placed("port", layer.port.as_ref(), u32::to_string, Some(&fit::DEFAULT_PORT.to_string()));
    out.header(&format!("{name}.timeouts"));
    for key in TIMEOUT_KEYS {
        let default = amount((key.get)(&Timeouts::default()));
        out.placed(key.name, layer.timeouts.get(key.name), |a| amount(*a), Some(&default));
    }
    out.header(&format!("{name}.tags"));
    for (tag, value) in &layer.tags {
        out.placed(&key(tag), Some(value), |value| string(value), None);
    }
}

fn own_settings(layer: &Layer, out: &mut Page) {
    let text = |text: &String| string(text);
    let list = |items: &Vec<String>| strings(items);
    let container = string(fit::DEFAULT_CONTAINER);
    let host_key = string(fit::DEFAULT_HOST_KEY.as_str());
    let shell = string(fit::DEFAULT_SHELL.as_str());
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
    out.placed("shell", layer.shell.as_ref(), |v| string(v.as_str()), Some(&shell));
    out.placed("builds_dir", layer.builds_dir.as_ref(), text, None);
    out.placed("cache_dir", layer.cache_dir.as_ref(), text, None);
}

fn launch(launch: Option<&Placed<Launch>>, out: &mut Page) {
    let line = launch.and_then(|placed| placed.place.line);
    match launch.map(|placed| &placed.value) {
        None => out.line("launch_type", &string(fit::DEFAULT_LAUNCH_TYPE.as_str()), None),
        Some(Launch::Type(launch_type)) => {
            out.line("launch_type", &string(launch_type.as_str()), line);
        }
        Some(Launch::ClusterDefault) => out.line("launch_type", &string("CLUSTER"), line),
        Some(Launch::Strategy(items)) => {
            let item = |item: &crate::StrategyItem| {
                let provider = string(&item.provider);
                let (weight, base) = (item.weight, item.base);
                format!("{{ provider = {provider}, weight = {weight}, base = {base} }}")
            };
            let items: Vec<String> = items.iter().map(item).collect();
            out.line("capacity_provider_strategy", &format!("[{}]", items.join(", ")), line);
        }
    }
}

/// What has been written so far.
struct Page(String);

impl Page {
    fn put(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written");
    }

    fn comment(&mut self, text: &str) {
        self.put(format_args!("# {text}"));
    }

    fn header(&mut self, name: &str) {
        self.put(format_args!("\n[{name}]"));
    }

    fn line(&mut self, key: &str, value: &str, line: Option<usize>) {
        match line {
            Some(line) => self.put(format_args!("{key} = {value} # line {line}")),
            None => self.put(format_args!("{key} = {value} # default")),
        }
    }

    fn placed<T>(
        &mut self,
        key: &str,
        given: Option<&Placed<T>>,
        write: impl Fn(&T) -> String,
        default: Option<&str>,
    ) {
        match (given, default) {
            (Some(Placed { value, place: Place { line, .. } }), _) => {
                self.line(key, &write(value), *line);
            }
            (None, Some(default)) => self.line(key, default, None),
            (None, None) => self.comment(&format!("{key} is not set")),
        }
    }
}

fn strings(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| string(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A key, in quotes only where it needs them.
fn key(text: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { string(text) }
}

/// A TOML string. The checks let no control character through.
fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
