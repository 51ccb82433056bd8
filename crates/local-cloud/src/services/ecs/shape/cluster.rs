//! Structures of a cluster's settings.
//!
//! Source: the model of the ECS API, version 2014-11-13, as the SDKs carry it. Nothing is checked
//! here but types.

use crate::wire::member::shapes;

shapes! {
    ExecuteCommandLogConfiguration {
        cloud_watch_log_group_name: String = "cloudWatchLogGroupName",
        cloud_watch_encryption_enabled: bool = "cloudWatchEncryptionEnabled",
        s3_bucket_name: String = "s3BucketName",
        s3_encryption_enabled: bool = "s3EncryptionEnabled",
        s3_key_prefix: String = "s3KeyPrefix",
    }
    ExecuteCommandConfiguration {
        kms_key_id: String = "kmsKeyId",
        logging: String = "logging",
        log_configuration: ExecuteCommandLogConfiguration = "logConfiguration",
    }
    ManagedStorageConfiguration {
        kms_key_id: String = "kmsKeyId",
        fargate_ephemeral_storage_kms_key_id: String = "fargateEphemeralStorageKmsKeyId",
    }
    ClusterConfiguration {
        execute_command_configuration: ExecuteCommandConfiguration = "executeCommandConfiguration",
        managed_storage_configuration: ManagedStorageConfiguration = "managedStorageConfiguration",
    }
    ClusterServiceConnectDefaults {
        namespace: String = "namespace",
    }
    ClusterSetting {
        name: String = "name",
        value: String = "value",
    }
}
