//! The module of Terraform makes what the template of CloudFormation makes: inputs, outputs, resources, rules of
//! groups, rights.
//!
//! Both are read, neither is run. So that the comparison is worth something, each of many changes of one side must
//! be found.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{judges, root};

/// A file below `infrastructure/`, what is replaced in it, and by what.
const CHANGES: [(&str, &str, &str); 24] = [
    (
        "terraform/network.tf",
        "enable_dns_hostnames             = true",
        "enable_dns_hostnames             = false",
    ),
    ("terraform/network.tf", "? aws_subnet.public_subnet[", "? aws_subnet.private_subnet["),
    ("terraform/network.tf", "nat_zones    = local.own_subnets ?", "nat_zones    = true ?"),
    ("terraform/network.tf", "map_public_ip_on_launch = false", "map_public_ip_on_launch = true"),
    (
        "terraform/groups.tf",
        "from_port                    = 22\n",
        "from_port                    = 0\n",
    ),
    (
        "terraform/groups.tf",
        "referenced_security_group_id = aws_security_group.manager_group.id",
        "cidr_ipv4 = \"0.0.0.0/0\"",
    ),
    ("terraform/roles.tf", "\"ecs:StopTask\"", "\"ecs:*\""),
    (
        "terraform/roles.tf",
        "\"iam:PassedToService\" = \"ecs-tasks.amazonaws.com\"",
        "\"iam:PassedToService\" = \"ec2.amazonaws.com\"",
    ),
    (
        "terraform/roles.tf",
        "\"aws:SourceAccount\" = local.account",
        "\"aws:SourceAccount\" = \"*\"",
    ),
    ("terraform/roles.tf", "var.make_registry_secret ? [", "var.make_file_system ? ["),
    ("terraform/services.tf", "encrypted        = true", "encrypted        = false"),
    ("terraform/services.tf", "Effect    = \"Deny\"", "Effect    = \"Allow\""),
    ("terraform/services.tf", "[\"FARGATE\", \"FARGATE_SPOT\"]", "[\"FARGATE\"]"),
    (
        "terraform/services.tf",
        "var.make_file_system ? var.zone_count : 0",
        "var.make_file_system ? 1 : 0",
    ),
    (
        "terraform/manager.tf",
        "http_tokens                 = \"required\"",
        "http_tokens                 = \"optional\"",
    ),
    (
        "terraform/manager.tf",
        "associate_public_ip_address = false",
        "associate_public_ip_address = true",
    ),
    ("terraform/manager.tf", "= aws_cloudwatch_log_group.log_group.name", "= var.name"),
    ("terraform/outputs.tf", "output \"vpc_id\" { value = local.vpc_id }", ""),
    ("terraform/outputs.tf", "aws_iam_role.execution_role.arn", "aws_iam_role.task_role.arn"),
    ("terraform/variables.tf", "default     = 12", "default     = 8"),
    ("terraform/variables.tf", "[\"one\", \"per-zone\"]", "[\"one\"]"),
    ("manager/bootstrap.sh", "umask 077", "umask 022"),
    (
        "cloudformation/fargate-runner.yaml",
        "    Type: AWS::ECS::Cluster\n    Properties:\n",
        "    Type: AWS::ECS::Cluster\n    Properties:\n      ServiceConnectDefaults: {Namespace: x}\n",
    ),
    ("cloudformation/fargate-runner.yaml", "HttpTokens: required", "HttpTokens: optional"),
];

/// How the two differ, in words.
fn differences(judges: &Path, infrastructure: &Path) -> Vec<String> {
    let output = Command::new(judges.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(root().join("tests/infrastructure/compare.py"))
        .arg(infrastructure.join("cloudformation/fargate-runner.yaml"))
        .arg(infrastructure.join("terraform"))
        .arg(infrastructure.join("manager/bootstrap.sh"))
        .output()
        .expect("python was installed");
    let words = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

#[test]
fn the_module_makes_what_the_template_makes() {
    let Some(judges) = judges() else { return };
    let found = differences(&judges, &root().join("infrastructure"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_change_of_one_side_alone_is_found() {
    let Some(judges) = judges() else { return };
    let judged = |(file, old, new): &(&str, &str, &str)| {
        let folder = tempfile::tempdir().expect("a folder");
        for part in ["cloudformation", "terraform", "manager"] {
            fs::create_dir(folder.path().join(part)).expect("a folder");
            for entry in fs::read_dir(root().join("infrastructure").join(part)).expect("a folder") {
                let entry = entry.expect("an entry");
                fs::copy(entry.path(), folder.path().join(part).join(entry.file_name()))
                    .expect("a copy");
            }
        }
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).expect("a file of text");
        assert!(text.contains(old), "{file} has no {old:?}");
        fs::write(&path, text.replacen(old, new, 1)).expect("a writable file");
        (!differences(&judges, folder.path()).is_empty())
            .then_some(())
            .ok_or(format!("{file}: {old:?}"))
    };
    let judged = &judged;
    // Each takes a second of Python, and they share nothing.
    let halves = std::thread::scope(|scope| {
        let work = CHANGES.chunks(CHANGES.len().div_ceil(4));
        let running: Vec<_> = work
            .map(|part| {
                scope.spawn(move || {
                    part.iter().filter_map(|change| judged(change).err()).collect::<Vec<_>>()
                })
            })
            .collect();
        running.into_iter().flat_map(|part| part.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(halves.is_empty(), "not found:\n{}", halves.join("\n"));
}
