//! A task definition, as far as a task depends on it.

use serde_json::Value;

use fargate_model::size::FargateSize;

/// A task definition: one that ECS has, or one that a profile makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionFacts {
    /// Its ARN, or its family if ECS does not have it yet.
    pub name: String,
    /// Whether new tasks can be started from it.
    pub is_active: bool,
    /// Whether Fargate runs it.
    pub is_for_fargate: bool,
    /// Its network mode.
    pub network_mode: String,
    /// CPU and memory as ECS has them.
    pub cpu: Option<u32>,
    /// Memory in MiB.
    pub memory: Option<u32>,
    /// The processor: `X86_64` or `ARM64`.
    pub architecture: String,
    /// The names of its containers.
    pub containers: Vec<String>,
    /// Their images.
    pub images: Vec<String>,
    /// The role by which ECS prepares a task.
    pub execution_role: Option<String>,
    /// The role of the programs in a task.
    pub task_role: Option<String>,
    /// Secrets with the login of a registry, by name or ARN.
    pub registry_secrets: Vec<String>,
    /// Secrets and parameters that containers get, as the definition has them.
    pub secrets: Vec<String>,
    /// The log groups of `awslogs`.
    pub log_groups: Vec<LogGroupUse>,
    /// The file systems that it mounts.
    pub file_systems: Vec<String>,
    /// How it mounts them.
    pub mounts: Vec<DefinitionMount>,
    /// The image of each container, with the login of its registry.
    pub container_images: Vec<ContainerImage>,
    /// The disk in GiB, if it is more than what every task has.
    pub disk_gib: Option<u64>,
}

/// One volume of EFS in a task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionMount {
    /// The volume's name.
    pub name: String,
    /// The file system.
    pub file_system: String,
    /// The folder of the file system that is mounted, without an access point.
    pub folder: String,
    /// The access point, by its id.
    pub access_point: Option<String>,
    /// Whether tasks may only read it: no container mounts it in another way.
    pub read_only: bool,
    /// Whether a task shows its role when it mounts.
    pub iam: bool,
    /// Whether the data is encrypted on its way.
    pub transit_encryption: bool,
}

/// The image of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerImage {
    /// The container's name.
    pub container: String,
    /// The image.
    pub image: String,
    /// The secret with the login of its registry, by name or ARN.
    pub registry_secret: Option<String>,
}

/// A log group that a container writes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogGroupUse {
    /// Its name.
    pub name: String,
    /// Its Region, if the definition names one.
    pub region: Option<String>,
    /// Whether the log driver makes it if it is missing.
    pub is_made: bool,
}

impl DefinitionFacts {
    /// Reads what `RegisterTaskDefinition` takes, or the `taskDefinition` of an answer.
    #[must_use]
    pub fn of(definition: &Value) -> Self {
        let text = |name: &str| definition[name].as_str().map(str::to_owned);
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let containers = items(&definition["containerDefinitions"]);
        let of_containers = |read: &dyn Fn(&Value) -> Vec<String>| {
            let mut found: Vec<String> = containers.iter().flat_map(read).collect();
            found.sort();
            found.dedup();
            found
        };
        let one = |value: &Value| value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>();
        let kinds = [&definition["compatibilities"], &definition["requiresCompatibilities"]];
        let mut log_groups: Vec<LogGroupUse> = containers.iter().filter_map(log_group).collect();
        log_groups.sort();
        log_groups.dedup();
        let volumes = items(&definition["volumes"]);
        let mut file_systems: Vec<String> = volumes
            .iter()
            .flat_map(|volume| one(&volume["efsVolumeConfiguration"]["fileSystemId"]))
            .collect();
        file_systems.sort();
        file_systems.dedup();
        Self {
            name: text("taskDefinitionArn").or_else(|| text("family")).unwrap_or_default(),
            is_active: text("status").is_none_or(|status| status == "ACTIVE"),
            is_for_fargate: kinds
                .iter()
                .any(|list| items(list).iter().any(|kind| kind == "FARGATE")),
            network_mode: text("networkMode").unwrap_or_default(),
            cpu: text("cpu").and_then(|cpu| cpu.parse().ok()),
            memory: text("memory").and_then(|memory| memory.parse().ok()),
            architecture: definition["runtimePlatform"]["cpuArchitecture"]
                .as_str()
                .unwrap_or("X86_64")
                .to_owned(),
            containers: containers.iter().flat_map(|container| one(&container["name"])).collect(),
            images: of_containers(&|container| one(&container["image"])),
            execution_role: text("executionRoleArn").filter(|role| !role.is_empty()),
            task_role: text("taskRoleArn").filter(|role| !role.is_empty()),
            registry_secrets: of_containers(&|container| {
                one(&container["repositoryCredentials"]["credentialsParameter"])
            }),
            secrets: of_containers(&|container| {
                let named = items(&container["secrets"]);
                let logs = items(&container["logConfiguration"]["secretOptions"]);
                named.iter().chain(&logs).flat_map(|secret| one(&secret["valueFrom"])).collect()
            }),
            log_groups,
            file_systems,
            mounts: volumes.iter().filter_map(|volume| mount(volume, &containers)).collect(),
            container_images: containers.iter().filter_map(container_image).collect(),
            disk_gib: definition["ephemeralStorage"]["sizeInGiB"].as_u64(),
        }
    }

    /// Its size, if Fargate offers it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn size(&self) -> Result<FargateSize, String> {
        let (Some(cpu), Some(memory)) = (self.cpu, self.memory) else {
            return Err("it has no CPU or no memory of the task".to_owned());
        };
        FargateSize::check(cpu, memory).map_err(|error| error.to_string())
    }
}

/// A volume of EFS; `None` for a volume of another kind.
///
/// Source of what a missing member means: Amazon ECS API Reference, `EFSVolumeConfiguration` and
/// `EFSAuthorizationConfig`.
fn mount(volume: &Value, containers: &[Value]) -> Option<DefinitionMount> {
    let name = volume["name"].as_str()?;
    let efs = &volume["efsVolumeConfiguration"];
    let authorization = &efs["authorizationConfig"];
    let points = containers.iter().filter_map(|container| container["mountPoints"].as_array());
    let mut points = points.flatten().filter(|point| point["sourceVolume"] == name).peekable();
    let is_mounted = points.peek().is_some();
    Some(DefinitionMount {
        name: name.to_owned(),
        file_system: efs["fileSystemId"].as_str()?.to_owned(),
        folder: efs["rootDirectory"].as_str().unwrap_or("/").to_owned(),
        access_point: authorization["accessPointId"].as_str().map(str::to_owned),
        read_only: is_mounted && points.all(|point| point["readOnly"] == true),
        iam: authorization["iam"] == "ENABLED",
        transit_encryption: efs["transitEncryption"] == "ENABLED",
    })
}

fn container_image(container: &Value) -> Option<ContainerImage> {
    let secret = &container["repositoryCredentials"]["credentialsParameter"];
    Some(ContainerImage {
        container: container["name"].as_str()?.to_owned(),
        image: container["image"].as_str()?.to_owned(),
        registry_secret: secret.as_str().map(str::to_owned),
    })
}

fn log_group(container: &Value) -> Option<LogGroupUse> {
    let logs = &container["logConfiguration"];
    if logs["logDriver"] != "awslogs" {
        return None;
    }
    let option = |name: &str| logs["options"][name].as_str().map(str::to_owned);
    Some(LogGroupUse {
        name: option("awslogs-group")?,
        region: option("awslogs-region"),
        is_made: option("awslogs-create-group").is_some_and(|word| word == "true"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_is_read_in_the_form_of_a_request_and_of_an_answer() {
        let definition = json!({
            "family": "ci", "networkMode": "awsvpc", "cpu": "1024", "memory": "2048",
            "requiresCompatibilities": ["FARGATE"], "executionRoleArn": "arn:e",
            "containerDefinitions": [{
                "name": "job", "image": "a/b:1", "repositoryCredentials": {"credentialsParameter": "ci/registry"},
                "secrets": [{"name": "X", "valueFrom": "/ci/x"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": "/ci", "awslogs-region": "eu-west-1", "awslogs-create-group": "true"}},
            }],
            "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
        });
        let facts = DefinitionFacts::of(&definition);
        assert!(facts.is_for_fargate && facts.is_active);
        assert_eq!(facts.size().unwrap().memory_mib, 2048);
        assert_eq!(
            (facts.registry_secrets.as_slice(), facts.secrets.as_slice()),
            (["ci/registry".to_owned()].as_slice(), ["/ci/x".to_owned()].as_slice())
        );
        assert_eq!(facts.file_systems, ["fs-1"]);
        assert!(facts.log_groups[0].is_made);
        assert_eq!(facts.architecture, "X86_64");
        let [mount] = facts.mounts.as_slice() else { panic!("{:?}", facts.mounts) };
        // ECS takes these where a member is missing.
        assert_eq!((mount.folder.as_str(), &mount.access_point), ("/", &None));
        assert_eq!((mount.iam, mount.transit_encryption, mount.read_only), (false, false, false));
        let [image] = facts.container_images.as_slice() else { panic!("{facts:?}") };
        assert_eq!((image.container.as_str(), image.image.as_str()), ("job", "a/b:1"));
        assert_eq!(image.registry_secret.as_deref(), Some("ci/registry"));
        let odd = DefinitionFacts::of(&json!({ "status": "INACTIVE", "containerDefinitions": 3 }));
        assert!(!odd.is_active && odd.size().is_err() && odd.containers.is_empty());
    }
    #[test]
    fn a_volume_of_efs_is_read_with_its_access_point_its_role_and_its_encryption() {
        let definition = json!({
            "containerDefinitions": [
                {"name": "job", "mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": true}]},
                {"name": "side"},
            ],
            "volumes": [{"name": "v", "efsVolumeConfiguration": {
                "fileSystemId": "fs-1", "transitEncryption": "ENABLED", "rootDirectory": "/ci",
                "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}}},
                {"name": "scratch"}],
        });
        let mount = DefinitionMount {
            name: "v".to_owned(),
            file_system: "fs-1".to_owned(),
            folder: "/ci".to_owned(),
            access_point: Some("fsap-1".to_owned()),
            read_only: true,
            iam: true,
            transit_encryption: true,
        };
        assert_eq!(DefinitionFacts::of(&definition).mounts, [mount]);
    }
}
