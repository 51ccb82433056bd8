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

pub(crate) mod keys;

use std::path::Path;

use toml::de::DeValue;

use crate::check::{self, CheckResult, ValueRefusal};
use crate::check_profile;
use crate::config::{ConfigGrammar, LoadedConfig, LogFormat, LogLevel, RunnerConfig};
use crate::document::ConfigDocument;
use crate::keys::ConfigSection;
use crate::layer::SettingsLayer;
use crate::overrides::FlagOverrides;
use crate::problem::{ConfigError, ConfigProblem};
use crate::profile::{HostKey, LaunchMode, PublicIp, Shell};
use crate::reader::{ConfigReader, ConfigTable, KeyLocation, LocatedValue};

/// The container into which that driver puts the public key.
pub(crate) const CONTAINER: &str = "ci-coordinator";

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
    fn read(
        reader: &mut ConfigReader<'_>,
        top: &ConfigTable<'t>,
        name: &str,
        section: ConfigSection,
    ) -> Self {
        if reader.value(top, name).is_none() {
            return Self::Absent;
        }
        let Some(table) = reader.table(top, name) else { return Self::Refused };
        reader.unknown_keys(&table, section);
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
    mut reader: ConfigReader<'_>,
    top: &ConfigTable<'_>,
    path: &Path,
    flags: &FlagOverrides,
) -> Result<LoadedConfig, ConfigError> {
    reader.unknown_keys(top, ConfigSection::GitLabTop);
    let fargate = OptionalTable::read(&mut reader, top, "Fargate", ConfigSection::Fargate);
    let metadata =
        OptionalTable::read(&mut reader, top, "TaskMetadata", ConfigSection::TaskMetadata);
    let ssh = OptionalTable::read(&mut reader, top, "SSH", ConfigSection::GitLabSsh);
    let mut notices = Vec::new();
    let defaults = layer(&mut reader, &fargate, &ssh, &mut notices);
    let owner = reader.text(top, "owner", check::owner);
    let directory =
        metadata.table().and_then(|table| reader.text(table, "Directory", check::absolute_path));
    let state_dir = reader.text(top, "state_dir", check::absolute_path).or(directory);
    let log_file = reader.text(top, "LogFile", check::path);
    notices.extend(log_file.as_ref().and_then(|given| relative_log_file(&reader, given)));
    let log_level = reader.text(top, "LogLevel", log_level);
    let log_format = reader.text(top, "LogFormat", log_format);
    let missing = missing(&reader, top, [&fargate, &metadata, &ssh], flags);
    let places = [
        ("owner", place(owner.as_ref())),
        ("state_dir", place(state_dir.as_ref())),
        ("log_file", place(log_file.as_ref())),
        ("log_level", place(log_level.as_ref())),
        ("log_format", Some(log_format.as_ref().map_or_else(implied, |given| given.place.clone()))),
    ];
    let document = ConfigDocument {
        path: path.to_owned(),
        grammar: ConfigGrammar::GitLab,
        flags: flags.layer(),
        defaults,
        profiles: Vec::new(),
        top: places.into_iter().filter_map(|(name, place)| Some((name, place?))).collect(),
    };
    let (mut problems, mut warnings) = (reader.problems, reader.warnings);
    if problems.is_empty() {
        problems.extend(check_profile::misfits(&document.merged(None), path));
    }
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    problems.extend(missing);
    let (Some(state_dir), true) = (state_dir, problems.is_empty()) else {
        return Err(ConfigError { problems });
    };
    warnings.sort_by_key(|warning| warning.line);
    let mut config = RunnerConfig {
        owner: owner.map(|given| given.value),
        state_dir: state_dir.value.into(),
        log_file: log_file.map(|given| given.value.into()),
        log_level: log_level.map_or(LogLevel::Info, |given| given.value),
        log_format: log_format.map_or(DEFAULT_LOG_FORMAT, |given| given.value),
        document,
    };
    flags.apply(&mut config);
    Ok(LoadedConfig { config, warnings, notices })
}

fn place<T>(given: Option<&LocatedValue<T>>) -> Option<KeyLocation> {
    given.map(|given| given.place.clone())
}

/// The place of what the grammar says without a word in the file.
fn implied() -> KeyLocation {
    KeyLocation { line: None, key: String::new() }
}

/// `[Fargate]` and `[SSH]` as one layer of ours.
fn layer(
    reader: &mut ConfigReader<'_>,
    fargate: &OptionalTable<'_>,
    ssh: &OptionalTable<'_>,
    notices: &mut Vec<ConfigProblem>,
) -> SettingsLayer {
    let mut layer = match fargate.table() {
        Some(table) => settings(reader, table, notices),
        None => SettingsLayer::empty(None, KeyLocation { line: None, key: "Fargate".to_owned() }),
    };
    if let Some(ssh) = ssh.table() {
        let user = reader.text(ssh, "Username", check::user);
        layer.user = reader.text(ssh, "User", check::user).or(user);
        layer.port = port(reader, ssh);
        layer.client_key = reader.text(ssh, "ClientKey", check::word);
    }
    layer
}

/// `[Fargate]`, with what that driver does without being told.
fn settings(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
    notices: &mut Vec<ConfigProblem>,
) -> SettingsLayer {
    let mut layer = SettingsLayer::settings(reader, table, None);
    let as_list =
        |one: LocatedValue<String>| LocatedValue { value: vec![one.value], place: one.place };
    let subnet = reader.text(table, "Subnet", check::subnet).map(as_list);
    let group = reader.text(table, "SecurityGroup", check::security_group).map(as_list);
    let addressed = public_ip(reader, table, layer.public_ip.is_some(), notices);
    layer.subnets = layer.subnets.or(subnet);
    layer.security_groups = layer.security_groups.or(group);
    layer.public_ip = layer.public_ip.or(addressed);
    layer.container = layer
        .container
        .or_else(|| Some(LocatedValue { value: CONTAINER.to_owned(), place: implied() }));
    layer.launch = layer
        .launch
        .or_else(|| Some(LocatedValue { value: LaunchMode::ClusterDefault, place: implied() }));
    layer.shell =
        layer.shell.or_else(|| Some(LocatedValue { value: Shell::Runner, place: implied() }));
    if reader.value(table, "HostKey").is_none() {
        layer.host_key = Some(LocatedValue { value: HostKey::FirstUse, place: implied() });
        notices.push(first_use(reader, table));
    }
    layer
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

fn relative_log_file(
    reader: &ConfigReader<'_>,
    given: &LocatedValue<String>,
) -> Option<ConfigProblem> {
    (!given.value.starts_with('/')).then(|| {
        let message = format!(
            "key `{}` is {}, a path from the working directory: gitlab-runner starts each stage in \
             a folder that it removes with the job, and the log with it",
            given.place.key,
            check::quoted(&given.value)
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
    let task_definition = flags.layer().task_definition.is_some();
    let required: [(&OptionalTable<'_>, &str, &[&str], bool); 6] = [
        (fargate, "Fargate", &["Cluster"], false),
        (fargate, "Fargate", &["Subnet", "Subnets"], false),
        (fargate, "Fargate", &["SecurityGroup", "SecurityGroups"], false),
        (fargate, "Fargate", &["TaskDefinition"], task_definition),
        (metadata, "TaskMetadata", &["Directory"], state_dir),
        (ssh, "SSH", &["Username", "User"], false),
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
    let place = KeyLocation { line: None, key: key.unwrap_or_default() };
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
    let section = [ConfigSection::Fargate, ConfigSection::TaskMetadata, ConfigSection::GitLabSsh];
    let example = section.iter().find_map(|section| section.example(name));
    example.map(|line| format!("for example `{line}`"))
}

/// A level of logrus, in any case.
///
/// Source: logrus, `ParseLevel`.
pub(crate) fn log_level(given: &str) -> CheckResult<LogLevel> {
    match given.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => Ok(LogLevel::Error),
        "warn" | "warning" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        _ => Err(ValueRefusal::new(
            "allowed are `trace`, `debug`, `info`, `warn`, `warning`, `error`, `fatal`, `panic`",
        )),
    }
}

/// A format of the log, in any case.
pub(crate) fn log_format(given: &str) -> CheckResult<LogFormat> {
    check::word(&given.to_ascii_lowercase())
}
