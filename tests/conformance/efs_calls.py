"""Plays the life of file systems through boto3. It leaves one behind, for the tasks of check.py."""

OPERATIONS = {
    "CreateFileSystem", "DescribeFileSystems", "DeleteFileSystem", "CreateAccessPoint",
    "DescribeAccessPoints", "DeleteAccessPoint", "CreateMountTarget", "DescribeMountTargets",
    "DeleteMountTarget", "DescribeMountTargetSecurityGroups", "ModifyMountTargetSecurityGroups",
    "PutFileSystemPolicy", "DescribeFileSystemPolicy", "DeleteFileSystemPolicy", "TagResource",
    "UntagResource", "ListTagsForResource",
}
SUBNETS = ("subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a")
GROUP = "sg-0c3d4e5f60718293b"
POLICY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
  "Principal": {"AWS": "arn:aws:iam::123456789012:role/ci"},
  "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
  "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}}]}"""


def play(efs, expect, refused):
    """Runs all of it with `efs`, a client of EFS. An earlier run may have left its file system. Returns
    the ids of a file system and an access point that the role `ci` may mount in every subnet."""
    for left in efs.describe_file_systems()["FileSystems"]:
        remove(efs, left["FileSystemId"])
    made = efs.create_file_system(
        CreationToken="conformance", Encrypted=True, PerformanceMode="generalPurpose",
        ThroughputMode="elastic", Backup=False, Tags=[{"Key": "Name", "Value": "shared files"}])
    expect(made["LifeCycleState"] == "creating" and made["Name"] == "shared files", f"new: {made}")
    fs = made["FileSystemId"]
    error = refused("FileSystemAlreadyExists", efs.create_file_system, CreationToken="conformance")
    expect(error and error.response["FileSystemId"] == fs, f"the one that exists: {error}")
    shown = efs.describe_file_systems(CreationToken="conformance")["FileSystems"]
    expect([one["LifeCycleState"] for one in shown] == ["available"], f"without delays: {shown}")
    expect(efs.describe_file_systems(FileSystemId=made["FileSystemArn"]), "by ARN, escaped in the query")
    missing = {"FileSystemId": "fs-0123456789abcdef0"}
    refused("FileSystemNotFound", efs.describe_file_systems, **missing)
    refused("FileSystemNotFound", efs.delete_file_system, **missing)
    access_points(efs, fs, missing, expect, refused)
    mount_targets(efs, fs, missing, expect, refused)
    policy(efs, fs, made["FileSystemArn"], missing, expect, refused)
    tags(efs, made["FileSystemArn"], expect, refused)
    efs.delete_file_system(FileSystemId=made["FileSystemArn"])
    refused("FileSystemNotFound", efs.describe_file_systems, FileSystemId=fs)
    return left_behind(efs)


def remove(efs, fs):
    for one in efs.describe_mount_targets(FileSystemId=fs)["MountTargets"]:
        efs.delete_mount_target(MountTargetId=one["MountTargetId"])
    efs.delete_file_system(FileSystemId=fs)


def left_behind(efs):
    fs = efs.create_file_system(CreationToken="conformance")["FileSystemId"]
    for one in SUBNETS:
        efs.create_mount_target(FileSystemId=fs, SubnetId=one)
    efs.put_file_system_policy(FileSystemId=fs, Policy=POLICY)
    point = efs.create_access_point(ClientToken="left", FileSystemId=fs)
    return fs, point["AccessPointId"]


def access_points(efs, fs, missing, expect, refused):
    root = {"Path": "/ci/one", "CreationInfo": {
        "OwnerUid": 1000, "OwnerGid": 1001, "Permissions": "0750"}}
    user = {"Uid": 1000, "Gid": 1001, "SecondaryGids": [7, 8]}
    made = efs.create_access_point(
        ClientToken="one", FileSystemId=fs, PosixUser=user, RootDirectory=root,
        Tags=[{"Key": "Name", "Value": "one"}])
    expect((made["PosixUser"], made["RootDirectory"]) == (user, root), f"a new one: {made}")
    error = refused("AccessPointAlreadyExists", efs.create_access_point, ClientToken="one", FileSystemId=fs)
    expect(error and error.response["AccessPointId"] == made["AccessPointId"], f"{error}")
    refused("FileSystemNotFound", efs.create_access_point, ClientToken="x", **missing)
    deep = {"Path": "/1/2/3/4/5"}
    refused("BadRequest", efs.create_access_point, ClientToken="x", FileSystemId=fs, RootDirectory=deep)
    efs.create_access_point(ClientToken="two", FileSystemId=fs)
    pages = efs.get_paginator("describe_access_points").paginate(
        FileSystemId=fs, PaginationConfig={"PageSize": 1})
    tokens = [one["ClientToken"] for page in pages for one in page["AccessPoints"]]
    expect(tokens == ["one", "two"], f"page by page: {tokens}")
    efs.delete_access_point(AccessPointId=made["AccessPointArn"])
    gone = {"AccessPointId": made["AccessPointId"]}
    refused("AccessPointNotFound", efs.describe_access_points, **gone)
    refused("AccessPointNotFound", efs.delete_access_point, **gone)


def mount_targets(efs, fs, missing, expect, refused):
    made = [efs.create_mount_target(FileSystemId=fs, SubnetId=one, SecurityGroups=[GROUP])
            for one in SUBNETS]
    zones = [one["AvailabilityZoneName"] for one in made]
    expect(zones == ["eu-west-1a", "eu-west-1b"], f"zones: {zones}")
    refused("MountTargetConflict", efs.create_mount_target, FileSystemId=fs, SubnetId=SUBNETS[0])
    refused("FileSystemInUse", efs.delete_file_system, FileSystemId=fs)
    refused("FileSystemNotFound", efs.describe_mount_targets, **missing)
    pages = efs.get_paginator("describe_mount_targets").paginate(
        FileSystemId=fs, PaginationConfig={"PageSize": 1})
    ids = [one["MountTargetId"] for page in pages for one in page["MountTargets"]]
    expect(ids == [one["MountTargetId"] for one in made], f"page by page: {ids}")
    groups = efs.describe_mount_target_security_groups(MountTargetId=ids[0])["SecurityGroups"]
    expect(groups == [GROUP], f"groups: {groups}")
    efs.modify_mount_target_security_groups(MountTargetId=ids[0], SecurityGroups=[GROUP])
    refused("SecurityGroupNotFound", efs.modify_mount_target_security_groups,
            MountTargetId=ids[0], SecurityGroups=["sg-00000000"])
    for one in ids:
        efs.delete_mount_target(MountTargetId=one)
    refused("MountTargetNotFound", efs.delete_mount_target, MountTargetId=ids[0])
    refused("MountTargetNotFound", efs.describe_mount_target_security_groups, MountTargetId=ids[0])


def policy(efs, fs, arn, missing, expect, refused):
    refused("PolicyNotFound", efs.describe_file_system_policy, FileSystemId=fs)
    efs.put_file_system_policy(FileSystemId=arn, Policy=POLICY)
    shown = efs.describe_file_system_policy(FileSystemId=arn)
    expect(shown["Policy"] == POLICY and shown["FileSystemId"] == fs, f"the policy: {shown}")
    refused("InvalidPolicyException", efs.put_file_system_policy, FileSystemId=fs, Policy="{}")
    efs.delete_file_system_policy(FileSystemId=fs)
    refused("FileSystemNotFound", efs.delete_file_system_policy, **missing)


def tags(efs, arn, expect, refused):
    efs.tag_resource(ResourceId=arn, Tags=[{"Key": "a b", "Value": ""}, {"Key": "c", "Value": "1"}])
    efs.untag_resource(ResourceId=arn, TagKeys=["a b", "Name"])
    listed = efs.list_tags_for_resource(ResourceId=arn)["Tags"]
    expect(listed == [{"Key": "c", "Value": "1"}], f"tags: {listed}")
    gone = {"ResourceId": "fsap-0123456789abcdef0"}
    refused("AccessPointNotFound", efs.tag_resource, Tags=[], **gone)
    refused("AccessPointNotFound", efs.untag_resource, TagKeys=["a"], **gone)
    refused("AccessPointNotFound", efs.list_tags_for_resource, **gone)
