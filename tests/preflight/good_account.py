"""Makes accounts in which jobs can run, each by itself, in ministack and moto.

moto plays EC2 and EFS: ministack forgets the ports of network ACLs, puts no subnet under one, and tells no
address of a NAT gateway. ministack plays all other services. Nothing here knows the product.
"""

import json

import botocore.session

REGION = "eu-west-1"
ACCOUNT = "123456789012"
# Of the task definitions that the product registers.
FAMILY = "fargate-runner-ci"
IMAGE = "registry.example.com/team/ci:1"


class GoodAccount:
    """What one account holds, by names and ids that no other account shares."""

    def __init__(self, clients, name):
        self.clients, self.name = clients, name
        self.ids = {"name": name, "region": REGION, "account": ACCOUNT, "image": IMAGE}
        self.network()
        self.groups()
        self.storage()
        self.cluster()
        self.secret()
        self.roles()

    def __getattr__(self, service):
        return self.clients[service]

    def __getitem__(self, key):
        return self.ids[key]

    def network(self):
        ec2, ids = self.ec2, self.ids
        ids["vpc"] = vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        ids["igw"] = igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
        ids["public_routes"] = public = self.route_table()
        ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
        for key in ("subnets", "public_subnets", "nats", "addresses", "routes"):
            ids[key] = []
        for number, zone in enumerate("ab"):
            outer = self.subnet(f"10.20.{100 + number}.0/24", zone)
            inner = self.subnet(f"10.20.{number}.0/24", zone)
            ec2.associate_route_table(RouteTableId=public, SubnetId=outer)
            address = ec2.allocate_address(Domain="vpc")
            nat = ec2.create_nat_gateway(SubnetId=outer, AllocationId=address["AllocationId"])
            nat = nat["NatGateway"]["NatGatewayId"]
            routes = self.route_table()
            ec2.create_route(
                RouteTableId=routes, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
            ec2.associate_route_table(RouteTableId=routes, SubnetId=inner)
            ids["subnets"].append(inner)
            ids["public_subnets"].append(outer)
            ids["nats"].append(nat)
            ids["addresses"].append(address["PublicIp"])
            ids["routes"].append(routes)

    def route_table(self):
        made = self.ec2.create_route_table(VpcId=self["vpc"])
        return made["RouteTable"]["RouteTableId"]

    def subnet(self, prefix, zone):
        made = self.ec2.create_subnet(
            VpcId=self["vpc"], CidrBlock=prefix, AvailabilityZone=f"{REGION}{zone}")
        return made["Subnet"]["SubnetId"]

    def group(self, role):
        made = self.ec2.create_security_group(
            VpcId=self["vpc"], GroupName=f"{self.name}-{role}", Description=role)
        return made["GroupId"]

    def allow(self, group, port, other, protocol="tcp", egress=False):
        self.change_rule("authorize", group, port, other, protocol, egress)

    def forbid(self, group, port, other, protocol="tcp", egress=False):
        self.change_rule("revoke", group, port, other, protocol, egress)

    def change_rule(self, verb, group, port, other, protocol, egress):
        """`other` is a group or a prefix."""
        rule = {"IpProtocol": protocol, "FromPort": port, "ToPort": port}
        if other.startswith("sg-"):
            rule["UserIdGroupPairs"] = [{"GroupId": other}]
        else:
            rule["IpRanges"] = [{"CidrIp": other}]
        direction = "egress" if egress else "ingress"
        change = getattr(self.ec2, f"{verb}_security_group_{direction}")
        change(GroupId=group, IpPermissions=[rule])

    def groups(self):
        ids = self.ids
        for role in ("manager", "task", "storage"):
            ids[f"{role}_group"] = self.group(role)
        task, storage = ids["task_group"], ids["storage_group"]
        anywhere = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        self.ec2.revoke_security_group_egress(GroupId=task, IpPermissions=anywhere)
        self.allow(task, 22, ids["manager_group"])
        self.allow(task, 443, "0.0.0.0/0", egress=True)
        self.allow(task, 2049, storage, egress=True)
        self.allow(task, 53, "10.20.0.0/16", "udp", egress=True)
        self.allow(task, 53, "10.20.0.0/16", egress=True)
        self.allow(storage, 2049, task)

    def storage(self):
        efs, ids = self.efs, self.ids
        made = efs.create_file_system(CreationToken=self.name, Encrypted=True)
        ids["file_system"] = system = made["FileSystemId"]
        ids["mount_targets"] = [
            efs.create_mount_target(
                FileSystemId=system, SubnetId=subnet, SecurityGroups=[ids["storage_group"]],
            )["MountTargetId"] for subnet in ids["subnets"]]
        point = efs.create_access_point(
            ClientToken=self.name, FileSystemId=system, PosixUser={"Uid": 1000, "Gid": 1000},
            RootDirectory={"Path": "/cache", "CreationInfo": {
                "OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}})
        ids["access_point"] = point["AccessPointId"]
        self.put_storage_policy([self.storage_statement()])

    def storage_statement(self):
        system = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/{self['file_system']}"
        point = system.replace(
            f"file-system/{self['file_system']}", f"access-point/{self['access_point']}")
        return {
            "Sid": "FargateRunnerTasks", "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{self.name}-task"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Resource": system,
            "Condition": {
                "Bool": {"aws:SecureTransport": "true",
                         "elasticfilesystem:AccessedViaMountTarget": "true"},
                "StringEquals": {"elasticfilesystem:AccessPointArn": point},
            },
        }

    def put_storage_policy(self, statements):
        self.efs.put_file_system_policy(
            FileSystemId=self["file_system"],
            Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def cluster(self):
        self.ids["cluster"] = self.name
        self.ecs.create_cluster(
            clusterName=self.name, capacityProviders=["FARGATE", "FARGATE_SPOT"],
            defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}])
        self.ids["log_group"] = f"/ci/{self.name}"
        self.logs.create_log_group(logGroupName=self["log_group"])

    def secret(self):
        made = self.secretsmanager.create_secret(
            Name=f"{self.name}/registry",
            SecretString=json.dumps({"username": "ci", "password": "hunter2-canary"}))
        self.ids["secret"] = made["ARN"]

    def role(self, kind, statements, principal, condition=None):
        name = f"{self.name}-{kind}"
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        if condition:
            trust["Condition"] = condition
        made = self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=document([trust]))
        if statements:
            self.iam.put_role_policy(
                RoleName=name, PolicyName="own", PolicyDocument=document(statements))
        self.ids[f"{kind}_role"] = made["Role"]["Arn"]

    def roles(self):
        tasks = {"Service": "ecs-tasks.amazonaws.com"}
        own = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        self.role("execution", self.execution_rights(), tasks, own)
        self.role("task", [], tasks, own)
        self.role("manager", self.manager_rights(), {"AWS": "*"})
        session = self.sts.assume_role(
            RoleArn=self["manager_role"], RoleSessionName="check")["Credentials"]
        self.ids["keys"] = {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }

    def execution_rights(self):
        return [
            allow(["secretsmanager:GetSecretValue"], self["secret"]),
            allow(["logs:CreateLogStream", "logs:PutLogEvents"],
                  f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self['log_group']}:*"),
        ]

    def manager_rights(self):
        """What the driver does with a configuration like that of the tests, and nothing else.

        The simulation of ministack knows no condition, so there is none: `check` warns that the roles may be passed
        to every service.
        """
        roles = [self["execution_role"], self["task_role"]]
        ecs = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
        definitions, tasks = f"{ecs}:task-definition/{FAMILY}:*", f"{ecs}:task/{self.name}/*"
        return [
            allow(["ecs:RunTask", "ecs:RegisterTaskDefinition"], definitions),
            allow(["ecs:DescribeTasks", "ecs:StopTask"], tasks),
            allow(["ecs:TagResource"], [definitions, tasks]),
            allow(["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"], "*"),
            allow(["ecs:ListTasks"], f"{ecs}:container-instance/{self.name}/*"),
            allow(["logs:GetLogEvents"],
                  f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self['log_group']}:*"),
            allow(["iam:PassRole"], roles),
        ]

    def manager_policy(self, statements):
        self.iam.put_role_policy(
            RoleName=f"{self.name}-manager", PolicyName="own",
            PolicyDocument=document(statements))


def allow(actions, resource):
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def document(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def clients(ministack, moto):
    """A client for each service, at the emulator that plays it."""
    session = botocore.session.Session()
    at = {service: ministack
          for service in ("ecs", "iam", "sts", "secretsmanager", "kms", "logs")}
    at |= {"ec2": moto, "efs": moto}
    return {service: session.create_client(
        service, region_name=REGION, endpoint_url=endpoint,
        # ministack takes twelve digits for the account.
        aws_access_key_id=ACCOUNT, aws_secret_access_key="test")
        for service, endpoint in at.items()}
