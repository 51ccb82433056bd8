//! The calls of the manager host.

use crate::catalogued_call::CallCircumstance::{
    Always, InCluster, MovesDeadline, OnCreation, PassedToTasks,
};
use crate::catalogued_call::CallTarget::{
    Anything, AskedSecrets, AssumedRoles, Definitions, LogStreams, LookedUpFileSystems,
    MadeDefinitions, PassedRoles, Tasks, ToldTopics,
};
use crate::catalogued_call::PolicyHolder::{Host, Manager};
use crate::catalogued_call::{CallNeed, CataloguedCall, PlaceSetting, call};

/// The calls, in the order in which policies have them.
pub(crate) const CALLS: &[CataloguedCall] = &[
    call(Manager, "ecs:RunTask", Definitions, InCluster, "start a task"),
    call(Manager, "ecs:DescribeTasks", Tasks, InCluster, "see a task start and end"),
    call(Manager, "ecs:StopTask", Tasks, InCluster, "stop a task"),
    call(Manager, "ecs:ListTasks", Anything, InCluster, "find tasks whose record was lost; reap"),
    call(
        Manager,
        "ecs:TagResource",
        Tasks,
        OnCreation("RunTask"),
        "tag a task for other hosts and for costs",
    ),
    call(Manager, "ecs:TagResource", Tasks, MovesDeadline, "keep the task of a failed job")
        .of_setting("job_max_hold")
        .only(CallNeed::Setting(PlaceSetting::KeepsTasks)),
    call(Manager, "iam:PassRole", PassedRoles, PassedToTasks, "give a task its roles"),
    call(
        Manager,
        "ecs:DescribeTaskDefinition",
        Anything,
        Always,
        "see which container ended a task, and where its log is",
    ),
    call(
        Manager,
        "logs:GetLogEvents",
        LogStreams,
        Always,
        "show the last lines of a container; `jobs logs`",
    )
    .of_setting("log_group"),
    call(
        Manager,
        "ec2:DescribeNetworkInterfaces",
        Anything,
        Always,
        "find a task's public address",
    )
    .of_setting("public_ip")
    .only(CallNeed::Setting(PlaceSetting::DialsPublicAddresses)),
    call(
        Manager,
        "elasticfilesystem:DescribeAccessPoints",
        LookedUpFileSystems,
        Always,
        "find the access points of a job",
    )
    .of_setting("volumes"),
    call(
        Manager,
        "secretsmanager:GetSecretValue",
        AskedSecrets,
        Always,
        "ask the registry for an image's digest",
    )
    .of_setting("registry_secret"),
    call(
        Manager,
        "ecs:ListTaskDefinitions",
        Anything,
        Always,
        "find a registered task definition; prune",
    )
    .of_setting("image")
    .only(CallNeed::Naming(MadeDefinitions)),
    call(Manager, "ecs:RegisterTaskDefinition", Anything, Always, "register a task definition")
        .of_setting("image")
        .only(CallNeed::Naming(MadeDefinitions)),
    call(
        Manager,
        "ecs:TagResource",
        MadeDefinitions,
        OnCreation("RegisterTaskDefinition"),
        "know our task definitions again",
    )
    .of_setting("image"),
    call(Manager, "ecs:DeregisterTaskDefinition", Anything, Always, "prune task definitions")
        .of_setting("image")
        .only(CallNeed::Naming(MadeDefinitions)),
    call(Manager, "ecs:DeleteTaskDefinitions", MadeDefinitions, Always, "prune task definitions")
        .of_setting("image"),
    call(Manager, "sns:Publish", ToldTopics, Always, "tell people what they must act on")
        .of_setting("sns_topic"),
    call(Host, "sts:AssumeRole", AssumedRoles, Always, "become the manager's role")
        .of_setting("assume_role_arn"),
];
