"""Compares the Terraform module with the CloudFormation template: inputs, outputs, resources, properties, rights.

    compare.py TEMPLATE MODULE BOOTSTRAP

Prints a JSON list of differences. A property of the template that no rule compares is a difference as well, so
nothing is left out in silence. It runs neither tool.
"""

import json
import pathlib
import re
import sys

from module_reader import Module
from template_reader import Template, literal, snake

# Property of the template -> attribute of the module, by dots below blocks. `None`: compared
# elsewhere in this file.
TYPES = {
    "AWS::EC2::VPC": ("aws_vpc", {
        "CidrBlock": "cidr_block", "EnableDnsSupport": "enable_dns_support",
        "EnableDnsHostnames": "enable_dns_hostnames", "Tags": "tags"}),
    "AWS::EC2::InternetGateway": ("aws_internet_gateway", {"Tags": "tags"}),
    "AWS::EC2::EgressOnlyInternetGateway": ("aws_egress_only_internet_gateway", {"VpcId": "vpc_id"}),
    "AWS::EC2::RouteTable": ("aws_route_table", {"VpcId": "vpc_id", "Tags": "tags"}),
    "AWS::EC2::Route": ("aws_route", {
        "RouteTableId": "route_table_id", "DestinationCidrBlock": "destination_cidr_block",
        "DestinationIpv6CidrBlock": "destination_ipv6_cidr_block", "GatewayId": "gateway_id",
        "NatGatewayId": "nat_gateway_id", "EgressOnlyInternetGatewayId": "egress_only_gateway_id"}),
    "AWS::EC2::Subnet": ("aws_subnet", {
        "VpcId": "vpc_id", "AvailabilityZone": "availability_zone", "CidrBlock": "cidr_block",
        "MapPublicIpOnLaunch": "map_public_ip_on_launch", "Ipv6CidrBlock": "ipv6_cidr_block",
        "AssignIpv6AddressOnCreation": "assign_ipv6_address_on_creation", "Tags": "tags"}),
    "AWS::EC2::SubnetRouteTableAssociation": ("aws_route_table_association", {
        "SubnetId": "subnet_id", "RouteTableId": "route_table_id"}),
    "AWS::EC2::EIP": ("aws_eip", {"Domain": "domain", "Tags": "tags"}),
    "AWS::EC2::NatGateway": ("aws_nat_gateway", {
        "AllocationId": "allocation_id", "SubnetId": "subnet_id", "Tags": "tags"}),
    "AWS::EC2::VPCEndpoint": ("aws_vpc_endpoint", {
        "VpcId": "vpc_id", "VpcEndpointType": "vpc_endpoint_type", "ServiceName": "service_name",
        "RouteTableIds": "route_table_ids"}),
    "AWS::EC2::SecurityGroup": ("aws_security_group", {
        "GroupDescription": "description", "VpcId": "vpc_id", "Tags": "tags", "SecurityGroupEgress": None}),
    "AWS::ECS::Cluster": ("aws_ecs_cluster", {
        "ClusterName": "name", "CapacityProviders": "aws_ecs_cluster_capacity_providers:capacity_providers",
        "DefaultCapacityProviderStrategy":
            "aws_ecs_cluster_capacity_providers:default_capacity_provider_strategy"}),
    "AWS::Logs::LogGroup": ("aws_cloudwatch_log_group", {
        "LogGroupName": "name", "RetentionInDays": "retention_in_days"}),
    "AWS::SecretsManager::Secret": ("aws_secretsmanager_secret", {"Name": "name", "Description": "description"}),
    "AWS::EFS::FileSystem": ("aws_efs_file_system", {
        "Encrypted": "encrypted", "PerformanceMode": "performance_mode", "ThroughputMode": "throughput_mode",
        "LifecyclePolicies": "lifecycle_policy", "BackupPolicy": "aws_efs_backup_policy:backup_policy",
        "FileSystemPolicy": None, "FileSystemTags": "tags"}),
    "AWS::EFS::MountTarget": ("aws_efs_mount_target", {
        "FileSystemId": "file_system_id", "SubnetId": "subnet_id", "SecurityGroups": "security_groups"}),
    "AWS::IAM::Role": ("aws_iam_role", {
        "Description": "description", "AssumeRolePolicyDocument": None, "Policies": None,
        "ManagedPolicyArns": None}),
    "AWS::IAM::ManagedPolicy": ("aws_iam_policy", {
        "Description": "description", "PolicyDocument": None, "Roles": None}),
    "AWS::IAM::Policy": ("aws_iam_role_policy", {"PolicyName": "name", "PolicyDocument": None, "Roles": "role"}),
    "AWS::IAM::InstanceProfile": ("aws_iam_instance_profile", {"Roles": "role"}),
    "AWS::SSM::Parameter": ("aws_ssm_parameter", {
        "Name": "name", "Type": "type", "Description": "description", "Value": None}),
    "AWS::EC2::LaunchTemplate": ("aws_launch_template", {
        "LaunchTemplateData.ImageId": "image_id", "LaunchTemplateData.InstanceType": "instance_type",
        "LaunchTemplateData.IamInstanceProfile": "iam_instance_profile",
        "LaunchTemplateData.MetadataOptions": "metadata_options",
        "LaunchTemplateData.NetworkInterfaces": "network_interfaces",
        "LaunchTemplateData.BlockDeviceMappings": "block_device_mappings",
        "LaunchTemplateData.TagSpecifications": "tag_specifications", "LaunchTemplateData.UserData": None}),
    "AWS::EC2::Instance": ("aws_instance", {"LaunchTemplate": "launch_template"}),
    # A range that is added is one resource in the template, whatever it adds.
    "AWS::EC2::VPCCidrBlock": ("aws_vpc_ipv4_cidr_block_association", {
        "VpcId": "vpc_id", "CidrBlock": "cidr_block"}),
}
# Resources of one side that are a property of another resource on the other side.
ONLY_TEMPLATE = {
    "ipv6_range": ("aws_vpc", "vpc", "assign_generated_ipv6_cidr_block"),
    "internet_gateway_attachment": ("aws_internet_gateway", "internet_gateway", "vpc_id"),
}
RULES = {"aws_vpc_security_group_ingress_rule": "in", "aws_vpc_security_group_egress_rule": "out"}
# A statement of the template alone, by its Sid: with Terraform there is no stack that anybody could ask for.
ONLY_TEMPLATE_STATEMENTS = {"ReadStack"}
# Literals that one side alone has to say, because of how the tool works.
TAG_WORDS = {"Name", "fargate-runner:range", "vpc", "res:added_range", "res:ipv6_range"}
NOTHING_OUT = ("file_system_group", "out", "icmp", "252", "86", "255.255.255.255/32")


class Comparison:
    def __init__(self, template, module, bootstrap):
        self.template, self.module, self.bootstrap = template, module, bootstrap
        self.differences = []
        self.seen = set()

    def differs(self, what, one, other):
        self.differences.append(f"{what}: the template has {one!r}, the module has {other!r}")

    def same(self, what, one, other):
        if one != other:
            self.differs(what, one, other)

    def body(self, kind, name):
        self.seen.add((kind, name))
        found = self.module.resources.get((kind, name))
        if found is None:
            self.differences.append(f"{kind}.{name}: the module does not have it")
        return found

    def attribute(self, body, path):
        for part in path.split("."):
            body = body.get(part) if isinstance(body, dict) else None
        return body

    def compare_inputs(self):
        expected = {snake(name): body for name, body in self.template.parameters.items()}
        self.same("inputs", sorted(expected), sorted(self.module.variables))
        for name in sorted(set(expected) & set(self.module.variables)):
            one, other = expected[name], self.module.variables[name]
            self.same(f"default of {name}", self.default(one), self.module_default(other))
            self.same(f"limits of {name}", self.limits(one), self.module_limits(other, name))

    @staticmethod
    def default(parameter):
        given = parameter.get("Default")
        if parameter["Type"] == "CommaDelimitedList":
            return []
        return None if given is None else literal(given)

    @staticmethod
    def module_default(variable):
        given = variable.get("default")
        if isinstance(given, list):
            return given
        return None if given is None else literal(given.strip('"') if isinstance(given, str) else given)

    @staticmethod
    def limits(parameter):
        if parameter.get("AllowedValues") == ["true", "false"]:
            return "bool"
        if "AllowedValues" in parameter:
            return sorted(map(str, parameter["AllowedValues"]))
        if "AllowedPattern" in parameter:
            return parameter["AllowedPattern"]
        if "MinValue" in parameter:
            return [str(parameter["MinValue"]), str(parameter["MaxValue"])]
        return "not empty" if parameter.get("MinLength") == 1 else None

    @staticmethod
    def module_limits(variable, name):
        if variable["type"] == "bool":
            return "bool"
        for validation in variable.get("validation", []):
            condition = validation["condition"]
            if found := re.search(r"contains\(\[(.*)\], ", condition):
                return sorted(item.strip().strip('"') for item in found[1].split(","))
            if found := re.search(r'regex\("\^\(\?:(.*)\)\$", ', condition):
                return found[1].replace("\\\\", "\\")
            if found := re.search(rf"var\.{name} >= (\d+) && var\.{name} <= (\d+)", condition):
                return [found[1], found[2]]
            if re.search(rf"length\(var\.{name}\) >= 1", condition):
                return "not empty"
        return None

    def compare_outputs(self):
        expected = {snake(name): body["Value"] for name, body in self.template.outputs.items()}
        self.same("outputs", sorted(expected), sorted(self.module.outputs))
        for name in sorted(set(expected) & set(self.module.outputs)):
            one = self.template.atoms(expected[name])
            self.same(f"output {name}", sorted(one), sorted(self.module.atoms(self.module.outputs[name]["value"])))

    def compare_resources(self):
        groups = self.template.groups()
        for name, group in groups.items():
            if name in ONLY_TEMPLATE:
                kind, other, attribute = ONLY_TEMPLATE[name]
                body = self.body(kind, other) or {}
                if attribute not in body:
                    self.differences.append(f"{kind}.{other}: `{attribute}` is missing, for {name}")
                continue
            if group["type"] in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"):
                continue
            kind, rules = TYPES[group["type"]]
            body = self.body(kind, name)
            if body is None:
                continue
            decided_by = self.module.inputs_of(body.get("count", ""))
            self.same(f"what decides whether {kind}.{name} is there", sorted(group["decided_by"]), sorted(decided_by))
            self.compare_properties(kind, name, group["each"], rules, body)

    def compare_properties(self, kind, name, each, rules, body):
        given = {}
        for properties in each:
            for key, value in properties.items():
                parts = value.items() if key == "LaunchTemplateData" else [(None, value)]
                for below, item in parts:
                    path = key if below is None else f"{key}.{below}"
                    given[path] = given.get(path, set()) | self.template.atoms(item)
        for path, atoms in given.items():
            if path not in rules:
                self.differences.append(f"{kind}.{name}: no rule compares the property {path}")
                continue
            where = rules[path]
            if where is None:
                continue
            source = body
            if ":" in where:
                other, where = where.split(":")
                source = self.body(other, name) or {}
            found = self.module.atoms(self.attribute(source, where))
            one, other = self.settled(path, atoms), self.settled(path, found)
            self.same(f"{kind}.{name} {path}", sorted(one), sorted(other))

    @staticmethod
    def settled(path, atoms):
        if path.endswith("Tags") or path.endswith("TagSpecifications"):
            # The number of a zone is counted on one side and written on the other.
            plain = {re.sub(r"-(\d|\{\})$", "", atom) for atom in atoms - TAG_WORDS}
            return {atom for atom in plain if not atom.isdigit()}
        if path == "AssignIpv6AddressOnCreation":
            # A condition on one side, its branch on the other.
            return set()
        if path == "NatGatewayId":
            # Which of them is counted on one side.
            return {atom for atom in atoms if atom.startswith("res:")}
        if path in ("Ipv6CidrBlock", "LaunchTemplate"):
            return {atom for atom in atoms if ":" in atom and not atom.startswith("::")}
        if path == "CidrBlock":
            return {atom for atom in atoms if atom.startswith("var:")}
        return atoms

    def compare_rules(self):
        expected = set()
        for name, group in self.template.groups().items():
            for properties in group["each"]:
                if group["type"] == "AWS::EC2::SecurityGroup":
                    for rule in properties.get("SecurityGroupEgress", []):
                        while "Fn::If" in rule:
                            rule = rule["Fn::If"][1]
                        expected.add(self.rule(name, "out", rule))
                elif group["type"] == "AWS::EC2::SecurityGroupIngress":
                    expected.add(self.rule(self.only(properties["GroupId"]), "in", properties))
                elif group["type"] == "AWS::EC2::SecurityGroupEgress":
                    expected.add(self.rule(self.only(properties["GroupId"]), "out", properties))
        expected.discard(NOTHING_OUT)
        found = set()
        for (kind, name), body in self.module.resources.items():
            if kind in RULES:
                self.seen.add((kind, name))
                found.add(self.module_rule(RULES[kind], body))
        for rule in sorted(expected - found):
            self.differences.append(f"rule of a group: the module lacks {rule}")
        for rule in sorted(found - expected):
            self.differences.append(f"rule of a group: the template lacks {rule}")

    def only(self, value):
        (atom,) = self.template.atoms(value)
        return atom.removeprefix("res:")

    def rule(self, group, way, rule):
        peer = next(rule[key] for key in ("CidrIp", "CidrIpv6", "SourceSecurityGroupId", "DestinationSecurityGroupId") if key in rule)
        peer = peer if isinstance(peer, str) else self.only(peer)
        return (group, way, str(rule["IpProtocol"]), str(rule["FromPort"]), str(rule["ToPort"]), peer)

    def module_rule(self, way, body):
        def one(key):
            (atom,) = self.module.atoms(body[key])
            return atom.removeprefix("res:")

        peer = next(one(key) for key in ("cidr_ipv4", "cidr_ipv6", "referenced_security_group_id") if key in body)
        return (one("security_group_id"), way, one("ip_protocol"), one("from_port"), one("to_port"), peer)

    def compare_rights(self):
        for logical_id, resource in self.template.resources.items():
            name, properties = snake(logical_id), resource.get("Properties", {})
            if resource["Type"] == "AWS::IAM::Role":
                self.compare_document(f"trust of {name}", properties["AssumeRolePolicyDocument"],
                                      "aws_iam_role", name, "assume_role_policy")
                for policy in properties.get("Policies", []):
                    inline = policy["PolicyName"].replace("-", "_")
                    self.compare_document(f"rights of {name} ({inline})", policy["PolicyDocument"],
                                          "aws_iam_role_policy", inline, "policy")
                    attached = self.module.resources.get(("aws_iam_role_policy", inline), {})
                    self.same(f"role of {inline}", [f"res:{name}"], sorted(self.module.atoms(attached.get("role"))))
                for given in properties.get("ManagedPolicyArns", []):
                    self.compare_attachment(self.only(given), name)
            elif resource["Type"] == "AWS::IAM::ManagedPolicy":
                self.compare_document(f"rights in {name}", properties["PolicyDocument"], "aws_iam_policy", name, "policy")
                for role in properties.get("Roles", []):
                    self.compare_attachment(name, self.only(role))
            elif resource["Type"] == "AWS::IAM::Policy":
                self.compare_document(f"rights in {name}", properties["PolicyDocument"], "aws_iam_role_policy", name, "policy")
            elif resource["Type"] == "AWS::EFS::FileSystem":
                self.compare_document("policy of the file system", properties["FileSystemPolicy"],
                                      "aws_efs_file_system_policy", name, "policy")

    def compare_attachment(self, policy, role):
        body = self.body("aws_iam_role_policy_attachment", policy) or {}
        found = sorted(self.module.atoms(body.get("role")) | self.module.atoms(body.get("policy_arn")))
        self.same(f"who has {policy}", sorted([f"res:{role}", f"res:{policy}"]), found)

    def compare_document(self, what, document, kind, name, attribute):
        body = self.body(kind, name)
        if body is None:
            return
        one, other = self.template.document(document), self.module.document(body[attribute])
        one = [it for it in one if json.loads(it[0]).get("Sid") not in ONLY_TEMPLATE_STATEMENTS]
        for statement in one:
            if statement not in other:
                self.differences.append(f"{what}: the module lacks {statement}")
        for statement in other:
            if statement not in one:
                self.differences.append(f"{what}: the template lacks {statement}")

    def compare_parameter(self):
        value = self.template.resources["OutputsParameter"]["Properties"]["Value"]["Fn::Sub"]
        text, given = value
        rows = re.findall(r'"(\w+)": "([^"]*)"', text)
        outputs = self.module.locals["import_outputs"]
        outputs = {key.strip('"'): item for key, item in outputs.items() if not key.startswith("__")}
        self.same("names in the parameter with the outputs", sorted(name for name, _ in rows), sorted(outputs))
        for name, source in rows:
            inner = source[2:-1] if source.startswith("${") else None
            if inner is None:
                atoms = {source}
            else:
                atoms = self.template.atoms(given[inner]) if inner in given else {self.template.name_atom(inner)}
            self.same(f"parameter with the outputs, {name}", sorted(atoms), sorted(self.module.atoms(outputs.get(name))))

    def compare_user_data(self):
        data = self.template.resources["ManagerTemplate"]["Properties"]["LaunchTemplateData"]
        header, script = data["UserData"]["Fn::Base64"]["Fn::Join"][1]
        if script.rstrip("\n") != self.bootstrap.rstrip("\n"):
            self.differences.append("the script in UserData of the template is not manager/bootstrap.sh")
        if "${" in script:
            self.differences.append("manager/bootstrap.sh has ${, which both tools would replace")
        body = self.module.resources[("aws_launch_template", "manager_template")]["user_data"]
        if 'file("${path.module}/../manager/bootstrap.sh")' not in body.replace("\\", ""):
            self.differences.append("user_data of the module does not read manager/bootstrap.sh")
        one = set(re.findall(r'^(\w+)="(.*)"$', self.template.normal_text(header["Fn::Sub"][0]), re.M))
        lines = re.findall(r'(\w+)="([^"\n]*)"', body.replace('\\"', '"'))
        other = {(name, self.module.normal_text(text)) for name, text in lines}
        self.same("variables of bootstrap.sh", sorted(one), sorted(other))

    def run(self):
        self.compare_inputs()
        self.compare_outputs()
        self.compare_resources()
        self.compare_rules()
        self.compare_rights()
        self.compare_parameter()
        self.compare_user_data()
        for kind, name in sorted(set(self.module.resources) - self.seen):
            self.differences.append(f"{kind}.{name}: the template does not have it")
        return self.differences


def main():
    template, module, bootstrap = map(pathlib.Path, sys.argv[1:4])
    comparison = Comparison(Template(template), Module(module), bootstrap.read_text())
    print(json.dumps(comparison.run(), indent=1))


if __name__ == "__main__":
    main()
