//! A task definition that somebody else made, for tests: it mounts a file system through an access point, has a
//! private image and an open one, a secret and a parameter.

use fargate_config::UnknownKeyPolicy;
use serde_json::json;

use crate::job_needs::JobNeeds;
use crate::views::DefinitionFacts;

/// What ECS says of it. Its file system and its roles are those of the other samples.
pub(crate) fn mounting_definition() -> DefinitionFacts {
    DefinitionFacts::of(&json!({
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/ci:7",
        "status": "ACTIVE", "networkMode": "awsvpc", "compatibilities": ["EC2", "FARGATE"],
        "cpu": "1024", "memory": "2048",
        "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "executionRoleArn": "arn:aws:iam::123456789012:role/ci-execution",
        "taskRoleArn": "arn:aws:iam::123456789012:role/ci-task",
        "containerDefinitions": [
            {
                "name": "job", "image": "registry.example.com/ci/job:1",
                "repositoryCredentials": {"credentialsParameter": "ci/registry"},
                "mountPoints": [{"sourceVolume": "cache", "containerPath": "/cache"}],
                "secrets": [
                    {"name": "NPM",
                     "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-AbCdEf:key::"},
                    {"name": "TOKEN", "valueFrom": "/ci/token"},
                ],
            },
            {"name": "side", "image": "registry.example.com/ci/side:1"},
        ],
        "volumes": [{"name": "cache", "efsVolumeConfiguration": {
            "fileSystemId": "fs-0a1b2c3d", "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": "fsap-0a1b2c3d", "iam": "ENABLED"},
        }}],
    }))
}

/// What jobs need whose profile names it.
pub(crate) fn fixed_needs() -> JobNeeds {
    let text = "config_version = 1\n[defaults]\ncluster = \"ci\"\nregion = \"eu-west-1\"\n\
                subnets = [\"subnet-0a1\", \"subnet-0b2\"]\nsecurity_groups = [\"sg-0a1\"]\n\
                task_definition = \"ci\"\n";
    let path = std::path::Path::new("config.toml");
    let loaded = fargate_config::parse(text, path, UnknownKeyPolicy::Warn);
    JobNeeds::of(&loaded.expect("the file is right").config, None).unwrap().remove(0)
}
