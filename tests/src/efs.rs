//! A client of the local cloud's EFS, and the access points that tests make.

use aws_sdk_efs::Client;
use aws_sdk_efs::config::{BehaviorVersion, Region};
use aws_sdk_efs::types::{CreationInfo, PosixUser, RootDirectory};
use fargate_local_cloud::LocalCloud;

use crate::administrator;

/// A client of `cloud`, in the Region of the configuration that it writes.
#[must_use]
pub fn client(cloud: &LocalCloud) -> Client {
    let config = aws_sdk_efs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(administrator::credentials(cloud))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// Makes an access point to `path`, whose folder and files belong to `owner`, a user and a group. Returns its id.
///
/// # Panics
///
/// If the cloud refuses it.
pub async fn make_access_point(
    cloud: &LocalCloud,
    file_system: &str,
    path: &str,
    (uid, gid): (u32, u32),
) -> String {
    let (uid, gid) = (i64::from(uid), i64::from(gid));
    let made = CreationInfo::builder().owner_uid(uid).owner_gid(gid).permissions("0750").build();
    let root = RootDirectory::builder().path(path).creation_info(made.expect("all")).build();
    let user = PosixUser::builder().uid(uid).gid(gid).build().expect("all");
    let call = client(cloud).create_access_point().file_system_id(file_system);
    let call = call.posix_user(user).root_directory(root);
    let made = call.send().await.expect("an access point that the cloud makes");
    made.access_point_id().expect("it has an id").to_owned()
}
