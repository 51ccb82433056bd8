"""Prints the policies that the template gives to each role, as IAM would have them in one account: JSON, by the name
that `iam-policy --for` gives the holder. Every branch that a condition chooses is taken. By the name
"attached to the manager" it also prints the ARNs of all managed policies that the manager's role has.
"""

import json
import re
import sys
from pathlib import Path

from template_reader import Template

ACCOUNT, REGION = "123456789012", "eu-west-1"
PLACE = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": "ci"}
PARAMETERS = {"Name": "ci", "EcrRepositories": "team/*", "TaskDefinitionFamily": "fargate-runner-ci"}


def arn(service, resource, region=REGION):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


RESOURCES = {
    "Cluster.Arn": arn("ecs", "cluster/ci"),
    "ExecutionRole.Arn": arn("iam", "role/ci-execution", ""),
    "TaskRole.Arn": arn("iam", "role/ci-task", ""),
    "ManagerRole.Arn": arn("iam", "role/ci-manager", ""),
    "ManagerPolicy": arn("iam", "policy/ci-manager", ""),
    "CheckPolicy": arn("iam", "policy/ci-check", ""),
    "RegistrySecret": arn("secretsmanager", "secret:ci/registry-AbCdEf"),
    "FileSystem.Arn": arn("elasticfilesystem", "file-system/fs-0a1b2c3d4e5f60718"),
}
# Which policies of the template a holder of `iam-policy` has.
HOLDERS = {
    "manager": ["ManagerPolicy"],
    "check": ["CheckPolicy", "ReadOwnPolicies"],
    "execution": ["ExecutionRole/start-tasks"],
    "image-builder": ["ImageBuilderRole/push-images"],
    "infrastructure": ["InfrastructureRole/look-after"],
}


def named(name):
    for known in (PLACE, PARAMETERS, RESOURCES):
        if name in known:
            return known[name]
    return "{" + name + "}"


def resolved(value):
    if isinstance(value, list):
        return [item for item in map(resolved, value) if item is not None]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        function, given = next(iter(value.items()))
        if function == "Ref":
            return None if given == "AWS::NoValue" else named(given)
        if function == "Fn::GetAtt":
            return named(given)
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda found: named(found[1]), given)
        if function == "Fn::If":
            return resolved(given[1])
    return {key: resolved(item) for key, item in value.items()}


def document(template, place):
    logical_id, _, inline = place.partition("/")
    properties = template.resources[logical_id]["Properties"]
    if not inline:
        return properties["PolicyDocument"]
    (policy,) = [one for one in properties["Policies"] if one["PolicyName"] == inline]
    return policy["PolicyDocument"]


def attached_to_manager(template):
    found = resolved(template.resources["ManagerRole"]["Properties"].get("ManagedPolicyArns", []))
    for logical_id, resource in template.resources.items():
        roles = resource.get("Properties", {}).get("Roles", [])
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": "ManagerRole"} in roles:
            found.append(named(logical_id))
    return found


def main():
    template = Template(Path(sys.argv[1]))
    policies = {}
    for holder, places in HOLDERS.items():
        policies[holder] = [row for place in places for row in resolved(document(template, place))["Statement"]]
    policies["attached to the manager"] = attached_to_manager(template)
    json.dump(policies, sys.stdout)


main()
