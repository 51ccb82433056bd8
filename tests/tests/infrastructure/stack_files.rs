//! The files of the stack by themselves: what cfn-lint and a shell say of them, and what must not be in them.

use std::process::Command;

use crate::{judges, root};

/// The largest template that CloudFormation takes without a bucket, in bytes. Source: "CloudFormation quotas".
const LARGEST_TEMPLATE: usize = 51_200;

fn template() -> String {
    let path = root().join("infrastructure/cloudformation/fargate-runner.yaml");
    std::fs::read_to_string(path).expect("the template")
}

#[test]
fn cfn_lint_finds_nothing_wrong_with_the_template() {
    let Some(judges) = judges() else { return };
    let folder = root().join("infrastructure/cloudformation");
    let output = Command::new(judges.join("cfn-lint"))
        .args(["--non-zero-exit-code", "informational", "--template"])
        .arg(folder.join("fargate-runner.yaml"))
        .output()
        .expect("cfn-lint was installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_template_fits_into_one_call() {
    let size = template().len();
    assert!(size <= LARGEST_TEMPLATE, "{size} bytes of {LARGEST_TEMPLATE}");
}

#[test]
fn nothing_outside_may_come_in_and_the_host_gives_its_role_to_imdsv2_alone() {
    let template = template();
    let inbound = template.split("AWS::EC2::SecurityGroupIngress").skip(1);
    let mut rules = 0;
    for rule in inbound {
        let rule = rule.split("\n  ").take(10).collect::<Vec<_>>().join("\n");
        assert!(rule.contains("SourceSecurityGroupId"), "{rule}");
        rules += 1;
    }
    assert_eq!(rules, 2);
    assert!(
        !template.contains("SecurityGroupIngress:\n"),
        "no group has rules of its own for what comes in"
    );
    for needed in [
        "HttpTokens: required",
        "Encrypted: true, DeleteOnTermination",
        "\n      Encrypted: true\n",
    ] {
        assert!(template.contains(needed), "{needed}");
    }
    assert!(!template.contains("KeyName"), "Session Manager opens shells, and no key of SSH");
}

#[test]
fn a_shell_takes_the_script_of_the_manager_host_and_its_token_is_in_no_argument() {
    let path = root().join("infrastructure/manager/bootstrap.sh");
    let output = Command::new("sh").arg("-n").arg(&path).output().expect("sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let script = std::fs::read_to_string(path).expect("the script");
    let register = script.split("gitlab-runner register").nth(1).expect("it registers");
    let call = register.split("\n    unset").next().expect("a call");
    assert!(!call.contains("TOKEN") && !call.contains("--token"), "{call}");
}
