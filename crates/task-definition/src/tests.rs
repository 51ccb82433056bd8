//! Templates, what profiles make of them, and what is said where they cannot.

use std::path::Path;

use fargate_config::{JobProfile, UnknownKeyPolicy, parse};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{DefinitionError, DefinitionTemplate, PlaceholderValues, RenderedDefinition};

/// A profile with an image and these lines.
fn profile(lines: &str) -> JobProfile {
    let text = format!(
        "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-1\"]\n\
         security_groups = [\"sg-1\"]\nimage = \"team/ci:1\"\n{lines}"
    );
    let loaded = parse(&text, Path::new("config.toml"), UnknownKeyPolicy::Refuse);
    loaded.unwrap_or_else(|error| panic!("{error}")).config.profile(None).unwrap()
}

fn rendered(lines: &str) -> RenderedDefinition {
    RenderedDefinition::of(&profile(lines), "eu-west-1").unwrap_or_else(|error| panic!("{error}"))
}

/// What is said of a template.
fn refused(template: &str, lines: &str) -> String {
    let filled = DefinitionTemplate::parse("ci.json", template).and_then(|template| {
        let values = PlaceholderValues::new(&profile(lines), "team/ci:1", "eu-west-1");
        template.fill(&values)
    });
    filled.expect_err(template).to_string()
}

const EVERYTHING: &str = r#"
    cpu = 2048
    memory = 4096
    registry_secret = "ci/registry"
    execution_role = "arn:aws:iam::123456789012:role/ci-execution"
    task_role = "ci-task"
    architecture = "arm64"
    ephemeral_storage_gib = 50
    log_group = "/ci/tasks"
    volumes = ["cache"]
    secrets = [
        { name = "NPM_TOKEN", from = "/ci/npm" },
        { name = "DEPLOY_KEY", from = "/ci/key", as_file = true },
    ]
    tmpfs = [{ path = "/scratch", size_mib = 512 }]
    task_definition_family = "ci-large"
    [volume.cache]
    file_system = "fs-0a1b2c3d"
    access_point = "fsap-0a1b2c3d"
    path = "/cache"
"#;

#[test]
fn a_profile_that_says_little_makes_a_small_definition() {
    assert_snapshot!(serde_json::to_string_pretty(rendered("").input()).unwrap(), @r#"
    {
      "containerDefinitions": [
        {
          "essential": true,
          "healthCheck": {
            "command": [
              "CMD",
              "fargate-agent",
              "--health"
            ],
            "interval": 30,
            "retries": 3,
            "startPeriod": 10,
            "timeout": 5
          },
          "image": "team/ci:1",
          "name": "job",
          "portMappings": [
            {
              "containerPort": 22,
              "protocol": "tcp"
            }
          ],
          "stopTimeout": 30,
          "ulimits": [
            {
              "hardLimit": 65535,
              "name": "nofile",
              "softLimit": 65535
            }
          ]
        }
      ],
      "cpu": "1024",
      "family": "fargate-runner-ci",
      "memory": "2048",
      "networkMode": "awsvpc",
      "requiresCompatibilities": [
        "FARGATE"
      ],
      "runtimePlatform": {
        "cpuArchitecture": "X86_64",
        "operatingSystemFamily": "LINUX"
      },
      "tags": [
        {
          "key": "fargate-runner:content",
          "value": "f4d462c1dbdb7b1405cda2741787f5fc"
        }
      ]
    }
    "#);
}

#[test]
fn a_profile_that_says_everything_makes_all_of_the_template() {
    assert_snapshot!(serde_json::to_string_pretty(rendered(EVERYTHING).input()).unwrap(), @r#"
    {
      "containerDefinitions": [
        {
          "essential": true,
          "healthCheck": {
            "command": [
              "CMD",
              "fargate-agent",
              "--health"
            ],
            "interval": 30,
            "retries": 3,
            "startPeriod": 10,
            "timeout": 5
          },
          "image": "team/ci:1",
          "linuxParameters": {
            "tmpfs": [
              {
                "containerPath": "/scratch",
                "size": 512
              }
            ]
          },
          "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
              "awslogs-group": "/ci/tasks",
              "awslogs-region": "eu-west-1",
              "awslogs-stream-prefix": "fargate-runner",
              "max-buffer-size": "25m",
              "mode": "non-blocking"
            }
          },
          "mountPoints": [
            {
              "containerPath": "/cache",
              "readOnly": false,
              "sourceVolume": "cache"
            }
          ],
          "name": "job",
          "portMappings": [
            {
              "containerPort": 22,
              "protocol": "tcp"
            },
            {
              "containerPort": 2049,
              "protocol": "tcp"
            }
          ],
          "repositoryCredentials": {
            "credentialsParameter": "ci/registry"
          },
          "secrets": [
            {
              "name": "NPM_TOKEN",
              "valueFrom": "/ci/npm"
            },
            {
              "name": "FARGATE_RUNNER_SECRET_FILE_DEPLOY_KEY",
              "valueFrom": "/ci/key"
            }
          ],
          "stopTimeout": 30,
          "ulimits": [
            {
              "hardLimit": 65535,
              "name": "nofile",
              "softLimit": 65535
            }
          ]
        }
      ],
      "cpu": "2048",
      "ephemeralStorage": {
        "sizeInGiB": 50
      },
      "executionRoleArn": "arn:aws:iam::123456789012:role/ci-execution",
      "family": "ci-large",
      "memory": "4096",
      "networkMode": "awsvpc",
      "requiresCompatibilities": [
        "FARGATE"
      ],
      "runtimePlatform": {
        "cpuArchitecture": "ARM64",
        "operatingSystemFamily": "LINUX"
      },
      "tags": [
        {
          "key": "fargate-runner:content",
          "value": "037f14ed68134bc433b7c922b700447c"
        }
      ],
      "taskRoleArn": "ci-task",
      "volumes": [
        {
          "efsVolumeConfiguration": {
            "authorizationConfig": {
              "accessPointId": "fsap-0a1b2c3d",
              "iam": "ENABLED"
            },
            "fileSystemId": "fs-0a1b2c3d",
            "transitEncryption": "ENABLED"
          },
          "name": "cache"
        }
      ]
    }
    "#);
}

#[test]
fn a_stock_sshd_gets_an_init_process_and_no_health_check_of_the_agent() {
    let with = rendered("host_key = \"first_use\"\n[defaults.ssh]\nport = 2222\n");
    let container = &with.input()["containerDefinitions"][0];
    assert_eq!(container["linuxParameters"], json!({ "initProcessEnabled": true }));
    assert_eq!(container.get("healthCheck"), None);
    assert_eq!(container["portMappings"], json!([{ "containerPort": 2222, "protocol": "tcp" }]));
}

#[test]
fn the_template_of_the_manager_makes_a_definition_as_well() {
    let with = rendered(
        "task_definition_template = \"manager\"\ntask_definition_family = \"manager\"\n\
         volumes = [\"state\"]\n[volume.state]\nfile_system = \"fs-0\"\niam = false\n\
         path = \"/var/lib/fargate-runner\"\n",
    );
    let container = &with.input()["containerDefinitions"][0];
    assert_eq!(with.family(), "manager");
    assert_eq!(container["stopTimeout"], 120);
    assert_eq!(container["mountPoints"][0]["containerPath"], "/var/lib/fargate-runner");
}

#[test]
fn equal_profiles_make_equal_content_and_each_setting_another() {
    let content = |lines: &str| rendered(lines).content().clone();
    assert_eq!(content(""), content("cpu = 1024\nmemory = 2048\n"));
    let mut seen = vec![content("")];
    for lines in [
        "cpu = 2048\n",
        "task_role = \"ci-task\"\n",
        "architecture = \"arm64\"\n",
        "ephemeral_storage_gib = 21\n",
        "execution_role = \"e\"\n",
        "execution_role = \"e\"\nsecrets = [{ name = \"A\", from = \"/a\" }]\n",
        "execution_role = \"e\"\nsecrets = [{ name = \"A\", from = \"/a\", as_file = true }]\n",
        "tmpfs = [{ path = \"/a\", size_mib = 1 }]\n",
        "volumes = [\"a\"]\n[volume.a]\nfile_system = \"fs-1\"\npath = \"/a\"\niam = false\n",
        "container = \"build\"\n",
        "host_key = \"first_use\"\n",
        "task_definition_family = \"other\"\n",
    ] {
        let content = content(lines);
        assert!(!seen.contains(&content), "{lines}");
        seen.push(content);
    }
}

#[test]
fn a_profile_with_a_fixed_task_definition_makes_none() {
    let mut fixed = profile("");
    fixed.image = None;
    fixed.task_definition = Some("ci:7".to_owned());
    let error = RenderedDefinition::of(&fixed, "eu-west-1").unwrap_err();
    assert_snapshot!(error, @r#"the profile names the task definition ci:7, which somebody else made; only one with `image` makes its own"#);
}

#[test]
fn a_template_that_cannot_be_used_is_told_in_one_sentence() {
    assert_snapshot!(refused("{\n \"family\": ci\n}", ""), @r#"the template ci.json is not JSON as ECS writes a task definition: expected value at line 2 column 12"#);
    assert_snapshot!(refused("[]", ""), @r#"the template ci.json is not JSON as ECS writes a task definition: it is no object"#);
    assert_snapshot!(refused(r#"{"family": "${famly}"}"#, ""), @r#"the template ci.json has the unknown placeholder `famly` in `family`, nearest is `family`; allowed: agent, architecture, container, cpu, ephemeral_storage_gib, execution_role, family, image, init_process, linux_parameters, log_group, memory, mount_points, nfs, port, region, registry_secret, secrets, stock_sshd, task_role, tmpfs, user, volumes"#);
    assert_snapshot!(refused(r#"{"a": [{"b": "${gpu_count}"}]}"#, ""), @r#"the template ci.json has the unknown placeholder `gpu_count` in `a[0].b`; allowed: agent, architecture, container, cpu, ephemeral_storage_gib, execution_role, family, image, init_process, linux_parameters, log_group, memory, mount_points, nfs, port, region, registry_secret, secrets, stock_sshd, task_role, tmpfs, user, volumes"#);
    assert_snapshot!(refused(r#"{"a": {"$when": "logs", "b": 1}}"#, ""), @r#"the template ci.json has the unknown placeholder `logs` in `a`; allowed: agent, architecture, container, cpu, ephemeral_storage_gib, execution_role, family, image, init_process, linux_parameters, log_group, memory, mount_points, nfs, port, region, registry_secret, secrets, stock_sshd, task_role, tmpfs, user, volumes"#);
    assert_snapshot!(refused(r#"{"a": {"$when": true}}"#, ""), @r#"the template ci.json is wrong in `a`: `$when` is the name of a placeholder, in quotes"#);
    assert_snapshot!(refused(r#"{"a": "x-${log_group}"}"#, ""), @r#"the template ci.json is wrong in `a`: `${log_group}` is part of a longer text, and the setting is absent"#);
    assert_snapshot!(refused(r#"{"a": "${agent}"}"#, ""), @r#"the template ci.json is wrong in `a`: `agent` has no text of its own, it stands only after `$when`"#);
    assert_snapshot!(refused(r#"{"a": "${family"}"#, ""), @r#"the template ci.json is wrong in `a`: `${` has no `}`; a `${` that is no placeholder is written `$${`"#);
    let missing = DefinitionTemplate::named("/no/such/file.json").unwrap_err();
    assert_snapshot!(missing, @r#"the template /no/such/file.json cannot be read: No such file or directory (os error 2)"#);
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("long.json");
    std::fs::write(&long, " ".repeat(200_000)).unwrap();
    let long = DefinitionTemplate::named(&long.to_string_lossy()).unwrap_err().to_string();
    assert!(long.ends_with("cannot be read: it is longer than 128 KiB"), "{long}");
}

#[test]
fn placeholders_stand_alone_or_inside_a_text_and_may_be_written_out() {
    let template = r#"{
        "a": "${family}-${port}", "b": "${port}", "c": "$${HOME} ${image}", "d": "${log_group}",
        "e": ["${log_group}", "x", "${image}"], "f": {"$when": "log_group", "g": 1},
        "h": [{"$when": "log_group"}, {"$when": "agent", "i": "$5"}], "j": null
    }"#;
    let values = PlaceholderValues::new(&profile(""), "team/ci:1", "eu-west-1");
    let filled = DefinitionTemplate::parse("t", template).unwrap().fill(&values).unwrap();
    let expected = json!({
        "a": "fargate-runner-ci-22", "b": 22, "c": "${HOME} team/ci:1", "e": ["x", "team/ci:1"],
        "h": [{"i": "$5"}], "j": null,
    });
    assert_eq!(filled, expected);
}

#[test]
fn a_template_without_tags_of_its_own_gets_the_one_that_names_the_content() {
    for tags in [json!(null), json!([]), json!([{"key": "fargate-runner:content", "value": "x"}])] {
        let mut template: Value =
            serde_json::from_str(include_str!("../../../task-definitions/ci.json")).unwrap();
        template["tags"] = tags;
        let template = DefinitionTemplate::parse("ci.json", &template.to_string()).unwrap();
        let values = PlaceholderValues::new(&profile(""), "team/ci:1", "eu-west-1");
        let rendered = RenderedDefinition::fill(&template, &values, "job").unwrap();
        let content = rendered.content().as_str();
        let own = json!([{"key": "fargate-runner:content", "value": content}]);
        assert_eq!(rendered.input()["tags"], own);
    }
}

/// What is said of a rendered definition in which one member was replaced.
fn unusable(pointer: &str, value: Value) -> String {
    let mut template: Value =
        serde_json::from_str(include_str!("../../../task-definitions/ci.json")).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    template.pointer_mut(parent).unwrap()[name] = value;
    let template = DefinitionTemplate::parse("ci.json", &template.to_string()).unwrap();
    let values = PlaceholderValues::new(&profile(""), "team/ci:1", "eu-west-1");
    match RenderedDefinition::fill(&template, &values, "job") {
        Err(error @ DefinitionError::Unusable(_)) => error.to_string(),
        other => panic!("{pointer}: {other:?}"),
    }
}

#[test]
fn what_ecs_would_refuse_is_told_in_one_sentence_with_what_is_allowed() {
    let of = |pointer: &str, value: Value| unusable(pointer, value);
    assert_snapshot!(of("/cpu", json!("1000")), @r#"cpu 1000 is not a Fargate size; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384, 32768; nearest is `cpu = 1024` with `memory = 2048`"#);
    assert_snapshot!(of("/memory", json!("9000")), @r#"memory 9000 does not fit cpu 1024; allowed: 2048, 3072, 4096, 5120, 6144, 7168, 8192; nearest is `cpu = 1024` with `memory = 8192`"#);
    assert_snapshot!(of("/cpu", json!(1024)), @r#"`cpu` is 1024 and `memory` is "2048"; expected are CPU units and MiB as texts, such as "1024" and "2048""#);
    assert_snapshot!(of("/ephemeralStorage", json!({"sizeInGiB": 20})), @r#"`ephemeralStorage.sizeInGiB` is 20; allowed are 21 to 200; leave it out for the 20 GiB that every task has"#);
    assert_snapshot!(of("/ephemeralStorage", json!({"sizeInGiB": 201})), @r#"`ephemeralStorage.sizeInGiB` is 201; allowed are 21 to 200; leave it out for the 20 GiB that every task has"#);
    assert_snapshot!(of("/executionRoleArn", json!("role/ci")), @r#"`executionRoleArn` is "role/ci"; allowed are a role's name and its ARN; such as `execution_role = "arn:aws:iam::123456789012:role/ci"`"#);
    assert_snapshot!(of("/taskRoleArn", json!("arn:aws:iam::12:role/ci")), @r#"`taskRoleArn` is "arn:aws:iam::12:role/ci"; allowed are a role's name and its ARN; such as `task_role = "arn:aws:iam::123456789012:role/ci"`"#);
    assert_snapshot!(of("/family", json!("my family")), @r#"`family` is "my family"; allowed are 1 to 255 ASCII letters, digits, `-` and `_`"#);
    assert_snapshot!(of("/networkMode", json!("bridge")), @r#"`networkMode` is "bridge"; Fargate needs "awsvpc""#);
    assert_snapshot!(of("/requiresCompatibilities", json!(["EC2"])), @r#"`requiresCompatibilities` is ["EC2"]; a task of Fargate Runner needs ["FARGATE"]"#);
    assert_snapshot!(of("/runtimePlatform/cpuArchitecture", json!("amd64")), @r#"`runtimePlatform.cpuArchitecture` is "amd64"; allowed are "X86_64" and "ARM64""#);
    assert_snapshot!(of("/containerDefinitions/0/name", json!("build")), @r#"the template has no container `job`, which runs the scripts; its containers: build"#);
    assert_snapshot!(of("/containerDefinitions/0/stopTimeout", json!(121)), @r#"`stopTimeout` of container `job` is 121; Fargate allows 2 to 120 seconds"#);
    assert_snapshot!(of("/containerDefinitions/0/essential", json!(false)), @r#"no container is essential; at least one must be"#);
    assert_snapshot!(
        of("/containerDefinitions/0/mountPoints", json!([{"sourceVolume": "x"}])),
        @r#"a container mounts the volume "x", which is not there"#
    );
    assert_snapshot!(of("/containerDefinitions/0/privileged", json!(true)), @r#"container `job` is privileged, which Fargate does not offer"#);
    assert_snapshot!(of("/tags", json!("a=b")), @r#"`tags` is "a=b"; a list is expected"#);
    assert_snapshot!(
        of("/tags", json!(vec![json!({"key": "a", "value": "b"}); 50])),
        @"50 tags; allowed are 49, because `fargate-runner:content` is added"
    );
    let secret = RenderedDefinition::of(&profile("registry_secret = \"ci/registry\"\n"), "r");
    assert_snapshot!(secret.unwrap_err(), @r#"container `job` has the login of its registry, which needs an execution role; `execution_role = "arn:aws:iam::123456789012:role/ci-execution"`"#);
}

#[test]
fn the_page_about_templates_names_every_placeholder_and_no_other() {
    let page = include_str!("../../../task-definitions/README.md");
    let documented: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| Some(line.split_once('`')?.0))
        // The other table is of commands.
        .filter(|name| !name.contains(' '))
        .collect();
    let values = PlaceholderValues::new(&profile(""), "i", "r");
    let known: Vec<&str> = values.names().collect();
    assert_eq!(documented, known);
}

#[test]
fn a_template_of_anything_ends_in_a_definition_or_an_error() {
    use proptest::prelude::*;
    let values = PlaceholderValues::new(&profile(EVERYTHING), "i", "r");
    proptest!(|(text in r#"[\[\]{}":,$a-z_ 0-9]{0,60}"#)| {
        if let Ok(template) = DefinitionTemplate::parse("t", &text) {
            let _ = RenderedDefinition::fill(&template, &values, "job");
        }
    });
}

#[test]
fn a_template_may_begin_with_the_mark_that_some_editors_write() {
    let text = format!("\u{feff}{}", include_str!("../../../task-definitions/ci.json"));
    assert!(DefinitionTemplate::parse("t", &text).is_ok());
}
