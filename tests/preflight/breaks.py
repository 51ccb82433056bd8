"""Ways to break a good account, one change each. The name of a function is the name of the break.

A break changes the account, and may return keys of the configuration or flags of the command that go with it:
`{"config": {...}, "flags": [...]}`.
"""

import json

from good_account import allow, document

TASKS = {"Service": "ecs-tasks.amazonaws.com"}
BREAKS = {}


def a_break(function):
    BREAKS[function.__name__.replace("_", "-")] = function
    return function


# The way out.


@a_break
def subnet_without_default_route(account):
    account.ec2.delete_route(RouteTableId=account["routes"][0], DestinationCidrBlock="0.0.0.0/0")


@a_break
def internet_gateway_without_public_address(account):
    account.ec2.replace_route(
        RouteTableId=account["routes"][0], DestinationCidrBlock="0.0.0.0/0",
        GatewayId=account["igw"])


@a_break
def deleted_nat_gateway(account):
    account.ec2.delete_nat_gateway(NatGatewayId=account["nats"][1])


@a_break
def nat_gateway_without_internet_gateway(account):
    account.ec2.delete_route(
        RouteTableId=account["public_routes"], DestinationCidrBlock="0.0.0.0/0")


@a_break
def detached_internet_gateway(account):
    account.ec2.detach_internet_gateway(InternetGatewayId=account["igw"], VpcId=account["vpc"])


@a_break
def way_out_through_a_network_interface(account):
    """A firewall on a host: nobody sees what it does."""
    made = account.ec2.create_network_interface(SubnetId=account["public_subnets"][0])
    account.ec2.replace_route(
        RouteTableId=account["routes"][0], DestinationCidrBlock="0.0.0.0/0",
        NetworkInterfaceId=made["NetworkInterface"]["NetworkInterfaceId"])


@a_break
def ipv6_addresses_without_a_way_out(account):
    given = account.ec2.associate_vpc_cidr_block(VpcId=account["vpc"], AmazonProvidedIpv6CidrBlock=True)
    prefix = given["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    account.ec2.associate_subnet_cidr_block(
        SubnetId=account["subnets"][0], Ipv6CidrBlock=prefix.replace("/56", "/64"))


@a_break
def endpoint_policy_without_the_secret(account):
    """The endpoint takes what the NAT gateway would have taken."""
    group = account.group("endpoint")
    account.allow(group, 443, account["task_group"])
    policy = {"Version": "2012-10-17", "Statement": [{
        "Principal": "*", **allow(["secretsmanager:DescribeSecret"], "*")}]}
    account.ec2.create_vpc_endpoint(
        VpcId=account["vpc"], ServiceName="com.amazonaws.eu-west-1.secretsmanager", VpcEndpointType="Interface",
        SubnetIds=account["subnets"], SecurityGroupIds=[group], PrivateDnsEnabled=True,
        PolicyDocument=json.dumps(policy))


# Subnets and the VPC.


@a_break
def unknown_subnet(account):
    return {"config": {"subnets": [account["subnets"][0], "subnet-0123456789abcdef0"]}}


@a_break
def subnets_of_two_vpcs(account):
    vpc = account.ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    made = account.ec2.create_subnet(
        VpcId=vpc, CidrBlock="10.30.0.0/24", AvailabilityZone="eu-west-1b")
    return {"config": {"subnets": [account["subnets"][0], made["Subnet"]["SubnetId"]]}}


@a_break
def more_jobs_than_addresses(account):
    return {"flags": ["--concurrency", "503"]}


@a_break
def no_dns(account):
    account.ec2.modify_vpc_attribute(VpcId=account["vpc"], EnableDnsSupport={"Value": False})


# Network ACLs, which know no connections.


def acl(account, rules):
    """An ACL that allows these, as (is it out, protocol, first port, last port), for the first subnet."""
    ec2 = account.ec2
    made = ec2.create_network_acl(VpcId=account["vpc"])["NetworkAcl"]["NetworkAclId"]
    for number, (is_out, protocol, first, last) in enumerate(rules):
        ec2.create_network_acl_entry(
            NetworkAclId=made, RuleNumber=100 + number, Protocol=protocol, RuleAction="allow",
            Egress=is_out, CidrBlock="0.0.0.0/0", PortRange={"From": first, "To": last})
    subnet = account["subnets"][0]
    found = ec2.describe_network_acls(
        Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
    link = next(it for it in found["Associations"] if it["SubnetId"] == subnet)
    ec2.replace_network_acl_association(
        AssociationId=link["NetworkAclAssociationId"], NetworkAclId=made)


TCP, UDP = "6", "17"


@a_break
def acl_without_return_ports(account):
    acl(account, [(True, TCP, 0, 65535), (True, UDP, 0, 65535),
                  (False, TCP, 22, 22), (False, TCP, 443, 443), (False, UDP, 0, 65535)])


@a_break
def acl_without_443_out(account):
    acl(account, [(False, TCP, 0, 65535), (False, UDP, 0, 65535), (True, UDP, 0, 65535),
                  (True, TCP, 53, 53), (True, TCP, 1024, 65535)])


# Security groups.


@a_break
def ssh_open_to_all(account):
    account.allow(account["task_group"], 22, "0.0.0.0/0")


@a_break
def ssh_from_another_group_alone(account):
    account.forbid(account["task_group"], 22, account["manager_group"])
    account.allow(account["task_group"], 22, account["storage_group"])


@a_break
def task_group_without_443_out(account):
    account.forbid(account["task_group"], 443, "0.0.0.0/0", egress=True)


@a_break
def task_group_without_2049_out(account):
    account.forbid(account["task_group"], 2049, account["storage_group"], egress=True)


@a_break
def storage_group_closed_to_tasks(account):
    account.forbid(account["storage_group"], 2049, account["task_group"])


@a_break
def unknown_security_group(account):
    return {"config": {"security_groups": ["sg-0123456789abcdef0"]}}


# EFS.


@a_break
def zone_without_mount_target(account):
    account.efs.delete_mount_target(MountTargetId=account["mount_targets"][1])


@a_break
def unknown_access_point(account):
    account.efs.delete_access_point(AccessPointId=account["access_point"])


@a_break
def storage_policy_without_encryption(account):
    statement = account.storage_statement()
    del statement["Condition"]["Bool"]["aws:SecureTransport"]
    account.put_storage_policy([statement])


@a_break
def storage_policy_for_everybody(account):
    statement = account.storage_statement()
    account.put_storage_policy([statement, {
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": statement["Resource"],
        "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]}])


@a_break
def unknown_file_system(account):
    return {"volume": {"file_system": "fs-0123456789abcdef0"}}


# ECS.


@a_break
def deleted_cluster(account):
    account.ecs.delete_cluster(cluster=account.name)


@a_break
def cluster_without_spot(account):
    account.ecs.put_cluster_capacity_providers(
        cluster=account.name, capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}])
    return {"config": {"capacity_provider_strategy": [{"provider": "FARGATE_SPOT", "weight": 1}]}}


# The registry's secret.


@a_break
def secret_with_other_members(account):
    account.secretsmanager.put_secret_value(
        SecretId=account["secret"],
        SecretString=json.dumps({"user": "ci", "password": "hunter2-canary"}))


@a_break
def secret_that_is_no_json(account):
    account.secretsmanager.put_secret_value(
        SecretId=account["secret"], SecretString="ci:hunter2-canary")


@a_break
def deleted_secret(account):
    account.secretsmanager.delete_secret(
        SecretId=account["secret"], ForceDeleteWithoutRecovery=True)


# Roles.


def trust(account, kind, principal, condition=None):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    account.iam.update_assume_role_policy(
        RoleName=f"{account.name}-{kind}", PolicyDocument=document([statement]))


@a_break
def execution_role_for_ec2(account):
    trust(account, "execution", {"Service": "ec2.amazonaws.com"})


@a_break
def execution_role_of_another_account(account):
    trust(account, "execution", TASKS, {"StringEquals": {"aws:SourceAccount": "111122223333"}})


@a_break
def task_role_for_ec2(account):
    trust(account, "task", {"Service": "ec2.amazonaws.com"})


@a_break
def execution_role_without_the_secret(account):
    rights = account.execution_rights()
    account.iam.put_role_policy(
        RoleName=f"{account.name}-execution", PolicyName="own", PolicyDocument=document(rights[1:]))


@a_break
def deleted_execution_role(account):
    role = f"{account.name}-execution"
    account.iam.delete_role_policy(RoleName=role, PolicyName="own")
    account.iam.delete_role(RoleName=role)


@a_break
def powerful_task_role(account):
    account.iam.put_role_policy(
        RoleName=f"{account.name}-task", PolicyName="own", PolicyDocument=document([allow(["*"], "*")]))


# The manager.


@a_break
def manager_without_run_task(account):
    rights = account.manager_rights()
    rights[0]["Action"].remove("ecs:RunTask")
    account.manager_policy(rights)


@a_break
def manager_that_may_not_pass_the_task_role(account):
    rights = account.manager_rights()
    rights[-1]["Resource"] = [it for it in rights[-1]["Resource"] if not it.endswith("-task")]
    account.manager_policy(rights)


@a_break
def manager_that_may_pass_any_role(account):
    rights = account.manager_rights()
    account.manager_policy([*rights, allow(["iam:PassRole"], "*")])


# Logs.


@a_break
def unknown_log_group(account):
    account.logs.delete_log_group(logGroupName=account["log_group"])
