//! The policy of `iam-policy --with-check` is what `check` calls, and no call is missing in it.

use std::collections::BTreeSet;

use fargate_access_policy::catalogued_calls;
use fargate_local_cloud::{PacketSource, SecurityGroupRule};
use fargate_tests::{CheckedHost, PolicyHolder};
use serde_json::json;

use crate::{checker, ids, report};

/// Calls that `check` makes of AWS and not of the local cloud, with the reason.
const NOT_ASKED_HERE: &[(&str, &str)] = &[
    ("DescribeDhcpOptions", "the networks of the local cloud have the usual ones"),
    ("DescribeKey", "secrets of the local cloud have no key of their own"),
    ("GetKeyPolicy", "as above"),
    ("GetAWSDefaultServiceQuota", "the account has a value of its own for each quota"),
    ("GetAuthorizationToken", "no image of ECR is pulled here"),
    ("BatchGetImage", "as above"),
    ("GetDownloadUrlForLayer", "as above"),
];
/// What everybody may ask, without any right.
const FREE: &str = "GetCallerIdentity";
/// The file system of the volume.
const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";

/// A host whose configuration and account give `check` something to read everywhere.
async fn furnished() -> CheckedHost {
    let site = CheckedHost::open().await;
    let cloud = site.cloud();
    cloud.add_file_system(FILE_SYSTEM);
    cloud.put_secret("ci/registry", r#"{"username":"ci","password":"x"}"#).expect("a secret");
    let one = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": one }).to_string();
    cloud.put_role_policy("ci-task", "own", &policy).expect("a policy");
    let managed = "arn:aws:iam::123456789012:policy/managed";
    cloud.attach_role_policy("ci-task", managed, &policy).expect("a policy");
    cloud.with_network(|network| {
        let rule = SecurityGroupRule::tcp(443, PacketSource::PrefixList("pl-0a1b2c3d".to_owned()));
        network.security_groups.iter_mut().for_each(|group| group.egress.push(rule.clone()));
    });
    for (key, value) in [
        ("image", "registry.example/team/ci:1"),
        ("registry_secret", "ci/registry"),
        ("execution_role", "ci-execution"),
        ("task_role", "ci-task"),
        ("log_group", "/ci/jobs"),
        ("task_definition_family", "made-here"),
    ] {
        site.set(&format!("profile.own.{key}"), value);
    }
    let npm = cloud.put_secret("ci/npm", "a secret of jobs").expect("a secret");
    let secret = [("name", "NPM_TOKEN".to_owned()), ("from", npm)];
    let secret = secret.map(|(key, value)| (key.to_owned(), toml::Value::from(value)));
    let secrets = vec![toml::Value::Table(toml::Table::from_iter(secret))];
    site.set("profile.own.secrets", toml::Value::Array(secrets));
    site.set("profile.own.volumes", toml::Value::from(vec!["data"]));
    site.set("volume.data.file_system", FILE_SYSTEM);
    site.set("volume.data.path", "/data");
    site
}

fn actions_of(holder: PolicyHolder) -> BTreeSet<String> {
    let rows = catalogued_calls().filter(|row| row.holder == holder);
    let names = rows.filter_map(|row| row.action.split_once(':'));
    names.map(|(_, action)| action.to_owned()).collect()
}

#[tokio::test]
async fn check_calls_what_its_policy_allows_and_nothing_else() {
    let site = furnished().await;
    let person = checker(&site, |_| {});
    let ended = person.heard(person.start(&["--format", "json"])).await;
    let report = report(&ended);
    let requests = site.cloud().requests().into_iter();
    let called: BTreeSet<String> = requests.map(|request| request.operation).collect();
    let own = actions_of(PolicyHolder::Check);
    let all: BTreeSet<_> = own.union(&actions_of(PolicyHolder::Manager)).cloned().collect();
    let unlisted: Vec<_> = called.difference(&all).filter(|name| *name != FREE).collect();
    assert!(unlisted.is_empty(), "no policy allows {unlisted:?}: {report:#}");
    let excused: BTreeSet<_> = NOT_ASKED_HERE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let unused: BTreeSet<_> = own.difference(&called).cloned().collect();
    assert_eq!(unused, excused, "calls of the policy that nothing needs: {report:#}");
    assert!(ids(&report, "pass").contains(&"job-secrets".to_owned()), "{report:#}");
    // The rest of the report needs rights as well; what was refused is told as unknown.
    let told = ids(&report, "unknown");
    assert!(!told.iter().any(|id| id == "rights"), "{told:?}: {report:#}");
    crate::close(site).await;
}
