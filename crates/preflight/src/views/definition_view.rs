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
    /// The disk in GiB, if it is more than what every task has.
    pub disk_gib: Option<u64>,
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
        let odd = DefinitionFacts::of(&json!({ "status": "INACTIVE", "containerDefinitions": 3 }));
        assert!(!odd.is_active && odd.size().is_err() && odd.containers.is_empty());
    }
}
