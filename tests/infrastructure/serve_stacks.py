"""Makes stacks of infrastructure/cloudformation in ministack, and breaks them.

Argument: the endpoint of ministack. `make VARIANT` on its standard input makes a stack; the answer is one line of JSON with
the outputs of the stack, the keys of the manager's role, and the types of resources that the stack lacks. `break NAME NUMBER`
breaks the stack that was made as that one; `variants` and `list` tell the names. It ends with its standard input.

What ministack's CloudFormation lacks is made as `make aws-acceptance` does it. One thing is put right here, because AWS
has it otherwise: `Ref` of a secret is its ARN.
"""

import json
import pathlib
import sys

import botocore.session

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infrastructure/acceptance"))

import stack as acceptance  # noqa: E402

# ministack is done at once.
acceptance.POLL_S = 0.1
TEMPLATE = ROOT / "infrastructure/cloudformation/fargate-runner.yaml"
REGION = "eu-west-1"
# ministack takes twelve digits for the account.
ACCOUNT = "123456789012"
BREAKS = {}
# How the stack can be made: inputs that are not as in the default. A function first makes what the stack is made in.
VARIANTS = {
    "default": {},
    "one-zone": {"ZoneCount": "1"},
    "three-zones": {"ZoneCount": "3"},
    "nat-gateway-per-zone": {"ZoneCount": "3", "NatGateways": "per-zone"},
    "ipv6": {"EnableIpv6": "true"},
    "without-file-system": {"MakeFileSystem": "false"},
    "without-registry-secret": {"MakeRegistrySecret": "false"},
    "two-principals": {
        "ImageBuilderPrincipal": f"arn:aws:iam::{ACCOUNT}:root", "EcrRepositories": "ci/*",
        "InfrastructurePrincipal": f"arn:aws:iam::{ACCOUNT}:root"},
    "subnets-of-an-existing-vpc": lambda clients: ExistingVpc(clients, "10.9.0.0/24", "10.9.0").with_private_subnets(),
    # ministack adds no range to a VPC, so this one has the range from the start.
    "range-added-to-an-existing-vpc":
        lambda clients: ExistingVpc(clients, "100.64.0.0/16", "100.64.255").with_public_subnets(),
}


def a_break(function):
    BREAKS[function.__name__.replace("_", "-")] = function
    return function


class ExistingVpc:
    """A VPC that was there before the stack, with two public subnets in the last 256 addresses of its range."""

    def __init__(self, clients, cidr, last):
        self.ec2, self.last = clients("ec2"), last
        ec2 = self.ec2
        self.id = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.id, **{attribute: {"Value": True}})
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.id)
        self.public = [self.subnet(zone, zone, GatewayId=gateway) for zone in range(2)]

    def subnet(self, number, zone, **way_out):
        subnet = self.ec2.create_subnet(
            VpcId=self.id, CidrBlock=f"{self.last}.{32 * number}/27",
            AvailabilityZone=f"{REGION}{'abc'[zone]}")["Subnet"]["SubnetId"]
        table = self.ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way_out)
        return subnet

    def with_private_subnets(self):
        private = []
        for zone, public in enumerate(self.public):
            address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
            gateway = self.ec2.create_nat_gateway(AllocationId=address, SubnetId=public)["NatGateway"]["NatGatewayId"]
            private.append(self.subnet(2 + zone, zone, NatGatewayId=gateway))
        return {"ExistingVpcId": self.id, "ExistingSubnetIds": ",".join(private)}

    def with_public_subnets(self):
        return {"ExistingVpcId": self.id, "ExistingPublicSubnetIds": ",".join(self.public),
                "NetworkCidr": "100.64.0.0/17", "NatGateways": "per-zone"}


class MadeStack:
    def __init__(self, clients, name, variant):
        self.clients, self.name = clients, name
        given = VARIANTS[variant]
        parameters = {
            "Name": name, "TaskDefinitionFamily": name, "JobImage": "registry.example.com/team/ci:1",
            # A new account may run 6 vCPU.
            "Concurrency": "4", "ZoneCount": "2", "MakeManager": "false"}
        parameters |= given(clients) if callable(given) else given
        self.stack = acceptance.Stack(clients, name, TEMPLATE, parameters, True)
        self.stack.create()
        self.outputs = self.stack.outputs
        if "RegistrySecretArn" in self.outputs:
            self.name_secret_by_its_arn()

    def __getitem__(self, output):
        return self.outputs[output]

    def id(self, logical_id):
        return self.stack.physical(logical_id)

    def name_secret_by_its_arn(self):
        """In the policies of the roles and in the outputs."""
        short = self["RegistrySecretArn"]
        arn = self.clients("secretsmanager").describe_secret(SecretId=short)["ARN"]
        iam = self.clients("iam")

        def renamed(document):
            return json.dumps(document).replace(f'"{short}"', f'"{arn}"')

        for role in (self.id("ExecutionRole"), self.id("ManagerRole")):
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                found = iam.get_role_policy(RoleName=role, PolicyName=policy)
                iam.put_role_policy(
                    RoleName=role, PolicyName=policy, PolicyDocument=renamed(found["PolicyDocument"]))
        for policy in (self["ManagerPolicyArn"], self.id("CheckPolicy")):
            self.change_policy(policy, renamed)
        self.outputs["RegistrySecretArn"] = arn

    def change_policy(self, policy, changed):
        """`changed` makes the text of the new document of the old document."""
        iam = self.clients("iam")
        version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]
        iam.create_policy_version(
            PolicyArn=policy, PolicyDocument=changed(found["Document"]), SetAsDefault=True)

    def keys(self):
        """Of a session of the manager's role."""
        session = self.clients("sts").assume_role(
            RoleArn=self["ManagerRoleArn"], RoleSessionName="manager")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }

    def rule(self, verb, direction, group, port, peer):
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        if peer.startswith("sg-"):
            rule["UserIdGroupPairs"] = [{"GroupId": peer}]
        else:
            rule["IpRanges"] = [{"CidrIp": peer}]
        change = getattr(self.clients("ec2"), f"{verb}_security_group_{direction}")
        change(GroupId=group, IpPermissions=[rule])


@a_break
def no_route_to_the_nat_gateway(stack):
    stack.clients("ec2").delete_route(
        RouteTableId=stack.id("PrivateRouteTable1"), DestinationCidrBlock="0.0.0.0/0")


@a_break
def deleted_nat_gateway(stack):
    gateways = [made for kind, made in stack.stack.made if kind == "nat gateway"]
    stack.clients("ec2").delete_nat_gateway(NatGatewayId=gateways[0])


@a_break
def detached_internet_gateway(stack):
    stack.clients("ec2").detach_internet_gateway(
        InternetGatewayId=stack.id("InternetGateway"), VpcId=stack["VpcId"])


@a_break
def task_group_open_to_all(stack):
    stack.rule("authorize", "ingress", stack["TaskSecurityGroupId"], 22, "0.0.0.0/0")


@a_break
def task_group_closed_to_the_manager(stack):
    stack.rule("revoke", "ingress", stack["TaskSecurityGroupId"], 22, stack["ManagerSecurityGroupId"])


@a_break
def task_group_without_443_out(stack):
    stack.rule("revoke", "egress", stack["TaskSecurityGroupId"], 443, "0.0.0.0/0")


@a_break
def file_system_group_closed_to_tasks(stack):
    stack.rule("revoke", "ingress", stack["FileSystemSecurityGroupId"], 2049, stack["TaskSecurityGroupId"])


@a_break
def zone_without_mount_target(stack):
    stack.clients("efs").delete_mount_target(MountTargetId=stack.id("MountTarget2"))


@a_break
def no_dns(stack):
    stack.clients("ec2").modify_vpc_attribute(VpcId=stack["VpcId"], EnableDnsSupport={"Value": False})


@a_break
def empty_secret(stack):
    """As the template leaves it: nobody has filled it."""


@a_break
def deleted_log_group(stack):
    stack.clients("logs").delete_log_group(logGroupName=stack["LogGroupName"])


@a_break
def deleted_cluster(stack):
    stack.clients("ecs").delete_cluster(cluster=stack["ClusterName"])


@a_break
def execution_role_for_ec2(stack):
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    stack.clients("iam").update_assume_role_policy(
        RoleName=stack.id("ExecutionRole"), PolicyDocument=json.dumps(trust))


@a_break
def execution_role_without_rights(stack):
    stack.clients("iam").delete_role_policy(RoleName=stack.id("ExecutionRole"), PolicyName="start-tasks")


@a_break
def manager_that_may_start_no_task(stack):
    def changed(document):
        kept = [it for it in document["Statement"] if it["Sid"] != "StartTasks"]
        return json.dumps({**document, "Statement": kept})

    stack.change_policy(stack["ManagerPolicyArn"], changed)


@a_break
def powerful_task_role(stack):
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    stack.clients("iam").put_role_policy(
        RoleName=stack.id("TaskRole"), PolicyName="own", PolicyDocument=json.dumps(everything))


def clients(endpoint):
    session, made = botocore.session.Session(), {}

    def client(service):
        if service not in made:
            made[service] = session.create_client(
                service, region_name=REGION, endpoint_url=endpoint,
                aws_access_key_id=ACCOUNT, aws_secret_access_key="test")
        return made[service]

    return client


def main():
    served, stacks = clients(sys.argv[1]), []
    for line in sys.stdin:
        match line.split():
            case ["list"]:
                answer = list(BREAKS)
            case ["variants"]:
                answer = list(VARIANTS)
            case ["make", variant]:
                stack = MadeStack(served, f"ci-{len(stacks)}", variant)
                stacks.append(stack)
                answer = {
                    "number": len(stacks) - 1, "name": stack.name, "outputs": stack.outputs, "keys": stack.keys(),
                    "refused": stack.stack.refused}
            case ["break", name, number]:
                BREAKS[name](stacks[int(number)])
                answer = {}
            case other:
                sys.exit(f"unknown order: {other}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
