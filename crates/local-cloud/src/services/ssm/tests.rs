//! Parameters through their life, and what the Parameter Store refuses, in which words.

use std::sync::Arc;

use serde_json::{Value, json};

use super::SERVICE;
use crate::TaskTiming;
use crate::cloud::CloudInstance;
use crate::services::context::RequestContext;
use crate::test_cloud::for_tests;
use crate::wire::credentials::CallerPrincipal;

const REGION: &str = "eu-west-1";
const ARN: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/ci/token";

fn cloud() -> Arc<CloudInstance> {
    for_tests(TaskTiming::Instant, true)
}

/// Calls an operation; an error comes back as `Code: message`.
fn call(cloud: &Arc<CloudInstance>, operation: &str, body: Value) -> Result<Value, String> {
    let user = CallerPrincipal::User;
    let context = RequestContext { principal: &user, ..RequestContext::of_owner(cloud, REGION) };
    SERVICE
        .perform_json(operation, body, &context)
        .map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

fn put(cloud: &Arc<CloudInstance>, text: &str) -> Result<Value, String> {
    let body =
        json!({"Name": "/ci/token", "Value": text, "Type": "SecureString", "Overwrite": true});
    call(cloud, "PutParameter", body)
}

#[tokio::test]
async fn a_parameter_is_found_by_its_name_and_its_arn_and_in_each_version() {
    let cloud = cloud();
    assert_eq!(put(&cloud, "one").expect("written")["Version"], 1);
    assert_eq!(put(&cloud, "two").expect("written again")["Version"], 2);
    for (name, value) in [
        ("/ci/token", "two"),
        ("/ci/token:1", "one"),
        (ARN, "two"),
        (&format!("{ARN}:1")[..], "one"),
    ] {
        let body = json!({"Name": name, "WithDecryption": true});
        let read = call(&cloud, "GetParameter", body).expect(name);
        assert_eq!(read["Parameter"]["Value"], value, "{name}");
        assert_eq!(
            (&read["Parameter"]["ARN"], &read["Parameter"]["Name"]),
            (&json!(ARN), &json!("/ci/token"))
        );
    }
    let plain = json!({"Name": "plain", "Value": "three", "Type": "String"});
    call(&cloud, "PutParameter", plain).expect("a name without a slash");
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/plain";
    let read = call(&cloud, "GetParameter", json!({"Name": arn})).expect("by ARN");
    assert_eq!(read["Parameter"]["Value"], "three");
}

#[tokio::test]
async fn a_secure_string_is_unreadable_without_decryption_and_a_listing_has_no_value() {
    let cloud = cloud();
    put(&cloud, "canary").expect("written");
    let read = call(&cloud, "GetParameter", json!({"Name": "/ci/token"})).expect("read");
    assert!(!read.to_string().contains("canary"), "{read}");
    let filters = json!([{"Key": "Name", "Option": "BeginsWith", "Values": ["/ci/"]}]);
    let listed = call(&cloud, "DescribeParameters", json!({"ParameterFilters": filters}));
    let listed = listed.expect("listed");
    assert_eq!(listed["Parameters"][0]["Type"], "SecureString");
    assert!(!listed.to_string().contains("canary"), "{listed}");
}

#[tokio::test]
async fn several_are_read_at_once_and_those_that_do_not_exist_are_named() {
    let cloud = cloud();
    put(&cloud, "one").expect("written");
    let body = json!({"Names": ["/ci/none", "/ci/token", "/ci/token:7"], "WithDecryption": true});
    let read = call(&cloud, "GetParameters", body).expect("read");
    assert_eq!(read["InvalidParameters"], json!(["/ci/none", "/ci/token:7"]));
    assert_eq!(read["Parameters"][0]["Value"], "one");
    call(&cloud, "DeleteParameter", json!({"Name": "/ci/token"})).expect("deleted");
    let read = call(&cloud, "GetParameters", json!({"Names": ["/ci/token"]})).expect("read");
    assert_eq!(read["InvalidParameters"], json!(["/ci/token"]));
}

#[tokio::test]
async fn each_refusal_has_the_words_of_the_service() {
    let cloud = cloud();
    put(&cloud, "one").expect("written");
    let long = "x".repeat(4097);
    let mut said = String::new();
    for (operation, body) in [
        ("PutParameter", json!({"Name": "/ci/token", "Value": "x"})),
        ("PutParameter", json!({"Name": "/ci/new", "Value": "x"})),
        ("PutParameter", json!({"Name": "/ci/new", "Type": "String"})),
        ("PutParameter", json!({"Name": "/ci/new", "Type": "Text", "Value": "x"})),
        ("PutParameter", json!({"Name": "/ci/new", "Type": "String", "Value": long})),
        ("PutParameter", json!({"Name": "/aws/new", "Type": "String", "Value": "x"})),
        ("PutParameter", json!({"Name": "ci/new", "Type": "String", "Value": "x"})),
        ("PutParameter", json!({"Name": "/c i", "Type": "String", "Value": "x"})),
        ("GetParameter", json!({"Name": "/ci/none"})),
        ("GetParameter", json!({"Name": "/ci/token:9"})),
        ("GetParameters", json!({"Names": []})),
        ("DeleteParameter", json!({"Name": "/ci/none"})),
        ("DescribeParameters", json!({"MaxResults": 51})),
        ("DescribeParameters", json!({"NextToken": "x"})),
        ("DescribeParameters", json!({"ParameterFilters": [{"Key": "Colour"}]})),
    ] {
        let error = call(&cloud, operation, body).expect_err(operation);
        said += &format!("{operation}: {error}\n");
    }
    cloud.rights.deny("ssm:GetParameters");
    let error = call(&cloud, "GetParameters", json!({"Names": ["/ci/token"]}));
    said += &error.expect_err("a right is missing");
    insta::assert_snapshot!(said, @r#"
    PutParameter: ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true.
    PutParameter: ValidationException: A parameter type is required when you create a parameter.
    PutParameter: ValidationException: 1 validation error detected: Value at 'value' failed to satisfy constraint: Member must not be null
    PutParameter: ValidationException: 1 validation error detected: Value at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]
    PutParameter: ValidationException: Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.
    PutParameter: ValidationException: Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).
    PutParameter: ValidationException: Parameter name must be a fully qualified name: it begins with a slash.
    PutParameter: ValidationException: Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_
    GetParameter: ParameterNotFound: Parameter /ci/none not found.
    GetParameter: ParameterVersionNotFound: Systems Manager could not find version 9 of /ci/token.
    GetParameters: ValidationException: 1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and 10
    DeleteParameter: ParameterNotFound: Parameter /ci/none not found.
    DescribeParameters: ValidationException: 1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 50
    DescribeParameters: ValidationException: The specified token is not valid.
    DescribeParameters: ValidationException: This local cloud filters by Name and Type, not by "Colour".
    AccessDeniedException: User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:eu-west-1:123456789012:parameter/ci/token because no identity-based policy allows the ssm:GetParameters action
    "#);
}
