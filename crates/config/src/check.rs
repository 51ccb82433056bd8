//! One value at a time: what it may be, and what is allowed instead. Values are checked by their subject.
//!
//! A check knows neither the key nor the file; `reader` adds both. Rules that need a second value
//! are in `conflicts`; values that are one of a few words are in `keyword`.

mod aws_names;
mod image_values;
mod name_values;
mod path_values;
mod price_values;
mod secret_values;
mod service_values;
mod value_refusal;
mod volume_values;

pub(crate) use aws_names::{
    ResourceArn, cluster, container, family, log_group, platform_version, provider, region,
    security_group, sns_topic, subnet, task_definition,
};
pub(crate) use image_values::{
    build_argument, build_secret, image, registry, replica_secret, repository, signing_key,
};
pub(crate) use name_values::{owner, person, profile_name, tag_key, tag_value, user};
pub(crate) use path_values::{absolute_path, path, relative_path, template};
pub(crate) use price_values::{day, price};
pub(crate) use secret_values::{environment_variable, secret, secret_source, secret_variable};
pub(crate) use service_values::{
    address_range, header_name, listen_address, metrics_url, notice_subject, postgres_url,
    runbook_url, sha256, site,
};
pub(crate) use value_refusal::{CheckResult, ValueRefusal, quoted};
pub(crate) use volume_values::{
    access_point, file_system, folder_mode, mount_path, volume_folder, volume_name,
};
