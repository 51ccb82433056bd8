//! The policies that `fargate-runner iam-policy` prints are enough, and nothing in them is too much.
//!
//! The local cloud enforces the printed policy. Each flow passes with exactly it, and fails with the name of the
//! action once one action that the table of this file gives to the flow is taken out.
//! What no flow can show here has its reason in the tables of this file. All other whole-product tests run under
//! the printed policies as well.

mod early_end_flow;
mod execution_role;
mod image_builder;
mod image_flows;
mod infrastructure_flows;
mod job_flows;
mod limited_host;
mod named_rights;
mod notice_flow;
mod policy_output;
mod task_role;

use limited_host::{LimitedHost, PolicyGrant};

/// The flows, each a way to use the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PolicyFlow {
    WholeJob,
    EarlyEnd,
    KeptTask,
    LostRecord,
    PublicAddress,
    OwnImage,
    Prune,
    PrivateImage,
    SharedFolder,
    EfsApply,
    RegistrySecret,
    TaskSecrets,
    TaskVolume,
    ImageCleanup,
    Notice,
}

use PolicyFlow::{
    EarlyEnd, EfsApply, ImageCleanup, KeptTask, LostRecord, Notice, OwnImage, PrivateImage, Prune,
    PublicAddress, RegistrySecret, SharedFolder, TaskSecrets, TaskVolume, WholeJob,
};

/// Which flow fails without which action of the manager's policy. The second word is in the condition of the
/// statement, where several statements allow the action.
const MANAGER_GRANTS: ProvenRows = &[
    ("ecs:RunTask", "", WholeJob),
    ("ecs:DescribeTasks", "", WholeJob),
    ("ecs:StopTask", "", WholeJob),
    ("ecs:TagResource", "\"RunTask\"", WholeJob),
    ("iam:PassRole", "", WholeJob),
    ("ecs:TagResource", "aws:TagKeys", KeptTask),
    ("ecs:ListTasks", "", LostRecord),
    ("ecs:DescribeTaskDefinition", "", EarlyEnd),
    ("logs:GetLogEvents", "", EarlyEnd),
    ("ec2:DescribeNetworkInterfaces", "", PublicAddress),
    ("ecs:ListTaskDefinitions", "", OwnImage),
    ("ecs:RegisterTaskDefinition", "", OwnImage),
    ("ecs:TagResource", "RegisterTaskDefinition", OwnImage),
    ("ecs:DeregisterTaskDefinition", "", Prune),
    ("ecs:DeleteTaskDefinitions", "", Prune),
    ("secretsmanager:GetSecretValue", "", PrivateImage),
    ("elasticfilesystem:DescribeAccessPoints", "", SharedFolder),
    ("sns:Publish", "", Notice),
];

/// The same for the policy of the administrator.
const INFRASTRUCTURE_GRANTS: ProvenRows = &[
    ("elasticfilesystem:DescribeFileSystems", "", EfsApply),
    ("elasticfilesystem:DescribeAccessPoints", "", EfsApply),
    ("elasticfilesystem:DescribeMountTargets", "", EfsApply),
    ("elasticfilesystem:DescribeMountTargetSecurityGroups", "", EfsApply),
    ("elasticfilesystem:DescribeFileSystemPolicy", "", EfsApply),
    ("elasticfilesystem:CreateAccessPoint", "", EfsApply),
    ("elasticfilesystem:PutFileSystemPolicy", "", EfsApply),
    ("elasticfilesystem:CreateMountTarget", "", EfsApply),
    ("ec2:DescribeSubnets", "", EfsApply),
    ("secretsmanager:DescribeSecret", "", RegistrySecret),
    ("secretsmanager:CreateSecret", "", RegistrySecret),
    ("secretsmanager:PutSecretValue", "", RegistrySecret),
];

/// The same for the policy of a host that becomes the manager's role.
const HOST_GRANTS: ProvenRows = &[("sts:AssumeRole", "", WholeJob)];

/// The same for the execution role, whose policy the flow alone has.
const EXECUTION_GRANTS: ProvenRows =
    &[("secretsmanager:GetSecretValue", "", TaskSecrets), ("ssm:GetParameters", "", TaskSecrets)];

/// The same for the task role.
const TASK_GRANTS: ProvenRows = &[
    ("elasticfilesystem:ClientMount", "", TaskVolume),
    ("elasticfilesystem:ClientWrite", "", TaskVolume),
];

/// The same for whoever builds images.
const IMAGE_BUILDER_GRANTS: ProvenRows = &[
    ("ecr:DescribeImages", "", ImageCleanup),
    ("ecr:BatchDeleteImage", "", ImageCleanup),
    ("secretsmanager:GetSecretValue", "", ImageCleanup),
    ("ecs:ListTasks", "", ImageCleanup),
    ("ecs:DescribeTasks", "", ImageCleanup),
    ("ecs:ListTaskDefinitions", "", ImageCleanup),
    ("ecs:DescribeTaskDefinition", "", ImageCleanup),
];

/// Action, a word of its condition, and the flow that fails without it.
type ProvenRows = &'static [(&'static str, &'static str, PolicyFlow)];
/// What a policy allows and no flow here needs, with the reason.
type UnprovenRows = &'static [(&'static str, &'static str)];

const OF_ECR: &str = "the registry of ECR is not the local cloud's";

/// Each holder with its table, and what AWS needs and the local cloud does not ask for.
const HOLDERS: &[(&str, ProvenRows, UnprovenRows)] = &[
    ("manager", MANAGER_GRANTS, &[]),
    (
        "infrastructure",
        INFRASTRUCTURE_GRANTS,
        &[
            ("elasticfilesystem:TagResource", "EFS of the local cloud asks for no right to tag"),
            ("ec2:DescribeNetworkInterfaces", "its mount targets have no network interface"),
            ("ec2:CreateNetworkInterface", "as above"),
            // Without the right it writes the secret as it would if the value were another one.
            ("secretsmanager:GetSecretValue", "`registry-secret set` goes on without it"),
            ("cloudformation:DescribeStacks", "the local cloud has no CloudFormation"),
        ],
    ),
    ("host", HOST_GRANTS, &[]),
    (
        "execution",
        EXECUTION_GRANTS,
        &[
            ("ecr:GetAuthorizationToken", OF_ECR),
            ("ecr:BatchCheckLayerAvailability", OF_ECR),
            ("ecr:GetDownloadUrlForLayer", OF_ECR),
            ("ecr:BatchGetImage", OF_ECR),
            ("logs:CreateLogStream", "the local cloud writes logs itself"),
            ("logs:PutLogEvents", "as above"),
        ],
    ),
    (
        "task",
        TASK_GRANTS,
        &[
            ("ssmmessages:CreateControlChannel", "the local cloud has no ECS Exec"),
            ("ssmmessages:CreateDataChannel", "as above"),
            ("ssmmessages:OpenControlChannel", "as above"),
            ("ssmmessages:OpenDataChannel", "as above"),
        ],
    ),
    (
        "image-builder",
        IMAGE_BUILDER_GRANTS,
        &[
            ("ecr:GetAuthorizationToken", "the image has a login of its own"),
            ("ecr:BatchCheckLayerAvailability", OF_ECR),
            ("ecr:GetDownloadUrlForLayer", OF_ECR),
            ("ecr:BatchGetImage", OF_ECR),
            ("ecr:InitiateLayerUpload", OF_ECR),
            ("ecr:UploadLayerPart", OF_ECR),
            ("ecr:CompleteLayerUpload", OF_ECR),
            ("ecr:PutImage", OF_ECR),
            ("ecr:DescribeRepositories", "a push goes on without it: it only warns"),
            ("kms:GetPublicKey", "the local cloud has no keys"),
            ("kms:Sign", "as above"),
        ],
    ),
];

/// The grants that a flow is the proof for.
fn grants(table: ProvenRows, flow: PolicyFlow) -> impl Iterator<Item = PolicyGrant> {
    let own = table.iter().filter(move |(_, _, one)| *one == flow);
    own.map(|&(action, condition, _)| PolicyGrant { action, condition })
}

#[tokio::test]
async fn every_action_of_every_policy_has_a_flow_that_fails_without_it_or_a_reason() {
    for (holder, table, unproven) in HOLDERS {
        let host = match *holder {
            "manager" => LimitedHost::of_manager().await,
            "host" => LimitedHost::of_host().await,
            other => LimitedHost::of(other).await,
        };
        let rows = table.iter();
        let mut proven: Vec<_> =
            rows.map(|&(action, condition, _)| PolicyGrant { action, condition }).collect();
        let mut excused: Vec<_> = unproven.iter().map(|(action, _)| *action).collect();
        for (action, condition) in host.granted() {
            let by_flow = proven.iter().position(|grant| grant.is(&action, &condition));
            let by_reason = excused.iter().position(|known| *known == action);
            match (by_flow, by_reason) {
                (Some(at), None) => drop(proven.remove(at)),
                (None, Some(at)) => drop(excused.remove(at)),
                (None, None) => panic!("{holder}: no flow is the proof for {action} {condition}"),
                (Some(_), Some(_)) => panic!("{holder}: {action} has a flow and a reason"),
            }
        }
        assert!(proven.is_empty(), "the policy of {holder} has not: {proven:?}");
        assert!(excused.is_empty(), "the policy of {holder} has not: {excused:?}");
        host.close().await;
    }
}
