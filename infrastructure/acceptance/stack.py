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
RANGE = "AWS::EC2::VPCCidrBlock"
ROUTE = {"AWS::EC2::Route"}


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


class Expressions:
    """What the template's expressions come to, with as many functions as the resources need that are made by API."""

    def __init__(self, template, parameters, resource):
        self.conditions, self.resource = template["Conditions"], resource
        self.parameters = {}
        for name, declared in template["Parameters"].items():
            given = parameters.get(name, declared.get("Default"))
            is_list = declared["Type"] == "CommaDelimitedList"
            self.parameters[name] = given.split(",") if is_list else given

    def holds(self, condition):
        return condition is None or self.value(self.conditions[condition])

    def value(self, expression):
        match expression:
            case {"Ref": "AWS::NoValue"}:
                return None
            case {"Ref": name}:
                return self.parameters[name] if name in self.parameters else self.resource(name, None)
            case {"Fn::GetAtt": [name, attribute]}:
                return self.resource(name, attribute)
            case {"Condition": name}:
                return self.holds(name)
            case {"Fn::If": [condition, yes, no]}:
                return self.value(yes if self.holds(condition) else no)
            case {"Fn::Select": [index, items]}:
                return self.value(items)[index]
            case {"Fn::Join": [between, items]}:
                return between.join(self.value(items))
            case {"Fn::Equals": [one, other]}:
                return str(self.value(one)) == str(self.value(other))
            case {"Fn::Not": [one]}:
                return not self.value(one)
            case {"Fn::And": parts}:
                return all(self.value(part) for part in parts)
            case dict():
                values = {key: self.value(item) for key, item in expression.items()}
                return {key: value for key, value in values.items() if value is not None}
            case list():
                return [value for value in map(self.value, expression) if value is not None]
        return expression


class Stack:
    def __init__(self, clients, name, template, parameters, emulated):
        self.clients, self.name, self.parameters, self.emulated = clients, name, parameters, emulated
        self.text = template.read_text()
        self.left_out, self.by_api = [], []
        # What the emulator's own API refused, by type, with its words.
        self.refused = {}
        self.outputs, self.made, self.by_id = {}, [], {}

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
        if RANGE in types:
            # No VPC has a range of IPv6 there, so no subnet gets a part of it.
            for resource in resources.values():
                for name in ("Ipv6CidrBlock", "AssignIpv6AddressOnCreation"):
                    resource["Properties"].pop(name, None)
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
        """What the emulator's CloudFormation lacks, with the properties that the template gives it."""
        template = yaml.load(self.text, _Loader)
        values = Expressions(template, self.parameters, self.resource)
        wanted = {name: resource for name, resource in sorted(removed.items())
                  if name not in NO_HOST and values.holds(resource.get("Condition"))}
        made = set()
        for kind, make in MAKERS.items():
            for name in [name for name in wanted if wanted[name]["Type"] == kind]:
                given = {key: value for key, value in wanted[name]["Properties"].items() if key != "Tags"}
                try:
                    self.by_id[name] = make(self, values.value(given))
                except ClientError as error:
                    self.refused[kind] = error.response["Error"]["Message"]
                else:
                    made.add(kind)
        self.make_routes({
            name: {"Type": resource["Type"], "Properties": values.value(resource["Properties"])}
            for name, resource in wanted.items() if resource["Type"] in ROUTE})
        for name, output in template["Outputs"].items():
            if mentions(output, set(wanted)) and values.holds(output.get("Condition")):
                self.outputs[name] = values.value(output["Value"])
        kinds = {resource["Type"] for resource in removed.values()}
        self.by_api, self.left_out = sorted(made), sorted(kinds - made - ROUTE)

    def resource(self, name, attribute):
        """The id of a resource, or one attribute of what was made by API."""
        made = self.by_id.get(name)
        if made is None:
            return self.physical(name)
        return made[attribute] if isinstance(made, dict) else made

    def make_address(self, _):
        address = self.clients("ec2").allocate_address(Domain="vpc")
        self.made.append(("address", address["AllocationId"]))
        return {None: address["PublicIp"], "AllocationId": address["AllocationId"]}

    def make_nat_gateway(self, given):
        gateway = self.clients("ec2").create_nat_gateway(**given)["NatGateway"]["NatGatewayId"]
        self.made.append(("nat gateway", gateway))
        return gateway

    def make_egress_only_gateway(self, given):
        answer = self.clients("ec2").create_egress_only_internet_gateway(**given)
        gateway = answer["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        self.made.append(("egress-only gateway", gateway))
        return gateway

    def make_range(self, given):
        self.clients("ec2").associate_vpc_cidr_block(**given)
        return given["VpcId"]

    def make_routes(self, routes):
        """In a stack of their own: CloudFormation knows routes, and they had to wait for their gateways."""
        if not routes:
            return
        cloudformation, name = self.clients("cloudformation"), f"{self.name}-routes"
        self.made.append(("stack", name))
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": routes}))
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": POLL_S, "MaxAttempts": 30})

    def make_rule(self, given):
        way = "ingress" if "SourceSecurityGroupId" in given else "egress"
        peer = given.get("SourceSecurityGroupId") or given["DestinationSecurityGroupId"]
        call = getattr(self.clients("ec2"), f"authorize_security_group_{way}")
        call(GroupId=given["GroupId"], IpPermissions=[{
            "IpProtocol": given["IpProtocol"], "FromPort": given["FromPort"], "ToPort": given["ToPort"],
            "UserIdGroupPairs": [{"GroupId": peer}]}])
        return given["GroupId"]

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
            elif kind == "egress-only gateway":
                attempt(f"the egress-only gateway {made}",
                        lambda: ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=made))
            elif kind == "stack":
                attempt(f"the stack {made}", lambda: self.clients("cloudformation").delete_stack(StackName=made))
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


# The types that an emulator may lack and that its API makes instead, in the order in which they need each other.
MAKERS = {
    RANGE: Stack.make_range,
    "AWS::EC2::EgressOnlyInternetGateway": Stack.make_egress_only_gateway,
    "AWS::EC2::EIP": Stack.make_address,
    "AWS::EC2::NatGateway": Stack.make_nat_gateway,
    "AWS::EC2::SecurityGroupIngress": Stack.make_rule,
    "AWS::EC2::SecurityGroupEgress": Stack.make_rule,
}
