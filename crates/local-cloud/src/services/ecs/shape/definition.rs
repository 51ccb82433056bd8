//! The task definition as it is registered.
//!
//! Source: the model of the ECS API, version 2014-11-13, as the SDKs carry it. Nothing is checked
//! here but types.

use std::collections::BTreeMap;

use crate::services::ecs::shape::common::{
    EnvironmentFile, EphemeralStorage, KeyValue, ResourceRequirement, Tag,
};
use crate::wire::member::shapes;

shapes! {
    RepositoryCredentials {
        credentials_parameter: String = "credentialsParameter",
    }
    PortMapping {
        container_port: i32 = "containerPort",
        host_port: i32 = "hostPort",
        protocol: String = "protocol",
        name: String = "name",
        app_protocol: String = "appProtocol",
        container_port_range: String = "containerPortRange",
    }
    ContainerRestartPolicy {
        enabled: bool = "enabled",
        ignored_exit_codes: Vec<i32> = "ignoredExitCodes",
        restart_attempt_period: i32 = "restartAttemptPeriod",
    }
    MountPoint {
        source_volume: String = "sourceVolume",
        container_path: String = "containerPath",
        read_only: bool = "readOnly",
    }
    VolumeFrom {
        source_container: String = "sourceContainer",
        read_only: bool = "readOnly",
    }
    KernelCapabilities {
        add: Vec<String> = "add",
        drop: Vec<String> = "drop",
    }
    Device {
        host_path: String = "hostPath",
        container_path: String = "containerPath",
        permissions: Vec<String> = "permissions",
    }
    Tmpfs {
        container_path: String = "containerPath",
        size: i32 = "size",
        mount_options: Vec<String> = "mountOptions",
    }
    LinuxParameters {
        capabilities: KernelCapabilities = "capabilities",
        devices: Vec<Device> = "devices",
        init_process_enabled: bool = "initProcessEnabled",
        shared_memory_size: i32 = "sharedMemorySize",
        tmpfs: Vec<Tmpfs> = "tmpfs",
        max_swap: i32 = "maxSwap",
        swappiness: i32 = "swappiness",
    }
    Secret {
        name: String = "name",
        value_from: String = "valueFrom",
    }
    ContainerDependency {
        container_name: String = "containerName",
        condition: String = "condition",
    }
    HostEntry {
        hostname: String = "hostname",
        ip_address: String = "ipAddress",
    }
    Ulimit {
        name: String = "name",
        soft_limit: i32 = "softLimit",
        hard_limit: i32 = "hardLimit",
    }
    LogConfiguration {
        log_driver: String = "logDriver",
        options: BTreeMap<String, String> = "options",
        secret_options: Vec<Secret> = "secretOptions",
    }
    HealthCheck {
        command: Vec<String> = "command",
        interval: i32 = "interval",
        timeout: i32 = "timeout",
        retries: i32 = "retries",
        start_period: i32 = "startPeriod",
    }
    SystemControl {
        namespace: String = "namespace",
        value: String = "value",
    }
    FirelensConfiguration {
        kind: String = "type",
        options: BTreeMap<String, String> = "options",
    }
    ContainerDefinition {
        name: String = "name",
        image: String = "image",
        repository_credentials: RepositoryCredentials = "repositoryCredentials",
        cpu: i32 = "cpu",
        memory: i32 = "memory",
        memory_reservation: i32 = "memoryReservation",
        links: Vec<String> = "links",
        port_mappings: Vec<PortMapping> = "portMappings",
        essential: bool = "essential",
        restart_policy: ContainerRestartPolicy = "restartPolicy",
        entry_point: Vec<String> = "entryPoint",
        command: Vec<String> = "command",
        environment: Vec<KeyValue> = "environment",
        environment_files: Vec<EnvironmentFile> = "environmentFiles",
        mount_points: Vec<MountPoint> = "mountPoints",
        volumes_from: Vec<VolumeFrom> = "volumesFrom",
        linux_parameters: LinuxParameters = "linuxParameters",
        secrets: Vec<Secret> = "secrets",
        depends_on: Vec<ContainerDependency> = "dependsOn",
        start_timeout: i32 = "startTimeout",
        stop_timeout: i32 = "stopTimeout",
        version_consistency: String = "versionConsistency",
        hostname: String = "hostname",
        user: String = "user",
        working_directory: String = "workingDirectory",
        disable_networking: bool = "disableNetworking",
        privileged: bool = "privileged",
        readonly_root_filesystem: bool = "readonlyRootFilesystem",
        dns_servers: Vec<String> = "dnsServers",
        dns_search_domains: Vec<String> = "dnsSearchDomains",
        extra_hosts: Vec<HostEntry> = "extraHosts",
        docker_security_options: Vec<String> = "dockerSecurityOptions",
        interactive: bool = "interactive",
        pseudo_terminal: bool = "pseudoTerminal",
        docker_labels: BTreeMap<String, String> = "dockerLabels",
        ulimits: Vec<Ulimit> = "ulimits",
        log_configuration: LogConfiguration = "logConfiguration",
        health_check: HealthCheck = "healthCheck",
        system_controls: Vec<SystemControl> = "systemControls",
        resource_requirements: Vec<ResourceRequirement> = "resourceRequirements",
        firelens_configuration: FirelensConfiguration = "firelensConfiguration",
        credential_specs: Vec<String> = "credentialSpecs",
    }
    HostVolumeProperties {
        source_path: String = "sourcePath",
    }
    DockerVolumeConfiguration {
        scope: String = "scope",
        autoprovision: bool = "autoprovision",
        driver: String = "driver",
        driver_opts: BTreeMap<String, String> = "driverOpts",
        labels: BTreeMap<String, String> = "labels",
    }
    EfsAuthorization {
        access_point_id: String = "accessPointId",
        iam: String = "iam",
    }
    EfsVolume {
        file_system_id: String = "fileSystemId",
        root_directory: String = "rootDirectory",
        transit_encryption: String = "transitEncryption",
        transit_encryption_port: i32 = "transitEncryptionPort",
        authorization_config: EfsAuthorization = "authorizationConfig",
    }
    S3FilesVolume {
        file_system_arn: String = "fileSystemArn",
        root_directory: String = "rootDirectory",
        transit_encryption_port: i32 = "transitEncryptionPort",
        access_point_arn: String = "accessPointArn",
    }
    FsxAuthorization {
        credentials_parameter: String = "credentialsParameter",
        domain: String = "domain",
    }
    FsxVolume {
        file_system_id: String = "fileSystemId",
        root_directory: String = "rootDirectory",
        authorization_config: FsxAuthorization = "authorizationConfig",
    }
    Volume {
        name: String = "name",
        host: HostVolumeProperties = "host",
        docker_volume_configuration: DockerVolumeConfiguration = "dockerVolumeConfiguration",
        efs_volume_configuration: EfsVolume = "efsVolumeConfiguration",
        s3files_volume_configuration: S3FilesVolume = "s3filesVolumeConfiguration",
        fsx_windows_file_server_volume_configuration: FsxVolume
            = "fsxWindowsFileServerVolumeConfiguration",
        configured_at_launch: bool = "configuredAtLaunch",
    }
    TaskDefinitionPlacementConstraint {
        kind: String = "type",
        expression: String = "expression",
    }
    ProxyConfiguration {
        kind: String = "type",
        container_name: String = "containerName",
        properties: Vec<KeyValue> = "properties",
    }
    InferenceAccelerator {
        device_name: String = "deviceName",
        device_type: String = "deviceType",
    }
    RuntimePlatform {
        cpu_architecture: String = "cpuArchitecture",
        operating_system_family: String = "operatingSystemFamily",
    }
    TrustedExecutionConfiguration {
        isolation_mode: String = "isolationMode",
        attestation_policy: String = "attestationPolicy",
    }
    RegisterTaskDefinition {
        family: String = "family",
        task_role_arn: String = "taskRoleArn",
        execution_role_arn: String = "executionRoleArn",
        network_mode: String = "networkMode",
        container_definitions: Vec<ContainerDefinition> = "containerDefinitions",
        volumes: Vec<Volume> = "volumes",
        placement_constraints: Vec<TaskDefinitionPlacementConstraint> = "placementConstraints",
        requires_compatibilities: Vec<String> = "requiresCompatibilities",
        cpu: String = "cpu",
        memory: String = "memory",
        tags: Vec<Tag> = "tags",
        pid_mode: String = "pidMode",
        ipc_mode: String = "ipcMode",
        proxy_configuration: ProxyConfiguration = "proxyConfiguration",
        inference_accelerators: Vec<InferenceAccelerator> = "inferenceAccelerators",
        ephemeral_storage: EphemeralStorage = "ephemeralStorage",
        runtime_platform: RuntimePlatform = "runtimePlatform",
        enable_fault_injection: bool = "enableFaultInjection",
        trusted_execution_configuration: TrustedExecutionConfiguration
            = "trustedExecutionConfiguration",
    }
}
