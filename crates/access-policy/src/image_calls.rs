//! The calls of whoever builds images.

use crate::catalogued_call::CallCircumstance::{Always, InCluster};
use crate::catalogued_call::CallTarget::{
    Anything, PushedRepositories, RegistrySecrets, SigningKeys, Tasks,
};
use crate::catalogued_call::PolicyHolder::ImageBuilder;
use crate::catalogued_call::{CallNeed, CataloguedCall, call};

/// The calls, in the order in which policies have them.
pub(crate) const CALLS: &[CataloguedCall] = &[
    call(ImageBuilder, "ecr:GetAuthorizationToken", Anything, Always, "log in to ECR")
        .only(CallNeed::Naming(PushedRepositories)),
    call(
        ImageBuilder,
        "ecr:BatchCheckLayerAvailability",
        PushedRepositories,
        Always,
        "push and read back",
    ),
    call(
        ImageBuilder,
        "ecr:GetDownloadUrlForLayer",
        PushedRepositories,
        Always,
        "push and read back",
    ),
    call(ImageBuilder, "ecr:BatchGetImage", PushedRepositories, Always, "push and read back"),
    call(ImageBuilder, "ecr:InitiateLayerUpload", PushedRepositories, Always, "push"),
    call(ImageBuilder, "ecr:UploadLayerPart", PushedRepositories, Always, "push"),
    call(ImageBuilder, "ecr:CompleteLayerUpload", PushedRepositories, Always, "push"),
    call(ImageBuilder, "ecr:PutImage", PushedRepositories, Always, "push"),
    call(
        ImageBuilder,
        "ecr:DescribeRepositories",
        PushedRepositories,
        Always,
        "warn of tags that can be moved",
    ),
    call(
        ImageBuilder,
        "ecr:DescribeImages",
        PushedRepositories,
        Always,
        "`image gc` and `image reconcile`",
    ),
    call(ImageBuilder, "ecr:BatchDeleteImage", PushedRepositories, Always, "`image gc`"),
    call(
        ImageBuilder,
        "secretsmanager:GetSecretValue",
        RegistrySecrets,
        Always,
        "log in to the registry",
    ),
    call(ImageBuilder, "kms:GetPublicKey", SigningKeys, Always, "sign images"),
    call(ImageBuilder, "kms:Sign", SigningKeys, Always, "sign images"),
    call(ImageBuilder, "ecs:ListTasks", Anything, InCluster, "know which images are in use"),
    call(ImageBuilder, "ecs:DescribeTasks", Tasks, InCluster, "know which images are in use"),
    call(ImageBuilder, "ecs:ListTaskDefinitions", Anything, Always, "know which images are in use"),
    call(
        ImageBuilder,
        "ecs:DescribeTaskDefinition",
        Anything,
        Always,
        "know which images are in use",
    ),
];
