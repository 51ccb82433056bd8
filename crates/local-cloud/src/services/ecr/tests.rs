//! Repositories and images through their life, and what ECR refuses, in which words.

use std::sync::Arc;

use serde_json::{Value, json};

use super::SERVICE;
use crate::TaskTiming;
use crate::cloud::CloudInstance;
use crate::services::context::RequestContext;
use crate::test_cloud::for_tests;
use crate::wire::credentials::CallerPrincipal;

fn cloud() -> Arc<CloudInstance> {
    for_tests(TaskTiming::Instant, true)
}

/// Calls an operation; an error comes back as `Code: message`.
fn call(cloud: &Arc<CloudInstance>, operation: &str, body: Value) -> Result<Value, String> {
    let user = CallerPrincipal::User;
    let context =
        RequestContext { principal: &user, ..RequestContext::of_owner(cloud, "eu-west-1") };
    SERVICE
        .perform_json(operation, body, &context)
        .map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

fn put(cloud: &Arc<CloudInstance>, manifest: &str, tag: &str) -> Result<Value, String> {
    let body = json!({ "repositoryName": "team/ci", "imageManifest": manifest, "imageTag": tag });
    call(cloud, "PutImage", body)
}

fn created(settings: Value) -> Arc<CloudInstance> {
    let cloud = cloud();
    let mut body = json!({ "repositoryName": "team/ci" });
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    call(&cloud, "CreateRepository", body).expect("a new repository");
    cloud
}

#[tokio::test]
async fn an_image_goes_with_its_last_tag_or_at_once_by_its_digest() {
    let cloud = created(json!({}));
    let digest =
        put(&cloud, "{}", "one").expect("an image")["image"]["imageId"]["imageDigest"].clone();
    put(&cloud, "{}", "two").expect("another tag");
    let delete = |id: Value| {
        let body = json!({ "repositoryName": "team/ci", "imageIds": [id] });
        call(&cloud, "BatchDeleteImage", body).expect("an answer")
    };
    let images = || {
        let body = json!({ "repositoryName": "team/ci" });
        call(&cloud, "DescribeImages", body).expect("a list")["imageDetails"].clone()
    };
    assert_eq!(images()[0]["imageTags"], json!(["one", "two"]));
    delete(json!({ "imageTag": "one" }));
    assert_eq!(images()[0]["imageTags"], json!(["two"]));
    let gone = delete(json!({ "imageDigest": digest }));
    assert_eq!(gone["imageIds"], json!([{ "imageDigest": digest, "imageTag": "two" }]));
    assert_eq!(images(), json!([]));
    let again = delete(json!({ "imageDigest": digest }));
    assert_eq!(again["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn tags_that_are_excluded_can_be_moved_and_others_cannot() {
    let filters = json!([{ "filter": "late*", "filterType": "WILDCARD" }]);
    let cloud = created(json!({ "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters }));
    put(&cloud, "{}", "latest").expect("an image");
    put(&cloud, "[]", "latest").expect("a tag that may move");
    put(&cloud, "{}", "v1").expect("an image");
    let error = put(&cloud, "[]", "v1").expect_err("a tag that may not");
    assert!(error.starts_with("ImageTagAlreadyExistsException"), "{error}");
}

#[tokio::test]
async fn each_refusal_has_the_words_of_the_service() {
    let cloud = created(json!({}));
    put(&cloud, "{}", "one").expect("an image");
    let mut said = String::new();
    for (operation, body) in [
        ("CreateRepository", json!({ "repositoryName": "team/ci" })),
        ("CreateRepository", json!({ "repositoryName": "Team/CI" })),
        ("DescribeRepositories", json!({ "repositoryNames": ["none"] })),
        (
            "DescribeImages",
            json!({ "repositoryName": "team/ci", "imageIds": [{ "imageTag": "x" }] }),
        ),
        ("DeleteRepository", json!({ "repositoryName": "team/ci" })),
        ("BatchDeleteImage", json!({ "repositoryName": "team/ci", "imageIds": [] })),
        (
            "PutImageTagMutability",
            json!({ "repositoryName": "team/ci", "imageTagMutability": "x" }),
        ),
    ] {
        let error = call(&cloud, operation, body).expect_err(operation);
        said += &format!("{operation}: {error}\n");
    }
    said += &put(&cloud, "{}", "one").expect_err("the same image");
    cloud.rights.deny("ecr:DescribeImages");
    let error = call(&cloud, "DescribeImages", json!({ "repositoryName": "team/ci" }));
    said += &format!("\n{}", error.expect_err("a right is missing"));
    insta::assert_snapshot!(said, @"
    CreateRepository: RepositoryAlreadyExistsException: The repository with name 'team/ci' already exists in the registry with id '123456789012'
    CreateRepository: InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''
    DescribeRepositories: RepositoryNotFoundException: The repository with name 'none' does not exist in the registry with id '123456789012'
    DescribeImages: ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'x'} does not exist within the repository with name 'team/ci' in the registry with id '123456789012'
    DeleteRepository: RepositoryNotEmptyException: The repository with name 'team/ci' in registry with id '123456789012' cannot be deleted because it still contains images
    BatchDeleteImage: InvalidParameterException: Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length between 1 and 100'
    PutImageTagMutability: InvalidParameterException: Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]'
    ImageAlreadyExistsException: Image with digest 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' and tag 'one' already exists in the repository with name 'team/ci' in registry with id '123456789012'
    AccessDeniedException: User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:DescribeImages on resource: arn:aws:ecr:eu-west-1:123456789012:repository/team/ci because no identity-based policy allows the ecr:DescribeImages action
    ");
}
