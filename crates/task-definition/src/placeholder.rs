//! The placeholders of a template, and what a profile puts in their place.
//!
//! `task-definitions/README.md` explains each to people; a test holds the two together.

use std::collections::BTreeMap;

use fargate_config::{
    HostKey, JobProfile, StorageVolume, TaskArchitecture, TaskSecret, TmpfsMount, VolumeAccess,
};
use fargate_model::size::FargateSize;
use fargate_protocol::SECRET_FILE_PREFIX;
use serde_json::{Value, json};

use self::PlaceholderValue::Whole;

/// What one placeholder stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PlaceholderValue {
    /// A text, also where ECS writes a number as a text.
    Text(String),
    /// A number.
    Number(u32),
    /// A list or a flag, which is all of a member.
    Whole(Value),
    /// It is only asked for by `$when`.
    Condition,
}

impl PlaceholderValue {
    /// The value where the placeholder is all of a member.
    pub(crate) fn whole(&self) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::from(text.as_str())),
            Self::Number(number) => Some(Value::from(*number)),
            Self::Whole(value) => Some(value.clone()),
            Self::Condition => None,
        }
    }

    /// The value inside a longer text.
    pub(crate) fn inside(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Whole(_) | Self::Condition => None,
        }
    }
}

/// What a template is filled with: each placeholder by its name. A name whose setting is absent has no
/// value.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceholderValues(BTreeMap<&'static str, Option<PlaceholderValue>>);

impl PlaceholderValues {
    /// What this profile says. `image` is the image as it is to be pulled; `region` is where the
    /// definition is registered.
    #[must_use]
    pub fn new(profile: &JobProfile, image: &str, region: &str) -> Self {
        let text = |value: &str| Some(PlaceholderValue::Text(value.to_owned()));
        let optional = |value: &Option<String>| value.as_deref().and_then(text);
        let condition = |holds: bool| holds.then_some(PlaceholderValue::Condition);
        let architecture = match profile.architecture {
            TaskArchitecture::X86_64 => "X86_64",
            TaskArchitecture::Arm64 => "ARM64",
        };
        let size = FargateSize::least(profile.cpu_units, profile.memory_mib);
        let stock_sshd = profile.host_key == HostKey::FirstUse;
        let list = |items: Vec<Value>| (!items.is_empty()).then(|| Whole(Value::from(items)));
        let tmpfs = list(profile.tmpfs.iter().map(tmpfs).collect());
        Self(BTreeMap::from([
            ("agent", condition(!stock_sshd)),
            ("architecture", text(architecture)),
            ("container", text(&profile.container)),
            ("cpu", text(&size.cpu_units.to_string())),
            ("ephemeral_storage_gib", profile.ephemeral_storage_gib.map(PlaceholderValue::Number)),
            ("execution_role", optional(&profile.execution_role)),
            ("family", text(&profile.task_definition_family)),
            ("image", text(image)),
            ("init_process", stock_sshd.then(|| Whole(Value::from(true)))),
            ("linux_parameters", condition(stock_sshd || tmpfs.is_some())),
            ("log_group", optional(&profile.log_group)),
            ("memory", text(&size.memory_mib.to_string())),
            ("mount_points", list(profile.storage.iter().map(mount_point).collect())),
            ("nfs", condition(!profile.storage.is_empty())),
            ("port", Some(PlaceholderValue::Number(profile.ssh.port.into()))),
            ("region", text(region)),
            ("registry_secret", optional(&profile.registry_secret)),
            ("secrets", list(profile.secrets.iter().map(secret).collect())),
            ("stock_sshd", condition(stock_sshd)),
            ("task_role", optional(&profile.task_role)),
            ("tmpfs", tmpfs),
            ("user", text(&profile.ssh.user)),
            ("volumes", list(profile.storage.iter().map(volume).collect())),
        ]))
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// What a name stands for; `None` if there is no such placeholder.
    pub(crate) fn get(&self, name: &str) -> Option<Option<&PlaceholderValue>> {
        self.0.get(name).map(Option::as_ref)
    }
}

/// A volume as ECS takes it. With an access point, its folder is the root that is mounted.
fn volume(volume: &StorageVolume) -> Value {
    let encryption = if volume.transit_encryption { "ENABLED" } else { "DISABLED" };
    let iam = if volume.iam { "ENABLED" } else { "DISABLED" };
    let mut authorization = json!({ "iam": iam });
    if let VolumeAccess::Fixed(id) = volume.access() {
        authorization["accessPointId"] = json!(id);
    }
    json!({
        "name": volume.name,
        "efsVolumeConfiguration": {
            "fileSystemId": volume.file_system,
            "transitEncryption": encryption,
            "authorizationConfig": authorization,
        },
    })
}

fn mount_point(volume: &StorageVolume) -> Value {
    json!({
        "sourceVolume": volume.name,
        "containerPath": volume.path,
        "readOnly": volume.read_only,
    })
}

/// A secret as ECS takes it. fargate-agent writes one whose variable begins with [`SECRET_FILE_PREFIX`]
/// into a file.
fn secret(secret: &TaskSecret) -> Value {
    let prefix = if secret.as_file { SECRET_FILE_PREFIX } else { "" };
    json!({ "name": format!("{prefix}{}", secret.name), "valueFrom": secret.from })
}

fn tmpfs(mount: &TmpfsMount) -> Value {
    json!({ "containerPath": mount.path, "size": mount.size_mib })
}
