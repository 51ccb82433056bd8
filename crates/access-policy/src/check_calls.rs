//! The calls of `fargate-runner check`, all of which read.

use crate::catalogued_call::CallCircumstance::Always;
use crate::catalogued_call::CallTarget::{
    AllKeys, AllRoles, Anything, Cluster, PreparedFileSystems, PulledRepositories, RegistrySecrets,
    TaskSecrets,
};
use crate::catalogued_call::PolicyHolder::Check;
use crate::catalogued_call::{CallNeed, CataloguedCall, call};

/// One purpose for both rows, so that a policy has them in one statement.
const DESCRIBED_SECRETS: &str = "the registry secret, and the secrets of jobs";

/// The calls, in the order in which policies have them.
pub(crate) const CALLS: &[CataloguedCall] = &[
    call(Check, "ecs:DescribeClusters", Cluster, Always, "the cluster"),
    call(Check, "ecs:DescribeTaskDefinition", Anything, Always, "the task definition"),
    call(Check, "ecs:ListTaskDefinitions", Anything, Always, "try whether the host may"),
    call(Check, "ec2:DescribeSubnets", Anything, Always, "the network"),
    call(Check, "ec2:DescribeVpcs", Anything, Always, "the network"),
    call(Check, "ec2:DescribeVpcAttribute", Anything, Always, "the network"),
    call(Check, "ec2:DescribeRouteTables", Anything, Always, "the network"),
    call(Check, "ec2:DescribeNatGateways", Anything, Always, "the network"),
    call(Check, "ec2:DescribeInternetGateways", Anything, Always, "the network"),
    call(Check, "ec2:DescribeNetworkAcls", Anything, Always, "the network"),
    call(Check, "ec2:DescribeSecurityGroups", Anything, Always, "the network"),
    call(Check, "ec2:DescribeVpcEndpoints", Anything, Always, "the network"),
    call(Check, "ec2:GetManagedPrefixListEntries", Anything, Always, "prefix lists of rules"),
    call(Check, "ec2:DescribeDhcpOptions", Anything, Always, "the network's servers for names"),
    call(Check, "ec2:DescribeNetworkInterfaces", Anything, Always, "the groups of this host"),
    call(
        Check,
        "elasticfilesystem:DescribeFileSystems",
        PreparedFileSystems,
        Always,
        "the volumes",
    ),
    call(
        Check,
        "elasticfilesystem:DescribeAccessPoints",
        PreparedFileSystems,
        Always,
        "the volumes",
    ),
    call(
        Check,
        "elasticfilesystem:DescribeMountTargets",
        PreparedFileSystems,
        Always,
        "the volumes",
    ),
    call(
        Check,
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        PreparedFileSystems,
        Always,
        "the volumes",
    ),
    call(
        Check,
        "elasticfilesystem:DescribeFileSystemPolicy",
        PreparedFileSystems,
        Always,
        "the volumes",
    ),
    call(Check, "secretsmanager:DescribeSecret", RegistrySecrets, Always, DESCRIBED_SECRETS),
    // One row more for the secrets that jobs get, whose values nobody but ECS reads.
    call(Check, "secretsmanager:DescribeSecret", TaskSecrets, Always, DESCRIBED_SECRETS),
    call(Check, "secretsmanager:GetSecretValue", RegistrySecrets, Always, "the registry secret"),
    call(Check, "secretsmanager:GetResourcePolicy", RegistrySecrets, Always, "the registry secret"),
    // The configuration names secrets, not the keys that encrypt them.
    call(Check, "kms:DescribeKey", AllKeys, Always, "the key of the registry secret")
        .only(CallNeed::Naming(RegistrySecrets)),
    call(Check, "kms:GetKeyPolicy", AllKeys, Always, "the key of the registry secret")
        .only(CallNeed::Naming(RegistrySecrets)),
    call(Check, "ecr:GetAuthorizationToken", Anything, Always, "`--pull` from ECR")
        .only(CallNeed::Naming(PulledRepositories)),
    call(Check, "ecr:BatchGetImage", PulledRepositories, Always, "`--pull` from ECR"),
    call(Check, "ecr:GetDownloadUrlForLayer", PulledRepositories, Always, "`--pull` from ECR"),
    // The roles of tasks, and the role of whoever runs the check, which no configuration names.
    call(Check, "iam:GetRole", AllRoles, Always, "the roles"),
    call(Check, "iam:ListAttachedRolePolicies", AllRoles, Always, "the roles"),
    call(Check, "iam:ListRolePolicies", AllRoles, Always, "the roles"),
    call(Check, "iam:GetRolePolicy", AllRoles, Always, "the roles"),
    call(Check, "iam:GetPolicy", Anything, Always, "the roles"),
    call(Check, "iam:GetPolicyVersion", Anything, Always, "the roles"),
    call(Check, "iam:SimulatePrincipalPolicy", Anything, Always, "the rights of the manager"),
    call(Check, "logs:DescribeLogGroups", Anything, Always, "the log group"),
    call(Check, "servicequotas:GetServiceQuota", Anything, Always, "the quotas"),
    call(Check, "servicequotas:GetAWSDefaultServiceQuota", Anything, Always, "the quotas"),
];
