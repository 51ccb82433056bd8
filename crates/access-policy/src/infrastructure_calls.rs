//! The calls of an administrator.

use crate::catalogued_call::CallCircumstance::{Always, OnStorageCreation};
use crate::catalogued_call::CallTarget::{
    AllStacks, Anything, PreparedFileSystems, RegistrySecrets,
};
use crate::catalogued_call::PolicyHolder::Infrastructure;
use crate::catalogued_call::{CallNeed, CataloguedCall, PlaceSetting, call};

/// The calls, in the order in which policies have them.
pub(crate) const CALLS: &[CataloguedCall] = &[
    call(
        Infrastructure,
        "elasticfilesystem:DescribeFileSystems",
        PreparedFileSystems,
        Always,
        "`efs plan`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:DescribeAccessPoints",
        PreparedFileSystems,
        Always,
        "`efs plan`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:DescribeMountTargets",
        PreparedFileSystems,
        Always,
        "`efs plan`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        PreparedFileSystems,
        Always,
        "`efs plan`",
    )
    .of_setting("mount_target_security_groups")
    .only(CallNeed::Setting(PlaceSetting::NamesMountTargetGroups)),
    call(
        Infrastructure,
        "elasticfilesystem:DescribeFileSystemPolicy",
        PreparedFileSystems,
        Always,
        "`efs plan`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:CreateAccessPoint",
        PreparedFileSystems,
        Always,
        "`efs apply`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:TagResource",
        PreparedFileSystems,
        OnStorageCreation("CreateAccessPoint"),
        "`efs apply`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:PutFileSystemPolicy",
        PreparedFileSystems,
        Always,
        "`efs apply`",
    ),
    call(
        Infrastructure,
        "elasticfilesystem:CreateMountTarget",
        PreparedFileSystems,
        Always,
        "`efs apply`",
    ),
    call(
        Infrastructure,
        "ec2:DescribeSubnets",
        Anything,
        Always,
        "`efs plan`: the zones of subnets",
    )
    .only(CallNeed::Naming(PreparedFileSystems)),
    // Source: Amazon EFS API Reference, `CreateMountTarget`: EFS makes these two calls as the caller.
    call(
        Infrastructure,
        "ec2:DescribeNetworkInterfaces",
        Anything,
        Always,
        "`efs apply`: mount targets",
    )
    .only(CallNeed::Naming(PreparedFileSystems)),
    call(
        Infrastructure,
        "ec2:CreateNetworkInterface",
        Anything,
        Always,
        "`efs apply`: mount targets",
    )
    .only(CallNeed::Naming(PreparedFileSystems)),
    call(
        Infrastructure,
        "secretsmanager:DescribeSecret",
        RegistrySecrets,
        Always,
        "`registry-secret set` and `show`",
    ),
    call(
        Infrastructure,
        "secretsmanager:GetSecretValue",
        RegistrySecrets,
        Always,
        "`registry-secret set` and `test`",
    ),
    call(
        Infrastructure,
        "secretsmanager:CreateSecret",
        RegistrySecrets,
        Always,
        "`registry-secret set`",
    ),
    call(
        Infrastructure,
        "secretsmanager:PutSecretValue",
        RegistrySecrets,
        Always,
        "`registry-secret set`",
    ),
    // The stack is there before the configuration, which therefore does not name it.
    call(
        Infrastructure,
        "cloudformation:DescribeStacks",
        AllStacks,
        Always,
        "`config import-stack`: the outputs of a stack",
    ),
];
