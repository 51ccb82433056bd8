//! Who may do what by a policy, and which policies are refused.

use serde_json::{Value, json};

use super::*;

const ARN: &str =
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0";
const ROLE: &str = "arn:aws:iam::123456789012:role/ci-task";
const MOUNT: &str = "elasticfilesystem:ClientMount";
const WRITE: &str = "elasticfilesystem:ClientWrite";

fn policy(statements: Value) -> FileSystemPolicy {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    FileSystemPolicy::read(&text, ARN).expect("a policy")
}

fn refused(statement: Value) -> String {
    let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    FileSystemPolicy::read(&text, ARN).expect_err("refused").to_string()
}

fn client(role: &str) -> MountClient {
    MountClient {
        role_arn: Some(role.to_owned()),
        account: "123456789012".to_owned(),
        is_encrypted: true,
        access_point_arn: Some(
            "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1".to_owned(),
        ),
    }
}

/// What an administrator writes who lets one role mount and write, over TLS and through a mount target.
fn one_role() -> FileSystemPolicy {
    policy(json!([
        {
            "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": [MOUNT, WRITE], "Resource": ARN,
            "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
        },
        {
            "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*", "Resource": ARN,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]))
}

#[test]
fn only_the_named_role_may_mount_and_only_over_tls() {
    let policy = one_role();
    let task = client(ROLE);
    assert!(policy.allows(MOUNT, &task) && policy.allows(WRITE, &task));
    assert!(!policy.allows("elasticfilesystem:ClientRootAccess", &task));
    assert!(!policy.allows(MOUNT, &client("arn:aws:iam::123456789012:role/other")));
    assert!(!policy.allows(MOUNT, &MountClient { is_encrypted: false, ..task.clone() }));
    assert!(!policy.allows(MOUNT, &MountClient { role_arn: None, ..task }), "no identity");
}

#[test]
fn an_account_stands_for_its_roles_and_a_star_for_everybody() {
    let may_mount = |principal: Value, client: &MountClient| {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "elasticfilesystem:Client*"});
        policy(json!(statement)).allows(MOUNT, client)
    };
    let task = client(ROLE);
    let stranger = MountClient { role_arn: None, ..task.clone() };
    for account in ["123456789012", "arn:aws:iam::123456789012:root"] {
        assert!(may_mount(json!({"AWS": [account]}), &task), "{account}");
        assert!(!may_mount(json!({"AWS": account}), &stranger), "{account}");
    }
    assert!(may_mount(json!("*"), &stranger) && may_mount(json!({"AWS": "*"}), &stranger));
    assert!(!may_mount(json!({"AWS": "999999999999"}), &task));
}

#[test]
fn an_access_point_can_be_a_condition_and_a_missing_one_does_not_meet_it() {
    let policy = policy(json!({
        "Effect": "Allow", "Principal": "*", "Action": MOUNT,
        "Condition": {"ArnLike": {"elasticfilesystem:AccessPointArn": "*:access-point/fsap-1"}},
    }));
    let task = client(ROLE);
    assert!(policy.allows(MOUNT, &task));
    assert!(!policy.allows(MOUNT, &MountClient { access_point_arn: None, ..task.clone() }));
    let other =
        Some("arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-2".to_owned());
    assert!(!policy.allows(MOUNT, &MountClient { access_point_arn: other, ..task }));
}

#[test]
fn what_cannot_be_evaluated_is_refused_when_the_policy_is_put() {
    let base = json!({"Effect": "Allow", "Principal": "*", "Action": MOUNT});
    let with = |more: Value| {
        let mut statement = base.clone();
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(statement)
    };
    insta::assert_snapshot!(with(json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}})), @"This local cloud does not evaluate the operator IpAddress in the policy of a file system.");
    insta::assert_snapshot!(with(json!({"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}})), @"This local cloud does not evaluate the condition key aws:MultiFactorAuthPresent in the policy of a file system.");
    insta::assert_snapshot!(with(json!({"NotPrincipal": {"AWS": ROLE}})), @"This local cloud does not evaluate NotPrincipal in the policy of a file system.");
    insta::assert_snapshot!(with(json!({"Resource": "arn:aws:s3:::b"})), @"The policy has Resource arn:aws:s3:::b; allowed are * and arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0.");
    insta::assert_snapshot!(with(json!({"Action": "s3:GetObject"})), @"The policy has Action s3:GetObject; allowed are those of elasticfilesystem.");
    insta::assert_snapshot!(with(json!({"Effect": "Maybe"})), @"The policy has Effect Maybe; allowed are Allow and Deny.");
    insta::assert_snapshot!(with(json!({"Principal": {"AWS": "ci"}})), @r#"The policy has Principal ci; allowed are "*", and "AWS" with accounts, role ARNs or "*"."#);
    assert!(
        FileSystemPolicy::read("{", ARN).is_err() && FileSystemPolicy::read("{}", ARN).is_err()
    );
}

#[test]
fn a_policy_that_keeps_its_own_writer_out_is_known() {
    let put = "elasticfilesystem:PutFileSystemPolicy";
    let deny = |principal: &str| {
        policy(json!({"Effect": "Deny", "Principal": {"AWS": principal}, "Action": "*"}))
    };
    assert!(deny("*").denies_everybody(put) && !deny(ROLE).denies_everybody(put));
    assert!(!one_role().denies_everybody(put), "it has a condition");
}
