//! The grammar of GitLab's Fargate driver: the file that has no `config_version`.
//!
//! Its keys mean what they meant there, compared without regard to case, and an empty text is a key
//! that is not there. Settings of ours may stand in the same file: under `[Fargate]` and `[SSH]`
//! under our names in any spelling, and where one of ours and one of theirs say the same thing, ours
//! decides, so that the file still works with the other driver. Unknown keys are warnings, always.
//!
//! What that driver took and this one refuses: a value that AWS would refuse, a relative
//! `TaskMetadata.Directory`, and one key twice in two spellings.
//!
//! Source: the driver's `config/global.go` and `docs/README.md`.

use std::path::Path;

use toml::de::DeValue;

use crate::check;
use crate::config::{LoadedConfig, RunnerConfig};
use crate::document::{ConfigDocument, ConfigGrammar};
use crate::gitlab_keys::{FARGATE, SSH, TASK_METADATA, TOP, known_sections, settings_keys};
use crate::keyword::{self, HostKey, LaunchWord, LogFormat, PublicIp, Shell};
use crate::layer::SettingsLayer;
use crate::overrides::FlagOverrides;
use crate::problem::{ConfigError, ConfigProblem};
use crate::reader::{ConfigReader, ConfigTable};
use crate::settings::SshSettings;
use crate::table::SettingKind;
use crate::value::{KeyLocation, LocatedValue, SettingValue, SettingsTable};

/// The container into which that driver puts the public key.
const CONTAINER: &str = "ci-coordinator";

/// Its format of the log where the file names none.
const DEFAULT_LOG_FORMAT: LogFormat = LogFormat::Text;

/// The port where the file names none, or one below 1.
const DEFAULT_PORT: u32 = 22;

/// A table that may be absent. It is `Refused` where something else stands in its place.
enum OptionalTable<'t> {
    Absent,
    Refused,
    There(ConfigTable<'t>),
}

impl<'t> OptionalTable<'t> {
    fn read(reader: &mut ConfigReader<'_>, top: &ConfigTable<'t>, name: &str) -> Self {
        if reader.value(top, name).is_none() {
            return Self::Absent;
        }
        let Some(table) = reader.table(top, name) else { return Self::Refused };
        reader.unknown_keys(&table, name);
        Self::There(table)
    }

    fn table(&self) -> Option<&ConfigTable<'t>> {
        match self {
            Self::There(table) => Some(table),
            Self::Absent | Self::Refused => None,
        }
    }
}

/// Reads a file whose grammar is known to be this one.
pub(crate) fn read(
    reader: ConfigReader<'_>,
    top: &ConfigTable<'_>,
    path: &Path,
    flags: &FlagOverrides,
) -> Result<LoadedConfig, ConfigError> {
    let mut reader = reader.loose().knowing(known_sections());
    reader.unknown_keys(top, TOP);
    let fargate = OptionalTable::read(&mut reader, top, FARGATE);
    let metadata = OptionalTable::read(&mut reader, top, TASK_METADATA);
    let ssh = OptionalTable::read(&mut reader, top, SSH);
    let mut notices = Vec::new();
    let defaults = layer(&mut reader, &fargate, &ssh, &mut notices);
    let values = top_values(&mut reader, top, &metadata);
    notices.extend(relative_log_file(&reader, &values));
    let missing = missing(&reader, top, [&fargate, &metadata, &ssh], flags);
    let document = ConfigDocument {
        volumes: Vec::new(),
        managed_images: Vec::new(),
        images: SettingsTable::default(),
        path: path.to_owned(),
        grammar: ConfigGrammar::GitLab,
        version: None,
        top: flags.top().clone().over(values),
        flags: flags.settings().clone(),
        defaults,
        profiles: Vec::new(),
    };
    let (mut problems, mut warnings) = (reader.problems, reader.warnings);
    if problems.is_empty() {
        problems.extend(document.conflicts());
    }
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    problems.extend(missing);
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    warnings.sort_by_key(|warning| warning.line);
    Ok(LoadedConfig { config: RunnerConfig::of(document), warnings, notices })
}

/// The top of the file, and the folder of `[TaskMetadata]` for the state of jobs.
fn top_values(
    reader: &mut ConfigReader<'_>,
    top: &ConfigTable<'_>,
    metadata: &OptionalTable<'_>,
) -> SettingsTable {
    // The log has that driver's words and paths.
    let (log, ours): (Vec<_>, Vec<_>) =
        RunnerConfig::SECTION.keys.iter().partition(|key| key.name.starts_with("log_"));
    let mut values = reader.values_of(top, ours);
    let directory =
        metadata.table().and_then(|table| reader.text(table, "Directory", check::absolute_path));
    if let Some(directory) = directory {
        values.set_if_absent("state_dir", || directory.map(|path| SettingValue::Path(path.into())));
    }
    for key in log {
        let given = match key.name {
            "log_level" => reader.text(top, key.name, keyword::logrus_level),
            "log_format" => reader.text(top, key.name, keyword::log_format_in_any_case),
            _ => reader.text(top, key.name, check::path),
        };
        let value = |text: String| match key.kind {
            SettingKind::Path(_) => SettingValue::Path(text.into()),
            _ => SettingValue::Text(text),
        };
        if let Some(given) = given {
            values.set(key.name, given.map(value));
        }
    }
    values.set_if_absent("log_format", || word(DEFAULT_LOG_FORMAT.as_str()));
    values
}

/// What the grammar says without a word in the file.
fn word(text: &str) -> LocatedValue<SettingValue> {
    LocatedValue::implied(SettingValue::text(text))
}

/// `[Fargate]` and `[SSH]` as one layer of ours.
fn layer(
    reader: &mut ConfigReader<'_>,
    fargate: &OptionalTable<'_>,
    ssh: &OptionalTable<'_>,
    notices: &mut Vec<ConfigProblem>,
) -> SettingsLayer {
    let mut layer = match fargate.table() {
        Some(table) => SettingsLayer {
            name: None,
            place: table.place.clone(),
            values: settings(reader, table, notices),
        },
        None => SettingsLayer::empty(None, KeyLocation::without_line(FARGATE)),
    };
    if let Some(ssh) = ssh.table() {
        let value = SettingValue::Table(ssh_values(reader, ssh));
        layer.values.set("ssh", LocatedValue { value, place: ssh.place.clone() });
    }
    layer
}

fn ssh_values(reader: &mut ConfigReader<'_>, ssh: &ConfigTable<'_>) -> SettingsTable {
    let keys = SshSettings::SECTION.keys.iter().filter(|key| key.name != "port");
    let mut values = reader.values_of(ssh, keys);
    if let Some(user) = reader.text(ssh, "Username", check::user) {
        values.set_if_absent("user", || user.map(SettingValue::Text));
    }
    if let Some(port) = port(reader, ssh) {
        values.set("port", port.map(SettingValue::Number));
    }
    values
}

/// `[Fargate]`, with what that driver does without being told.
fn settings(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
    notices: &mut Vec<ConfigProblem>,
) -> SettingsTable {
    let mut values = reader.values_of(table, settings_keys());
    let as_list = |one: LocatedValue<String>| {
        one.map(|text| SettingValue::List(vec![SettingValue::Text(text)]))
    };
    if let Some(subnet) = reader.text(table, "Subnet", check::subnet) {
        values.set_if_absent("subnets", || as_list(subnet));
    }
    if let Some(group) = reader.text(table, "SecurityGroup", check::security_group) {
        values.set_if_absent("security_groups", || as_list(group));
    }
    let addressed = public_ip(reader, table, values.has("public_ip"), notices);
    if let Some(addressed) = addressed {
        let value = |meant: PublicIp| SettingValue::text(meant.as_str());
        values.set_if_absent("public_ip", || addressed.map(value));
    }
    values.set_if_absent("container", || word(CONTAINER));
    if !values.has("capacity_provider_strategy") {
        values.set_if_absent("launch_type", || word(LaunchWord::Cluster.as_str()));
    }
    values.set_if_absent("shell", || word(Shell::Runner.as_str()));
    if reader.value(table, "HostKey").is_none() {
        values.set("host_key", word(HostKey::FirstUse.as_str()));
        notices.push(first_use(reader, table));
    }
    values
}

/// What `EnablePublicIP` and `UsePublicIP` mean together. Alone, the first one also decided which
/// address the older driver dialled; `UsePublicIP` came with a later one.
fn public_ip(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
    ours_decides: bool,
    notices: &mut Vec<ConfigProblem>,
) -> Option<LocatedValue<PublicIp>> {
    let enabled = reader.flag(table, "EnablePublicIP");
    let used = reader.flag(table, "UsePublicIP");
    let value = |given: &Option<LocatedValue<bool>>| given.as_ref().map(|given| given.value);
    let meant = match (value(&enabled), value(&used)) {
        (Some(true), None | Some(true)) => PublicIp::Dialled,
        (Some(true), Some(false)) => PublicIp::Assigned,
        (None | Some(false), _) => PublicIp::None,
    };
    if let (PublicIp::None, Some(LocatedValue { value: true, place })) = (meant, &used)
        && !ours_decides
    {
        let message = format!(
            "key `{}` is true where `EnablePublicIP` is not: a task has no public IP address and \
             is reached by its private one",
            place.key
        );
        let hint = "leave it out, or set `EnablePublicIP = true`".to_owned();
        notices.push(reader.problem(place, message, Some(hint)));
    }
    let place = enabled.map(|given| given.place).or(used.map(|given| given.place))?;
    Some(LocatedValue { value: meant, place })
}

/// The port; below 1 it is 22, as in that driver.
fn port(reader: &mut ConfigReader<'_>, ssh: &ConfigTable<'_>) -> Option<LocatedValue<u32>> {
    let (place, value) = reader.value(ssh, "Port")?;
    if let DeValue::Integer(given) = value.get_ref()
        && i128::from_str_radix(given.as_str(), given.radix()).is_ok_and(|port| port < 1)
    {
        return Some(LocatedValue { value: DEFAULT_PORT, place });
    }
    reader.number(ssh, "Port", 1..=u16::MAX.into())
}

fn first_use(reader: &ConfigReader<'_>, table: &ConfigTable<'_>) -> ConfigProblem {
    let message = format!(
        "key `{0}.HostKey` is not there, so that `first_use` is implied: the first host key that a \
         task shows is taken and pinned, whoever shows it",
        table.place.key
    );
    let hint =
        "`HostKey = \"seed\"` once the image starts fargate-agent instead of sshd".to_owned();
    reader.problem(&table.place, message, Some(hint))
}

fn relative_log_file(reader: &ConfigReader<'_>, values: &SettingsTable) -> Option<ConfigProblem> {
    let given: LocatedValue<std::path::PathBuf> = values.get("log_file")?;
    given.value.is_relative().then(|| {
        let message = format!(
            "key `{}` is {}, a path from the working directory: gitlab-runner starts each stage in \
             a folder that it removes with the job, and the log with it",
            given.place.key,
            check::quoted(&given.value.to_string_lossy())
        );
        let hint = "write an absolute path, or leave it out for journald".to_owned();
        reader.problem(&given.place, message, Some(hint))
    })
}

/// One problem that names every required key that is missing.
fn missing(
    reader: &ConfigReader<'_>,
    top: &ConfigTable<'_>,
    [fargate, metadata, ssh]: [&OptionalTable<'_>; 3],
    flags: &FlagOverrides,
) -> Option<ConfigProblem> {
    let state_dir = reader.value(top, "StateDir").is_some();
    let task_definition = flags.settings().has("task_definition");
    let required: [(&OptionalTable<'_>, &str, &[&str], bool); 6] = [
        (fargate, FARGATE, &["Cluster"], false),
        (fargate, FARGATE, &["Subnet", "Subnets"], false),
        (fargate, FARGATE, &["SecurityGroup", "SecurityGroups"], false),
        (fargate, FARGATE, &["TaskDefinition", "Image"], task_definition),
        (metadata, TASK_METADATA, &["Directory"], state_dir),
        (ssh, SSH, &["Username", "User"], false),
    ];
    let lacks = |given: &OptionalTable<'_>, names: &[&str]| match given {
        OptionalTable::Absent => true,
        OptionalTable::Refused => false,
        OptionalTable::There(table) => names.iter().all(|name| reader.value(table, name).is_none()),
    };
    let missing = required.iter().filter(|(given, _, names, said)| !said && lacks(given, names));
    let missing: Vec<(String, &str)> = missing
        .map(|(given, home, names, _)| {
            let home = given.table().map_or(*home, |table| table.place.key.as_str());
            (format!("{home}.{}", names[0]), names[0])
        })
        .collect();
    let (key, verb) = match missing.as_slice() {
        [] => return None,
        [(only, _)] => (Some(only.clone()), "key"),
        _ => (None, "keys"),
    };
    let names: Vec<&str> = missing.iter().map(|(key, _)| key.as_str()).collect();
    let is = if verb == "key" { "is" } else { "are" };
    let message = format!("{verb} `{}` {is} missing", names.join("`, `"));
    let place = KeyLocation::without_line(&key.unwrap_or_default());
    let hint = why_missing(reader, top, &missing);
    Some(reader.problem(&place, message, hint))
}

/// A misspelt key explains a missing one; a file with none of the tables may be meant otherwise.
fn why_missing(
    reader: &ConfigReader<'_>,
    top: &ConfigTable<'_>,
    missing: &[(String, &str)],
) -> Option<String> {
    let nearest = |name: &str| format!("nearest is `{name}`");
    let misspelt = reader
        .warnings
        .iter()
        .find(|warning| missing.iter().any(|(_, name)| warning.message.ends_with(&nearest(name))));
    if let Some(ConfigProblem { message, line: Some(line), .. }) = misspelt {
        return Some(format!("{message} (line {line})"));
    }
    if reader.value(top, "Fargate").is_none() {
        return Some(
            "a file without `config_version` is read as one of GitLab's Fargate driver; \
             `config_version = 1` begins one of ours, `fargate-runner config init` writes it"
                .to_owned(),
        );
    }
    let (_, name) = missing.first()?;
    let example =
        [FARGATE, TASK_METADATA, SSH].iter().find_map(|table| reader.example(table, name));
    example.map(|line| format!("for example `{line}`"))
}
