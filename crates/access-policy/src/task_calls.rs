//! The calls that AWS makes for a task with its execution role, and those of the task itself.

use crate::catalogued_call::CallCircumstance::Always;
use crate::catalogued_call::CallTarget::{
    Anything, LogGroups, MountedFileSystems, PulledRepositories, TaskParameters, TaskSecrets,
};
use crate::catalogued_call::PolicyHolder::{Execution, Task};
use crate::catalogued_call::{CallNeed, CataloguedCall, PlaceSetting, call};

/// The calls, in the order in which policies have them.
pub(crate) const CALLS: &[CataloguedCall] = &[
    call(
        Execution,
        "secretsmanager:GetSecretValue",
        TaskSecrets,
        Always,
        "log in to the registry; give jobs their secrets",
    ),
    call(Execution, "ssm:GetParameters", TaskParameters, Always, "give jobs their parameters")
        .of_setting("secrets"),
    call(Execution, "ecr:GetAuthorizationToken", Anything, Always, "log in to ECR")
        .of_setting("image")
        .only(CallNeed::Naming(PulledRepositories)),
    call(Execution, "ecr:BatchCheckLayerAvailability", PulledRepositories, Always, "pull from ECR")
        .of_setting("image"),
    call(Execution, "ecr:GetDownloadUrlForLayer", PulledRepositories, Always, "pull from ECR")
        .of_setting("image"),
    call(Execution, "ecr:BatchGetImage", PulledRepositories, Always, "pull from ECR")
        .of_setting("image"),
    call(Execution, "logs:CreateLogStream", LogGroups, Always, "write the log of a container")
        .of_setting("log_group"),
    call(Execution, "logs:PutLogEvents", LogGroups, Always, "write the log of a container")
        .of_setting("log_group"),
    call(Task, "elasticfilesystem:ClientMount", MountedFileSystems, Always, "mount a volume")
        .of_setting("volumes"),
    call(Task, "elasticfilesystem:ClientWrite", MountedFileSystems, Always, "write to a volume")
        .of_setting("volumes")
        .only(CallNeed::Setting(PlaceSetting::WritesVolumes)),
    call(Task, "ssmmessages:CreateControlChannel", Anything, Always, "ECS Exec")
        .of_setting("enable_execute_command")
        .only(CallNeed::Setting(PlaceSetting::UsesEcsExec)),
    call(Task, "ssmmessages:CreateDataChannel", Anything, Always, "ECS Exec")
        .of_setting("enable_execute_command")
        .only(CallNeed::Setting(PlaceSetting::UsesEcsExec)),
    call(Task, "ssmmessages:OpenControlChannel", Anything, Always, "ECS Exec")
        .of_setting("enable_execute_command")
        .only(CallNeed::Setting(PlaceSetting::UsesEcsExec)),
    call(Task, "ssmmessages:OpenDataChannel", Anything, Always, "ECS Exec")
        .of_setting("enable_execute_command")
        .only(CallNeed::Setting(PlaceSetting::UsesEcsExec)),
];
