//! Secrets through their life, and what Secrets Manager refuses, in which words.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::SERVICE;
use super::registry_login::{ExecutionSession, registry_login};
use crate::TaskTiming;
use crate::cloud::CloudInstance;
use crate::services::context::RequestContext;
use crate::test_cloud::for_tests;

const REGION: &str = "eu-west-1";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn cloud() -> Arc<CloudInstance> {
    for_tests(TaskTiming::Instant, true)
}

/// Calls an operation; an error comes back as `Code: message`.
fn call(cloud: &Arc<CloudInstance>, operation: &str, body: Value) -> Result<Value, String> {
    let context = RequestContext::of_owner(cloud, REGION);
    SERVICE
        .perform_json(operation, body, &context)
        .map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

/// A token of 32 characters.
fn token(n: u32) -> String {
    format!("{n:032}")
}

fn create(cloud: &Arc<CloudInstance>, text: &str) -> Value {
    let body = json!({"Name": "ci/registry", "ClientRequestToken": token(1), "SecretString": text});
    call(cloud, "CreateSecret", body).expect("created")
}

fn put(cloud: &Arc<CloudInstance>, n: u32, text: &str) -> Result<Value, String> {
    let body =
        json!({"SecretId": "ci/registry", "ClientRequestToken": token(n), "SecretString": text});
    call(cloud, "PutSecretValue", body)
}

fn value(cloud: &Arc<CloudInstance>, more: Value) -> Result<String, String> {
    let mut body = json!({"SecretId": "ci/registry"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call(cloud, "GetSecretValue", body)
        .map(|answer| answer["SecretString"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_new_version_is_current_and_the_former_one_is_previous() {
    let cloud = cloud();
    let made = create(&cloud, "one");
    let arn = made["ARN"].as_str().expect("an ARN");
    let suffix =
        arn.strip_prefix("arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-");
    assert!(suffix.is_some_and(|suffix| suffix.len() == 6), "{arn}");
    assert_eq!(made["VersionId"], token(1));
    put(&cloud, 2, "two").expect("a second version");
    let third = put(&cloud, 3, "three").expect("a third version");
    assert_eq!(third["VersionStages"], json!(["AWSCURRENT"]));
    assert_eq!(value(&cloud, json!({})), Ok("three".to_owned()));
    assert_eq!(value(&cloud, json!({"VersionStage": "AWSPREVIOUS"})), Ok("two".to_owned()));
    assert_eq!(value(&cloud, json!({"VersionId": token(1)})), Ok("one".to_owned()));
    let described = call(&cloud, "DescribeSecret", json!({"SecretId": arn})).expect("described");
    let labels = json!({token(2): ["AWSPREVIOUS"], token(3): ["AWSCURRENT"]});
    assert_eq!(described["VersionIdsToStages"], labels);
    assert!(!described.to_string().contains("three"), "only GetSecretValue shows a value");
    let pending = json!({"SecretId": arn, "ClientRequestToken": token(4), "SecretString": "four",
        "VersionStages": ["AWSPENDING"]});
    call(&cloud, "PutSecretValue", pending).expect("a version that is not current yet");
    assert_eq!(value(&cloud, json!({})), Ok("three".to_owned()));
}

#[tokio::test]
async fn a_repeated_request_changes_nothing_and_a_token_cannot_be_used_twice() {
    let cloud = cloud();
    let arn = create(&cloud, "one")["ARN"].clone();
    assert_eq!(create(&cloud, "one")["ARN"], arn, "the first answer may have been lost");
    let second = put(&cloud, 2, "two").expect("a second version");
    put(&cloud, 3, "three").expect("a third version");
    assert_eq!(put(&cloud, 2, "two").map(|again| again["VersionId"].clone()), Ok(token(2).into()));
    assert_eq!(value(&cloud, json!({})), Ok("three".to_owned()), "an old request takes no label");
    assert_eq!(
        put(&cloud, 2, "other").unwrap_err(),
        format!(
            "ResourceExistsException: You can't use ClientRequestToken {} because that value is \
             already in use for a version of secret {}.",
            second["VersionId"].as_str().unwrap(),
            arn.as_str().unwrap()
        )
    );
    let other = json!({"Name": "ci/registry", "ClientRequestToken": token(9), "SecretString": "x"});
    assert_eq!(
        call(&cloud, "CreateSecret", other).unwrap_err(),
        "ResourceExistsException: The operation failed because the secret ci/registry already exists."
    );
}

#[tokio::test]
async fn an_update_changes_the_description_without_a_new_version_and_the_value_with_one() {
    let cloud = cloud();
    create(&cloud, "one");
    let described = json!({"SecretId": "ci/registry", "Description": "for CI"});
    let answer = call(&cloud, "UpdateSecret", described).expect("updated");
    assert_eq!(answer.get("VersionId"), None);
    let body =
        json!({"SecretId": "ci/registry", "ClientRequestToken": token(2), "SecretBinary": "AAEC"});
    assert_eq!(call(&cloud, "UpdateSecret", body).expect("updated")["VersionId"], token(2));
    let read = call(&cloud, "GetSecretValue", json!({"SecretId": "ci/registry"})).expect("read");
    assert_eq!((&read["SecretBinary"], read.get("SecretString")), (&json!("AAEC"), None));
    let shown = call(&cloud, "DescribeSecret", json!({"SecretId": "ci/registry"})).expect("shown");
    assert_eq!(shown["Description"], "for CI");
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_window_is_over() {
    let cloud = cloud();
    let arn = create(&cloud, "one")["ARN"].clone();
    let delete = |more: Value| {
        let mut body = json!({"SecretId": "ci/registry"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&cloud, "DeleteSecret", body)
    };
    assert_eq!(
        delete(json!({"RecoveryWindowInDays": 6})).unwrap_err(),
        "InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days \
         (inclusive)."
    );
    delete(json!({"RecoveryWindowInDays": 7})).expect("marked");
    let marked = "InvalidRequestException: You can't perform this operation on the secret because it was \
         marked for deletion.";
    assert_eq!(value(&cloud, json!({})).unwrap_err(), marked);
    assert_eq!(put(&cloud, 2, "two").unwrap_err(), marked);
    let shown = call(&cloud, "DescribeSecret", json!({"SecretId": arn})).expect("still shown");
    assert!(shown["DeletedDate"].is_number(), "{shown}");
    call(&cloud, "RestoreSecret", json!({"SecretId": arn})).expect("restored");
    assert_eq!(value(&cloud, json!({})), Ok("one".to_owned()));
    delete(json!({"RecoveryWindowInDays": 7})).expect("marked again");
    cloud.clock.advance(7 * DAY);
    assert_eq!(
        value(&cloud, json!({})).unwrap_err(),
        "ResourceNotFoundException: Secrets Manager can't find the specified secret."
    );
    assert_ne!(create(&cloud, "new")["ARN"], arn, "a new secret has an ARN of its own");
    delete(json!({"ForceDeleteWithoutRecovery": true})).expect("gone");
    delete(json!({"ForceDeleteWithoutRecovery": true})).expect("gone already is no error");
    assert_ne!(create(&cloud, "newer")["ARN"], Value::Null, "the name is free at once");
}

#[tokio::test]
async fn bad_input_is_refused_in_the_words_of_the_service() {
    let cloud = cloud();
    let named = |name: &str| json!({"Name": name, "ClientRequestToken": token(1)});
    for (operation, body, said) in [
        (
            "CreateSecret",
            named("a b"),
            "ValidationException: Invalid name. Must be a valid name containing alphanumeric \
             characters, or any of the following: -/_+=.@!",
        ),
        (
            "CreateSecret",
            json!({"Name": "a", "ClientRequestToken": "short"}),
            "InvalidParameterException: ClientRequestToken must be 32-64 characters long.",
        ),
        (
            "CreateSecret",
            json!({"Name": "a"}),
            "InvalidRequestException: You must provide a ClientRequestToken value. We recommend a \
             UUID-type value.",
        ),
        (
            "GetSecretValue",
            json!({"SecretId": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"}),
            "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "a", "ClientRequestToken": token(1)}),
            "InvalidRequestException: You must provide either SecretString or SecretBinary.",
        ),
        (
            "ListSecrets",
            json!({"NextToken": "x"}),
            "InvalidNextTokenException: The NextToken value is invalid.",
        ),
    ] {
        assert_eq!(call(&cloud, operation, body).unwrap_err(), said, "{operation}");
    }
    call(&cloud, "CreateSecret", named("empty")).expect("a secret without a value");
    assert_eq!(
        call(&cloud, "GetSecretValue", json!({"SecretId": "empty"})).unwrap_err(),
        "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging \
         label: AWSCURRENT"
    );
}

#[tokio::test]
async fn secrets_are_listed_page_by_page_and_by_their_tags() {
    let cloud = cloud();
    for (n, team) in [(1, "ci"), (2, "web"), (3, "ci")] {
        let tags = json!([{"Key": "team", "Value": team}]);
        let name = format!("secret-{n}");
        let body = json!({"Name": name, "ClientRequestToken": token(n), "Tags": tags});
        call(&cloud, "CreateSecret", body).expect("created");
    }
    let names = |body: Value| {
        let answer = call(&cloud, "ListSecrets", body).expect("a list");
        let list = answer["SecretList"].as_array().expect("entries").clone();
        let names: Vec<_> =
            list.iter().map(|one| one["Name"].as_str().unwrap().to_owned()).collect();
        (names, answer["NextToken"].clone())
    };
    let (first, more) = names(json!({"MaxResults": 2}));
    let (second, end) = names(json!({"MaxResults": 2, "NextToken": more}));
    assert_eq!((first.len(), second.len(), end), (2, 1, Value::Null));
    let filter = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    assert_eq!(names(filter("tag-value", "ci")).0, ["secret-1", "secret-3"]);
    assert_eq!(names(filter("name", "!secret-1")).0, ["secret-2", "secret-3"]);
    let tag = json!({"SecretId": "secret-2", "Tags": [{"Key": "team", "Value": "ci"}]});
    call(&cloud, "TagResource", tag).expect("tagged");
    assert_eq!(names(filter("tag-value", "ci")).0.len(), 3);
}

#[tokio::test]
async fn ecs_reads_a_registry_secret_as_the_execution_role_and_shows_why_it_cannot() {
    let cloud = cloud();
    let session = ExecutionSession { region: REGION, role: "execution", task: "0123" };
    let said = |secret: &str| {
        let text = registry_login(&cloud, &session, secret).expect_err("refused").to_string();
        // The id of the request is random.
        text.split(", request id: ").next().unwrap_or_default().to_owned()
    };
    let opening = "ResourceInitializationError: unable to pull secrets or registry auth: execution \
                   resource retrieval failed: unable to get registry auth from asm: service call has \
                   been retried 1 time(s): ";
    assert_eq!(
        said("ci/registry"),
        format!(
            "{opening}asm fetching secret from the service for ci/registry: \
             ResourceNotFoundException: Secrets Manager can't find the specified secret. status code: 400"
        )
    );
    let arn = create(&cloud, r#"{"username":"ci","password":"open sesame"}"#)["ARN"].clone();
    let arn = arn.as_str().expect("an ARN");
    for reference in [arn, "ci/registry"] {
        let login = registry_login(&cloud, &session, reference).expect("a login");
        assert_eq!((&*login.username, &*login.password), ("ci", "open sesame"));
        assert!(!format!("{login:?}").contains("sesame"));
    }
    cloud.rights.deny_role("execution", "secretsmanager:GetSecretValue");
    assert_eq!(
        said("ci/registry"),
        format!(
            "{opening}asm fetching secret from the service for ci/registry: AccessDeniedException: \
             User: arn:aws:sts::123456789012:assumed-role/execution/0123 is not authorized to perform: \
             secretsmanager:GetSecretValue on resource: {arn} because no identity-based policy allows \
             the secretsmanager:GetSecretValue action status code: 400"
        )
    );
    assert!(value(&cloud, json!({})).is_ok(), "others keep the right");
    cloud.rights.allow_role("execution", "secretsmanager:GetSecretValue");
    put(&cloud, 2, "ci:open sesame").expect("another value");
    assert_eq!(
        said(arn),
        format!(
            "{opening}asm fetching authorization data: unable to unmarshal secret value, invalid schema"
        )
    );
}

#[test]
fn the_record_of_a_request_hides_the_value() {
    let body = br#"{"Name":"a","SecretString":"open sesame","SecretBinary":"AAEC"}"#;
    let recorded = SERVICE.recorded(body, &serde_json::Map::new()).to_string();
    assert_eq!(recorded, r#"{"Name":"a","SecretBinary":"[hidden]","SecretString":"[hidden]"}"#);
}
