"""Builds the stack, and takes it down.

Where an emulator's CloudFormation lacks a type of resource, the same resource is made through the service's own API,
or is left out and named. On AWS the template is used as it is.
"""

import json
import re
import time

import yaml
from botocore.exceptions import BotoCoreError, ClientError

# The longest that the stack may take, in seconds: NAT gateways take minutes, mount targets as well.
STACK_TIME_S = 1800
POLL_S = 5
# What an emulator cannot have, and nobody makes instead: this machine is the manager host.
NO_HOST = {"Manager", "ManagerTemplate"}


class _Loader(yaml.SafeLoader):
    pass


def _tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def mentions(value, names):
    """Whether the value names one of these resources."""
    if isinstance(value, list):
        return any(mentions(item, names) for item in value)
    if not isinstance(value, dict):
        return False
    if value.get("Ref") in names or (value.get("Fn::GetAtt") or [None])[0] in names:
        return True
    sub = value.get("Fn::Sub")
    text = sub if isinstance(sub, str) else (sub or [""])[0]
    if any(re.search(r"\$\{" + name + r"[.}]", text) for name in names):
        return True
    return any(mentions(item, names) for item in value.values())


def without(value, names):
    """The value with an empty text in the place of each thing that names one of these resources."""
    if isinstance(value, list):
        kept = [without(item, names) for item in value]
        return [item for item, old in zip(kept, value) if not (item == "" and old != "" and isinstance(old, dict))]
    if not isinstance(value, dict):
        return value
    if "Ref" in value or "Fn::GetAtt" in value or isinstance(value.get("Fn::Sub"), str):
        return "" if mentions(value, names) else value
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        return {"Fn::If": [condition, without(yes, names), without(no, names)]}
    return {key: without(item, names) for key, item in value.items()}


class Stack:
    def __init__(self, clients, name, template, parameters, emulated):
        self.clients, self.name, self.parameters, self.emulated = clients, name, parameters, emulated
        self.text = template.read_text()
        self.left_out, self.by_api = [], []
        self.outputs, self.made = {}, []

    def create(self):
        if self.emulated:
            self.create_emulated()
        else:
            self.start(self.text)
            self.wait()

    def create_emulated(self):
        """The template as far as the emulator knows its types, and then the rest by the services' own API."""
        text, removed = self.reduced(set())
        try:
            self.start(text)
        except ClientError as error:
            found = re.search(r"Unrecognized resource types: \[(.*)\]", str(error))
            if not found:
                raise
            text, removed = self.reduced(set(found[1].split(", ")))
            self.start(text)
        self.wait()
        self.make_by_api(removed)

    def start(self, text):
        known = set(yaml.load(text, _Loader)["Parameters"])
        parameters = [{"ParameterKey": key, "ParameterValue": value}
                      for key, value in self.parameters.items() if key in known]
        self.clients("cloudformation").create_stack(
            StackName=self.name, TemplateBody=text, Parameters=parameters, Capabilities=["CAPABILITY_IAM"],
            OnFailure="DO_NOTHING", TimeoutInMinutes=STACK_TIME_S // 60)

    def describe(self):
        return self.clients("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]

    def wait(self):
        deadline = time.monotonic() + STACK_TIME_S
        while (stack := self.describe())["StackStatus"].endswith("IN_PROGRESS"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the stack {self.name} is {stack['StackStatus']} after {STACK_TIME_S} s")
            time.sleep(POLL_S)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise RuntimeError(f"the stack {self.name} is {stack['StackStatus']}:\n{self.reasons()}")
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def reasons(self):
        events = self.clients("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [event for event in events if event.get("ResourceStatus", "").endswith("FAILED")]
        return "\n".join(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '?')}" for event in failed)

    def reduced(self, types):
        """The template without these types and without the manager host, and what was taken out."""
        whole = yaml.load(self.text, _Loader)
        resources = whole["Resources"]
        gone = {name for name, resource in resources.items() if resource["Type"] in types} | NO_HOST
        # A route without its gateway is none.
        routes = {name for name, resource in resources.items()
                  if resource["Type"] == "AWS::EC2::Route" and mentions(resource, gone)}
        removed = {name: resources.pop(name) for name in gone | routes}
        for resource in resources.values():
            depends = resource.get("DependsOn", [])
            depends = [depends] if isinstance(depends, str) else depends
            resource["DependsOn"] = [name for name in depends if name not in removed]
            resource["Properties"] = without(resource.get("Properties", {}), set(removed))
        for name in [name for name, output in whole["Outputs"].items() if mentions(output, set(removed))]:
            del whole["Outputs"][name]
        del whole["Parameters"]["ManagerImage"]
        # There is no host, so nobody needs its package.
        whole.pop("Rules", None)
        return json.dumps(whole), removed

    def physical(self, logical_id):
        found = self.clients("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def make_by_api(self, removed):
        """One NAT gateway with its address, the routes to it, and the rules between the groups."""
        kinds = {resource["Type"] for resource in removed.values()}
        if "AWS::EC2::NatGateway" not in kinds:
            raise RuntimeError("this emulator knows other types than the one that this was written for")
        ec2 = self.clients("ec2")
        address = ec2.allocate_address(Domain="vpc")
        self.made.append(("address", address["AllocationId"]))
        gateway = ec2.create_nat_gateway(
            AllocationId=address["AllocationId"], SubnetId=self.physical("PublicSubnet1"))["NatGateway"]["NatGatewayId"]
        self.made.append(("nat gateway", gateway))
        for number in range(1, int(self.parameters["ZoneCount"]) + 1):
            ec2.create_route(RouteTableId=self.physical(f"PrivateRouteTable{number}"),
                             DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
        for group, peer, port in [("TaskGroup", "ManagerGroup", 22), ("FileSystemGroup", "TaskGroup", 2049)]:
            for way, one, other in [("ingress", group, peer), ("egress", peer, group)]:
                call = getattr(ec2, f"authorize_security_group_{way}")
                call(GroupId=self.group(one), IpPermissions=[{
                    "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
                    "UserIdGroupPairs": [{"GroupId": self.group(other)}]}])
        self.outputs["EgressAddresses"] = address["PublicIp"]
        done = {"AWS::EC2::EIP", "AWS::EC2::NatGateway", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}
        self.by_api = sorted(kinds & done)
        # Routes are known; those that went with the NAT gateway are made above.
        self.left_out = sorted(kinds - done - {"AWS::EC2::Route"})

    def group(self, logical_id):
        return self.outputs.get({"TaskGroup": "TaskSecurityGroupId", "ManagerGroup": "ManagerSecurityGroupId",
                                 "FileSystemGroup": "FileSystemSecurityGroupId"}[logical_id])

    def remove(self):
        """Takes everything down; gives what is left, in words. It goes on after each error."""
        left = []

        def attempt(what, call, *missing):
            try:
                return call()
            except (ClientError, BotoCoreError, RuntimeError, TimeoutError) as error:
                code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
                if code not in missing:
                    left.append(f"{what}: {error}")
                return None

        ec2 = self.clients("ec2")
        for kind, made in reversed(self.made):
            if kind == "nat gateway":
                attempt(f"the NAT gateway {made}", lambda: ec2.delete_nat_gateway(NatGatewayId=made))
            else:
                attempt(f"the address {made}", lambda: ec2.release_address(AllocationId=made),
                        "InvalidAllocationID.NotFound")
        attempt(f"the task definitions of {self.name}", self.deregister)
        file_system = self.outputs.get("FileSystemId")
        attempt(f"the stack {self.name}", self.delete)
        if file_system:
            # The template keeps the data when the stack goes; this data is of a trial.
            attempt(f"the file system {file_system}", lambda: self.delete_file_system(file_system),
                    "FileSystemNotFound")
        return left

    def deregister(self):
        ecs = self.clients("ecs")
        family = self.parameters["TaskDefinitionFamily"]
        pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family)
        for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
            ecs.deregister_task_definition(taskDefinition=arn)

    def delete(self):
        cloudformation = self.clients("cloudformation")
        cloudformation.delete_stack(StackName=self.name)
        deadline = time.monotonic() + STACK_TIME_S
        while True:
            try:
                status = self.describe()["StackStatus"]
            except ClientError as error:
                if "does not exist" in str(error):
                    return
                raise
            if status == "DELETE_COMPLETE":
                return
            if status == "DELETE_FAILED" or time.monotonic() > deadline:
                raise RuntimeError(f"it is {status}: {self.reasons()}")
            time.sleep(POLL_S)

    def delete_file_system(self, file_system):
        efs = self.clients("efs")
        for target in efs.describe_mount_targets(FileSystemId=file_system)["MountTargets"]:
            efs.delete_mount_target(MountTargetId=target["MountTargetId"])
        deadline = time.monotonic() + 300
        while efs.describe_mount_targets(FileSystemId=file_system)["MountTargets"]:
            if time.monotonic() > deadline:
                raise RuntimeError("its mount targets are still there after 300 s")
            time.sleep(POLL_S)
        for point in efs.describe_access_points(FileSystemId=file_system)["AccessPoints"]:
            efs.delete_access_point(AccessPointId=point["AccessPointId"])
        efs.delete_file_system(FileSystemId=file_system)
