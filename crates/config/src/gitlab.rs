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

use crate::check::{self, Checked, Refusal};
use crate::config::{Config, Grammar, Loaded, LogFormat, LogLevel};
use crate::document::Document;
use crate::fit;
use crate::keys::Section;
use crate::layer::Layer;
use crate::overrides::Overrides;
use crate::problem::{Problem, Problems};
use crate::profile::{HostKey, Launch, PublicIp, Shell};
use crate::reader::{Place, Placed, Reader, Table};

/// The container into which that driver puts the public key.
pub(crate) const CONTAINER: &str = "ci-coordinator";

/// Its format of the log where the file names none.
const DEFAULT_LOG_FORMAT: LogFormat = LogFormat::Text;

/// The port where the file names none, or one below 1.
const DEFAULT_PORT: u32 = 22;

/// A table that may be absent. It is `Refused` where something else stands in its place.
enum Given<'t> {
    Absent,
    Refused,
    There(Table<'t>),
}

impl<'t> Given<'t> {
    fn read(reader: &mut Reader<'_>, top: &Table<'t>, name: &str, section: Section) -> Self {
        if reader.value(top, name).is_none() {
            return Self::Absent;
        }
        let Some(table) = reader.table(top, name) else { return Self::Refused };
        reader.unknown_keys(&table, section);
        Self::There(table)
    }

    fn table(&self) -> Option<&Table<'t>> {
        match self {
            Self::There(table) => Some(table),
            Self::Absent | Self::Refused => None,
        }
    }
}

/// Reads a file whose grammar is known to be this one.
pub(crate) fn read(
    mut reader: Reader<'_>,
    top: &Table<'_>,
    path: &Path,
    flags: &Overrides,
) -> Result<Loaded, Problems> {
    reader.unknown_keys(top, Section::GitLabTop);
    let fargate = Given::read(&mut reader, top, "Fargate", Section::Fargate);
    let metadata = Given::read(&mut reader, top, "TaskMetadata", Section::TaskMetadata);
    let ssh = Given::read(&mut reader, top, "SSH", Section::GitLabSsh);
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
    let document = Document {
        path: path.to_owned(),
        grammar: Grammar::GitLab,
        flags: flags.layer(),
        defaults,
        profiles: Vec::new(),
        top: places.into_iter().filter_map(|(name, place)| Some((name, place?))).collect(),
    };
    let (mut problems, mut warnings) = (reader.problems, reader.warnings);
    if problems.is_empty() {
        problems.extend(fit::misfits(&document.merged(None), path));
    }
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    problems.extend(missing);
    let (Some(state_dir), true) = (state_dir, problems.is_empty()) else {
        return Err(Problems { problems });
    };
    warnings.sort_by_key(|warning| warning.line);
    let mut config = Config {
        owner: owner.map(|given| given.value),
        state_dir: state_dir.value.into(),
        log_file: log_file.map(|given| given.value.into()),
        log_level: log_level.map_or(LogLevel::Info, |given| given.value),
        log_format: log_format.map_or(DEFAULT_LOG_FORMAT, |given| given.value),
        document,
    };
    flags.apply(&mut config);
    Ok(Loaded { config, warnings, notices })
}

fn place<T>(given: Option<&Placed<T>>) -> Option<Place> {
    given.map(|given| given.place.clone())
}

/// The place of what the grammar says without a word in the file.
fn implied() -> Place {
    Place { line: None, key: String::new() }
}

/// `[Fargate]` and `[SSH]` as one layer of ours.
fn layer(
    reader: &mut Reader<'_>,
    fargate: &Given<'_>,
    ssh: &Given<'_>,
    notices: &mut Vec<Problem>,
) -> Layer {
    let mut layer = match fargate.table() {
        Some(table) => settings(reader, table, notices),
        None => Layer::empty(None, Place { line: None, key: "Fargate".to_owned() }),
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
fn settings(reader: &mut Reader<'_>, table: &Table<'_>, notices: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::settings(reader, table, None);
    let as_list = |one: Placed<String>| Placed { value: vec![one.value], place: one.place };
    let subnet = reader.text(table, "Subnet", check::subnet).map(as_list);
    let group = reader.text(table, "SecurityGroup", check::security_group).map(as_list);
    let addressed = public_ip(reader, table, layer.public_ip.is_some(), notices);
    layer.subnets = layer.subnets.or(subnet);
    layer.security_groups = layer.security_groups.or(group);
    layer.public_ip = layer.public_ip.or(addressed);
    layer.container =
        layer.container.or_else(|| Some(Placed { value: CONTAINER.to_owned(), place: implied() }));
    layer.launch =
        layer.launch.or_else(|| Some(Placed { value: Launch::ClusterDefault, place: implied() }));
    layer.shell = layer.shell.or_else(|| Some(Placed { value: Shell::Runner, place: implied() }));
    if reader.value(table, "HostKey").is_none() {
        layer.host_key = Some(Placed { value: HostKey::FirstUse, place: implied() });
        notices.push(first_use(reader, table));
    }
    layer
}

/// What `EnablePublicIP` and `UsePublicIP` mean together. Alone, the first one also decided which
/// address the older driver dialled; `UsePublicIP` came with a later one.
fn public_ip(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    ours_decides: bool,
    notices: &mut Vec<Problem>,
) -> Option<Placed<PublicIp>> {
    let enabled = reader.flag(table, "EnablePublicIP");
    let used = reader.flag(table, "UsePublicIP");
    let value = |given: &Option<Placed<bool>>| given.as_ref().map(|given| given.value);
    let meant = match (value(&enabled), value(&used)) {
        (Some(true), None | Some(true)) => PublicIp::Dialled,
        (Some(true), Some(false)) => PublicIp::Assigned,
        (None | Some(false), _) => PublicIp::None,
    };
    if let (PublicIp::None, Some(Placed { value: true, place })) = (meant, &used)
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
    Some(Placed { value: meant, place })
}

/// The port; below 1 it is 22, as in that driver.
fn port(reader: &mut Reader<'_>, ssh: &Table<'_>) -> Option<Placed<u32>> {
    let (place, value) = reader.value(ssh, "Port")?;
    if let DeValue::Integer(given) = value.get_ref()
        && i128::from_str_radix(given.as_str(), given.radix()).is_ok_and(|port| port < 1)
    {
        return Some(Placed { value: DEFAULT_PORT, place });
    }
    reader.number(ssh, "Port", 1..=u16::MAX.into())
}

fn first_use(reader: &Reader<'_>, table: &Table<'_>) -> Problem {
    let message = format!(
        "key `{0}.HostKey` is not there, so that `first_use` is implied: the first host key that a \
         task shows is taken and pinned, whoever shows it",
        table.place.key
    );
    let hint =
        "`HostKey = \"seed\"` once the image starts fargate-agent instead of sshd".to_owned();
    reader.problem(&table.place, message, Some(hint))
}

fn relative_log_file(reader: &Reader<'_>, given: &Placed<String>) -> Option<Problem> {
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
    reader: &Reader<'_>,
    top: &Table<'_>,
    [fargate, metadata, ssh]: [&Given<'_>; 3],
    flags: &Overrides,
) -> Option<Problem> {
    let state_dir = reader.value(top, "StateDir").is_some();
    let task_definition = flags.layer().task_definition.is_some();
    let required: [(&Given<'_>, &str, &[&str], bool); 6] = [
        (fargate, "Fargate", &["Cluster"], false),
        (fargate, "Fargate", &["Subnet", "Subnets"], false),
        (fargate, "Fargate", &["SecurityGroup", "SecurityGroups"], false),
        (fargate, "Fargate", &["TaskDefinition"], task_definition),
        (metadata, "TaskMetadata", &["Directory"], state_dir),
        (ssh, "SSH", &["Username", "User"], false),
    ];
    let lacks = |given: &Given<'_>, names: &[&str]| match given {
        Given::Absent => true,
        Given::Refused => false,
        Given::There(table) => names.iter().all(|name| reader.value(table, name).is_none()),
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
    let place = Place { line: None, key: key.unwrap_or_default() };
    let hint = why_missing(reader, top, &missing);
    Some(reader.problem(&place, message, hint))
}

/// A misspelt key explains a missing one; a file with none of the tables may be meant otherwise.
fn why_missing(reader: &Reader<'_>, top: &Table<'_>, missing: &[(String, &str)]) -> Option<String> {
    let nearest = |name: &str| format!("nearest is `{name}`");
    let misspelt = reader
        .warnings
        .iter()
        .find(|warning| missing.iter().any(|(_, name)| warning.message.ends_with(&nearest(name))));
    if let Some(Problem { message, line: Some(line), .. }) = misspelt {
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
    let section = [Section::Fargate, Section::TaskMetadata, Section::GitLabSsh];
    let example = section.iter().find_map(|section| section.example(name));
    example.map(|line| format!("for example `{line}`"))
}

/// A level of logrus, in any case.
///
/// Source: logrus, `ParseLevel`.
pub(crate) fn log_level(given: &str) -> Checked<LogLevel> {
    match given.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => Ok(LogLevel::Error),
        "warn" | "warning" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        _ => Err(Refusal::new(
            "allowed are `trace`, `debug`, `info`, `warn`, `warning`, `error`, `fatal`, `panic`",
        )),
    }
}

/// A format of the log, in any case.
pub(crate) fn log_format(given: &str) -> Checked<LogFormat> {
    check::word(&given.to_ascii_lowercase())
}
