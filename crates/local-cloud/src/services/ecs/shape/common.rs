//! Structures that several requests and answers share.
//!
//! Source: the model of the ECS API, version 2014-11-13, as the SDKs carry it. Nothing is checked
//! here but types.

use crate::wire::member::shapes;

shapes! {
    KeyValue {
        name: String = "name",
        value: String = "value",
    }
    Tag {
        key: String = "key",
        value: String = "value",
    }
    EphemeralStorage {
        size_in_gib: i32 = "sizeInGiB",
    }
    NvidiaMpsAllocation {
        memory: i32 = "memory",
        max_compute_percent: i32 = "maxComputePercent",
    }
    SharingStrategy {
        nvidia_mps: NvidiaMpsAllocation = "nvidiaMps",
    }
    ResourceRequirement {
        value: String = "value",
        kind: String = "type",
        sharing_strategy: SharingStrategy = "sharingStrategy",
    }
    EnvironmentFile {
        value: String = "value",
        kind: String = "type",
    }
    ContainerOverride {
        name: String = "name",
        command: Vec<String> = "command",
        environment: Vec<KeyValue> = "environment",
        environment_files: Vec<EnvironmentFile> = "environmentFiles",
        cpu: i32 = "cpu",
        memory: i32 = "memory",
        memory_reservation: i32 = "memoryReservation",
        resource_requirements: Vec<ResourceRequirement> = "resourceRequirements",
    }
    InferenceAcceleratorOverride {
        device_name: String = "deviceName",
        device_type: String = "deviceType",
    }
    TaskOverride {
        container_overrides: Vec<ContainerOverride> = "containerOverrides",
        cpu: String = "cpu",
        inference_accelerator_overrides: Vec<InferenceAcceleratorOverride>
            = "inferenceAcceleratorOverrides",
        execution_role_arn: String = "executionRoleArn",
        memory: String = "memory",
        task_role_arn: String = "taskRoleArn",
        ephemeral_storage: EphemeralStorage = "ephemeralStorage",
    }
    AwsvpcConfiguration {
        subnets: Vec<String> = "subnets",
        security_groups: Vec<String> = "securityGroups",
        assign_public_ip: String = "assignPublicIp",
    }
    NetworkConfiguration {
        awsvpc_configuration: AwsvpcConfiguration = "awsvpcConfiguration",
    }
    CapacityProviderStrategyItem {
        capacity_provider: String = "capacityProvider",
        weight: i32 = "weight",
        base: i32 = "base",
    }
}
