//! The settings of one table, `[defaults]` or `[profile.NAME]`, as the file has them, and how one
//! table is laid over another.
//!
//! Each value is checked by itself. Whether the values fit each other is asked once the profile is
//! put together, in `fit`.

use std::collections::BTreeMap;

use fargate_model::size::{CPU_UNITS, allowed_memory_mib};

use crate::check::{self, CheckResult, ValueRefusal};
use crate::keys::ConfigSection;
use crate::profile::{ClientKeyKind, HostKey, LaunchMode, PublicIp, Shell};
use crate::reader::{ConfigReader, ConfigTable, KeyLocation, LocatedValue, kind};
use crate::timeouts::{TIMEOUT_KEYS, TimeoutKey, TimeoutLimits, TimeoutValue};
use crate::{role, strategy};

/// Most subnets and security groups of a task. Source: Amazon ECS API Reference,
/// `AwsVpcConfiguration`.
pub(crate) const MAX_SUBNETS: usize = 16;
pub(crate) const MAX_SECURITY_GROUPS: usize = 5;

/// Most values that a job may choose from. Ours: a longer list is no list of names any more.
pub(crate) const MAX_JOB_CHOICES: usize = 100;

/// One table of settings; what it does not say is `None`.
#[derive(Clone, Debug)]
pub(crate) struct SettingsLayer {
    /// The profile's name; `None` for `[defaults]`.
    pub(crate) name: Option<String>,
    /// Its header.
    pub(crate) place: KeyLocation,
    pub(crate) cluster: Option<LocatedValue<String>>,
    pub(crate) region: Option<LocatedValue<String>>,
    pub(crate) subnets: Option<LocatedValue<Vec<String>>>,
    pub(crate) security_groups: Option<LocatedValue<Vec<String>>>,
    pub(crate) task_definition: Option<LocatedValue<String>>,
    pub(crate) container: Option<LocatedValue<String>>,
    /// `launch_type` or `capacity_provider_strategy`: one choice with two keys.
    pub(crate) launch: Option<LocatedValue<LaunchMode>>,
    pub(crate) platform_version: Option<LocatedValue<String>>,
    pub(crate) cpu: Option<LocatedValue<u32>>,
    pub(crate) memory: Option<LocatedValue<u32>>,
    pub(crate) host_key: Option<LocatedValue<HostKey>>,
    pub(crate) public_ip: Option<LocatedValue<PublicIp>>,
    pub(crate) enable_execute_command: Option<LocatedValue<bool>>,
    pub(crate) job_task_definitions: Option<LocatedValue<Vec<String>>>,
    pub(crate) job_platform_versions: Option<LocatedValue<Vec<String>>>,
    pub(crate) role_arn: Option<LocatedValue<String>>,
    pub(crate) role_external_id: Option<LocatedValue<String>>,
    pub(crate) role_session_name: Option<LocatedValue<String>>,
    pub(crate) ca_bundle: Option<LocatedValue<String>>,
    pub(crate) shell: Option<LocatedValue<Shell>>,
    pub(crate) builds_dir: Option<LocatedValue<String>>,
    pub(crate) cache_dir: Option<LocatedValue<String>>,
    pub(crate) user: Option<LocatedValue<String>>,
    pub(crate) port: Option<LocatedValue<u32>>,
    pub(crate) client_key: Option<LocatedValue<ClientKeyKind>>,
    pub(crate) timeouts: BTreeMap<&'static str, LocatedValue<TimeoutValue>>,
    pub(crate) tags: BTreeMap<String, LocatedValue<String>>,
}

impl SettingsLayer {
    /// A layer that says nothing.
    pub(crate) fn empty(name: Option<String>, place: KeyLocation) -> Self {
        Self {
            name,
            place,
            cluster: None,
            region: None,
            subnets: None,
            security_groups: None,
            task_definition: None,
            container: None,
            launch: None,
            platform_version: None,
            cpu: None,
            memory: None,
            host_key: None,
            public_ip: None,
            enable_execute_command: None,
            job_task_definitions: None,
            job_platform_versions: None,
            role_arn: None,
            role_external_id: None,
            role_session_name: None,
            ca_bundle: None,
            shell: None,
            builds_dir: None,
            cache_dir: None,
            user: None,
            port: None,
            client_key: None,
            timeouts: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Reads a table of settings with the tables below it.
    pub(crate) fn read(
        reader: &mut ConfigReader<'_>,
        table: &ConfigTable<'_>,
        name: Option<String>,
    ) -> Self {
        reader.unknown_keys(table, ConfigSection::Settings);
        let mut layer = Self::settings(reader, table, name);
        if let Some(ssh) = reader.table(table, "ssh") {
            reader.unknown_keys(&ssh, ConfigSection::Ssh);
            layer.user = reader.text(&ssh, "user", check::user);
            layer.port = reader.number(&ssh, "port", 1..=u16::MAX.into());
            layer.client_key = reader.text(&ssh, "client_key", check::word);
        }
        layer
    }

    /// Reads the settings that both grammars have under the same names: all but those of `ssh`.
    pub(crate) fn settings(
        reader: &mut ConfigReader<'_>,
        table: &ConfigTable<'_>,
        name: Option<String>,
    ) -> Self {
        let task_definition = check::task_definition;
        let platform_version = check::platform_version;
        let own = Self::empty(name, table.place.clone());
        Self {
            cluster: reader.text(table, "cluster", check::cluster),
            region: reader.text(table, "region", check::region),
            subnets: reader.texts(table, "subnets", 1..=MAX_SUBNETS, check::subnet),
            security_groups: reader.texts(
                table,
                "security_groups",
                1..=MAX_SECURITY_GROUPS,
                check::security_group,
            ),
            task_definition: reader.text(table, "task_definition", task_definition),
            container: reader.text(table, "container", check::container),
            launch: strategy::launch(reader, table),
            platform_version: reader.text(table, "platform_version", platform_version),
            cpu: cpu(reader, table),
            memory: memory(reader, table),
            host_key: reader.text(table, "host_key", check::host_key),
            public_ip: reader.text(table, "public_ip", check::word),
            enable_execute_command: reader.flag(table, "enable_execute_command"),
            job_task_definitions: reader.texts(
                table,
                "job_task_definitions",
                0..=MAX_JOB_CHOICES,
                task_definition,
            ),
            job_platform_versions: reader.texts(
                table,
                "job_platform_versions",
                0..=MAX_JOB_CHOICES,
                platform_version,
            ),
            role_arn: reader.text(table, "assume_role_arn", role::arn),
            role_external_id: reader.text(table, "assume_role_external_id", role::external_id),
            role_session_name: reader.text(table, "assume_role_session_name", role::session_name),
            ca_bundle: reader.text(table, "ca_bundle", check::absolute_path),
            shell: reader.text(table, "shell", check::word),
            builds_dir: reader.text(table, "builds_dir", check::absolute_path),
            cache_dir: reader.text(table, "cache_dir", check::absolute_path),
            timeouts: timeouts(reader, table),
            tags: tags(reader, table),
            ..own
        }
    }

    /// This layer, and what it does not say from `base`; tables key by key, lists as a whole.
    pub(crate) fn over(mut self, base: Self) -> Self {
        let (mut timeouts, mut tags) = (base.timeouts, base.tags);
        timeouts.append(&mut self.timeouts);
        tags.append(&mut self.tags);
        Self {
            name: self.name,
            place: self.place,
            cluster: self.cluster.or(base.cluster),
            region: self.region.or(base.region),
            subnets: self.subnets.or(base.subnets),
            security_groups: self.security_groups.or(base.security_groups),
            task_definition: self.task_definition.or(base.task_definition),
            container: self.container.or(base.container),
            launch: self.launch.or(base.launch),
            platform_version: self.platform_version.or(base.platform_version),
            cpu: self.cpu.or(base.cpu),
            memory: self.memory.or(base.memory),
            host_key: self.host_key.or(base.host_key),
            public_ip: self.public_ip.or(base.public_ip),
            enable_execute_command: self.enable_execute_command.or(base.enable_execute_command),
            job_task_definitions: self.job_task_definitions.or(base.job_task_definitions),
            job_platform_versions: self.job_platform_versions.or(base.job_platform_versions),
            role_arn: self.role_arn.or(base.role_arn),
            role_external_id: self.role_external_id.or(base.role_external_id),
            role_session_name: self.role_session_name.or(base.role_session_name),
            ca_bundle: self.ca_bundle.or(base.ca_bundle),
            shell: self.shell.or(base.shell),
            builds_dir: self.builds_dir.or(base.builds_dir),
            cache_dir: self.cache_dir.or(base.cache_dir),
            user: self.user.or(base.user),
            port: self.port.or(base.port),
            client_key: self.client_key.or(base.client_key),
            timeouts,
            tags,
        }
    }
}

fn cpu(reader: &mut ConfigReader<'_>, table: &ConfigTable<'_>) -> Option<LocatedValue<u32>> {
    let allowed: Vec<_> = CPU_UNITS.iter().map(u32::to_string).collect();
    let expected = format!("one of the numbers {}", allowed.join(", "));
    reader.whole(table, "cpu", &expected, |n| CPU_UNITS.contains(&n).then_some(()).ok_or(None))
}

fn memory(reader: &mut ConfigReader<'_>, table: &ConfigTable<'_>) -> Option<LocatedValue<u32>> {
    let mut offered: Vec<u32> =
        CPU_UNITS.iter().filter_map(|&cpu| allowed_memory_mib(cpu)).flatten().collect();
    offered.sort_unstable();
    let (least, most) = (*offered.first()?, *offered.last()?);
    let expected = format!("a number of MiB that Fargate offers, from {least} to {most},");
    reader.whole(table, "memory", &expected, |n| match offered.binary_search(&n) {
        Ok(_) => Ok(()),
        Err(above) => {
            let nearest = offered.get(above).copied().unwrap_or(most);
            Err(Some(format!("`memory = {nearest}`")))
        }
    })
}

fn timeouts(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
) -> BTreeMap<&'static str, LocatedValue<TimeoutValue>> {
    let Some(table) = reader.table(table, "timeouts") else { return BTreeMap::new() };
    reader.unknown_keys(&table, ConfigSection::Timeouts);
    let given =
        TIMEOUT_KEYS.iter().filter_map(|key| Some((key.name, timeout(reader, &table, key)?)));
    given.collect()
}

fn timeout(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
    key: &TimeoutKey,
) -> Option<LocatedValue<TimeoutValue>> {
    let (min, max) = match key.limits {
        TimeoutLimits::Count(min, max) => {
            let given = reader.number(table, key.name, min..=max)?;
            return Some(LocatedValue {
                value: TimeoutValue::Count(given.value),
                place: given.place,
            });
        }
        TimeoutLimits::Span(min, max) | TimeoutLimits::Seconds(min, max) => (min, max),
    };
    let limits = format!("{} to {}", TimeoutValue::Span(min), TimeoutValue::Span(max));
    let (place, value) = reader.value(table, key.name)?;
    if !value.get_ref().is_str() {
        let unit = value.get_ref().as_integer().map(|n| format!("write the unit: `\"{n}s\"`"));
        let is = kind(value.get_ref());
        let rest = format!("is {is}, a duration from {limits} in quotes is expected");
        reader.report(&place, &rest, unit);
        return None;
    }
    reader.text(table, key.name, |given| span(given, key.limits, &limits))
}

fn span(given: &str, limits: TimeoutLimits, allowed: &str) -> CheckResult<TimeoutValue> {
    let Ok(span) = humantime::parse_duration(given) else {
        let refusal = ValueRefusal::new(format!("a duration from {allowed} is expected"));
        return Err(
            refusal.hint("a number and its unit, such as `\"200ms\"`, `\"30s\"` or `\"1h 30m\"`")
        );
    };
    let (TimeoutLimits::Span(min, max) | TimeoutLimits::Seconds(min, max)) = limits else {
        return Err(ValueRefusal::new("a number is expected"));
    };
    if !(min..=max).contains(&span) {
        return Err(ValueRefusal::new(format!("allowed is {allowed}")));
    }
    if matches!(limits, TimeoutLimits::Seconds(..)) && span.subsec_nanos() != 0 {
        return Err(ValueRefusal::new(format!("whole seconds are expected, {allowed}")));
    }
    Ok(TimeoutValue::Span(span))
}

fn tags(
    reader: &mut ConfigReader<'_>,
    table: &ConfigTable<'_>,
) -> BTreeMap<String, LocatedValue<String>> {
    let Some(table) = reader.table(table, "tags") else { return BTreeMap::new() };
    let mut tags = BTreeMap::new();
    // Names of tags are the operator's own: they are never compared loosely.
    for (key, value) in table.entries {
        let name: &str = key.get_ref();
        let place = reader.place(&table, name, key.span().start);
        if let Err(refusal) = check::tag_key(name) {
            let rest = format!("has a name that no tag may have: {}", refusal.allowed);
            reader.report(&place, &rest, refusal.hint);
            continue;
        }
        if let Some(value) = reader.checked(place, value.get_ref(), check::tag_value) {
            tags.insert(name.to_owned(), value);
        }
    }
    tags
}
