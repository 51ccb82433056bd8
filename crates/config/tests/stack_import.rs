//! `config import-stack`: what the outputs of a stack become, from each tool that prints them.

use std::path::Path;

use fargate_config::{StackOutputs, UnknownKeyPolicy, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The outputs of a whole stack.
const OUTPUTS: [(&str, &str); 16] = [
    ("OutputsVersion", "1"),
    ("Region", "eu-west-1"),
    ("ClusterName", "ci"),
    ("PrivateSubnetIds", "subnet-0a1b2c3d4e5f60718,subnet-0b2c3d4e5f607182a"),
    ("TaskSecurityGroupId", "sg-0c3d4e5f60718293b"),
    ("TaskDefinitionFamily", "fargate-runner-ci"),
    ("JobImage", "registry.example/team/ci:1"),
    ("Architecture", "arm64"),
    ("Concurrency", "25"),
    ("ExecutionRoleArn", "arn:aws:iam::123456789012:role/ci-ExecutionRole-1A"),
    ("TaskRoleArn", "arn:aws:iam::123456789012:role/ci-TaskRole-1A"),
    ("LogGroupName", "/ci/tasks"),
    (
        "RegistrySecretArn",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf",
    ),
    ("FileSystemId", "fs-0a1b2c3d"),
    ("FileSystemSecurityGroupId", "sg-0d4e5f60718293b4c"),
    ("EgressAddresses", "203.0.113.7,203.0.113.8"),
];

fn pairs() -> Vec<(String, String)> {
    OUTPUTS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn without(name: &str) -> Vec<(String, String)> {
    pairs().into_iter().filter(|(given, _)| given != name).collect()
}

fn of_cloudformation() -> Value {
    let output = |(key, value): (&str, &str)| json!({"OutputKey": key, "OutputValue": value, "Description": "x"});
    json!({"Stacks": [{"StackName": "ci", "StackStatus": "CREATE_COMPLETE", "Outputs": OUTPUTS.map(output)}]})
}

fn snake_case(name: &str) -> String {
    let parts = name.chars().flat_map(|c| match c.is_ascii_uppercase() {
        true => vec!['_', c.to_ascii_lowercase()],
        false => vec![c],
    });
    parts.collect::<String>().trim_start_matches('_').to_owned()
}

fn of_terraform() -> Value {
    let mut outputs = serde_json::Map::new();
    for (name, value) in OUTPUTS {
        let (kind, value) = match name {
            "PrivateSubnetIds" | "EgressAddresses" => {
                (json!(["list", "string"]), json!(value.split(',').collect::<Vec<_>>()))
            }
            "Concurrency" => (json!("number"), json!(25)),
            _ => (json!("string"), json!(value)),
        };
        outputs.insert(snake_case(name), json!({"sensitive": false, "type": kind, "value": value}));
    }
    outputs.insert(
        "manager_instance_id".to_owned(),
        json!({"sensitive": false, "type": "string", "value": null}),
    );
    Value::Object(outputs)
}

fn of_parameter() -> Value {
    Value::Object(
        OUTPUTS.map(|(name, value)| (name.to_owned(), json!(value))).into_iter().collect(),
    )
}

fn refused(text: &str) -> String {
    StackOutputs::read(text).expect_err("outputs that do not fit").to_string()
}

#[test]
fn the_file_of_a_whole_stack_is_as_a_person_would_write_it() {
    let text = StackOutputs::of(pairs()).unwrap().config_text("the stack ci").unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn the_least_stack_has_neither_secret_nor_volume_nor_log() {
    let required = &pairs()[..7];
    let mut least = required.to_vec();
    least.extend(pairs().into_iter().filter(|(name, _)| name.ends_with("RoleArn")));
    least.push(("RegistrySecretArn".to_owned(), String::new()));
    let text = StackOutputs::of(least).unwrap().config_text("outputs.json").unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn every_tool_that_prints_the_outputs_leads_to_the_same_file() {
    let expected = StackOutputs::of(pairs()).unwrap();
    for printed in [of_cloudformation(), of_terraform(), of_parameter()] {
        assert_eq!(StackOutputs::read(&printed.to_string()).unwrap(), expected);
    }
}

#[test]
fn what_the_file_says_is_what_the_stack_has() {
    let text = StackOutputs::of(pairs()).unwrap().config_text("x").unwrap();
    let loaded = parse(&text, Path::new("x"), UnknownKeyPolicy::Refuse).unwrap();
    assert!(loaded.warnings.is_empty() && loaded.notices.is_empty(), "{loaded:?}");
    let profile = loaded.config.profile(None).unwrap();
    assert_eq!(profile.subnets.len(), 2);
    assert_eq!(profile.region.as_deref(), Some("eu-west-1"));
    assert_eq!(loaded.config.volumes().count(), 1);
    assert!(profile.storage.is_empty(), "a job mounts nothing before `efs apply`");
}

#[test]
fn missing_and_unknown_outputs_are_one_error() {
    let mut wrong = without("ClusterName");
    wrong.retain(|(name, _)| name != "TaskRoleArn");
    wrong.push(("Colour".to_owned(), "red".to_owned()));
    let error = StackOutputs::of(wrong).unwrap_err().to_string();
    assert_eq!(
        error,
        "not the outputs of the stack of Fargate Runner: missing: ClusterName, TaskRoleArn; unknown: Colour"
    );
}

#[test]
fn a_stack_of_a_newer_release_says_so() {
    let mut newer = without("OutputsVersion");
    newer.push(("OutputsVersion".to_owned(), "2".to_owned()));
    let error = StackOutputs::of(newer).unwrap_err().to_string();
    assert_eq!(error, "the outputs have version 2, and this program reads version 1");
}

#[test]
fn a_value_that_the_configuration_does_not_allow_is_named() {
    let mut wrong = without("PrivateSubnetIds");
    wrong.push(("PrivateSubnetIds".to_owned(), "no subnet".to_owned()));
    let outputs = StackOutputs::of(wrong).unwrap();
    let error = outputs.config_text("x").unwrap_err().to_string();
    assert!(error.contains("`defaults.subnets"), "{error}");
}

#[test]
fn a_number_of_jobs_that_brings_lines_of_its_own_is_refused() {
    for given in ["25\n[notify]\nwebhook_url_file = \"/tmp/url\"", "many", "2.5", "-1"] {
        let mut wrong = without("Concurrency");
        wrong.push(("Concurrency".to_owned(), given.to_owned()));
        let error = StackOutputs::of(wrong).unwrap().config_text("x").unwrap_err().to_string();
        assert!(error.ends_with("`Concurrency`: a number of jobs is expected"), "{error}");
    }
}

#[test]
fn odd_texts_are_refused_in_words() {
    assert!(refused("").starts_with("no JSON: "));
    assert!(refused("[]").contains("no JSON object"));
    assert!(refused(r#"{"Stacks": []}"#).contains("exactly one stack"));
    assert!(
        refused(r#"{"Stacks": [{"Outputs": [{"OutputKey": "A"}]}]}"#)
            .contains("without `OutputKey`")
    );
    assert!(refused(r#"{"Stacks": [{}]}"#).contains("missing: OutputsVersion"));
    assert!(refused(r#"{"a": {"value": true}}"#).contains("`a` is no text"));
    assert!(refused("{}").contains("missing: "));
    let two =
        json!({"Stacks": [of_cloudformation()["Stacks"][0], of_cloudformation()["Stacks"][0]]});
    assert!(refused(&two.to_string()).contains("exactly one stack"));
}

proptest! {
    #[test]
    fn no_value_of_an_output_gets_past_the_checks_of_the_file(name in 0..OUTPUTS.len(), value in "(\\PC|\\n){0,40}") {
        let mut outputs = pairs();
        outputs[name].1.clone_from(&value);
        // A refusal is right as well; a text that is given out must be a whole file.
        if let Ok(text) = StackOutputs::of(outputs).and_then(|outputs| outputs.config_text(&value)) {
            prop_assert!(parse(&text, Path::new("x"), UnknownKeyPolicy::Refuse).is_ok(), "{}", text);
        }
    }
}
