"""Plays all operations of a local cloud through boto3 and judges every byte by botocore's models.

Started by tests/tests/local_cloud_api.rs, which also sets the faults that `faults` expects, in its
order. The endpoint is the first argument; LOCAL_CLOUD_SESSION and LOCAL_CLOUD_EXPIRED each hold
"key secret token" of credentials that the cloud issued.
"""

import json
import os
import sys
import traceback
import urllib.parse

import boto3
import botocore.exceptions
import botocore.httpsession
import botocore.session
from botocore.config import Config

import account_calls
import efs_calls
import network_calls
import parameter_calls
import registry_calls
import secret_calls
from walker import walk_exchange
from xml_walker import walk_xml

ECS_OPERATIONS = {
    "RunTask", "DescribeTasks", "ListTasks", "StopTask", "RegisterTaskDefinition",
    "DescribeTaskDefinition", "DeregisterTaskDefinition", "DeleteTaskDefinitions",
    "ListTaskDefinitions", "ListTaskDefinitionFamilies", "TagResource", "UntagResource",
    "ListTagsForResource", "CreateCluster", "DescribeClusters", "ListClusters", "DeleteCluster",
    "PutClusterCapacityProviders", "DescribeCapacityProviders",
}
# Each service by its name at botocore: what its target begins with (None for REST), its operations, and
# an operation that needs no members.
SERVICES = {
    "ecs": ("AmazonEC2ContainerServiceV20141113", ECS_OPERATIONS, "list_clusters"),
    "efs": (None, efs_calls.OPERATIONS, "describe_file_systems"),
    "secretsmanager": ("secretsmanager", secret_calls.OPERATIONS, "list_secrets"),
    "ssm": ("AmazonSSM", parameter_calls.OPERATIONS, "describe_parameters"),
    "ecr": (
        "AmazonEC2ContainerRegistry_V20150921", registry_calls.OPERATIONS,
        "describe_repositories"),
    "logs": ("Logs_20140328", account_calls.LOG_OPERATIONS, "describe_log_groups"),
    "service-quotas": ("ServiceQuotasV20190624", account_calls.QUOTA_OPERATIONS, None),
    "ec2": (None, network_calls.OPERATIONS, "describe_vpcs"),
    "iam": (None, account_calls.IAM_OPERATIONS, None),
}
# The services that are asked by a form and answer in XML, by their versions.
FORMS = {"2016-11-15": "ec2", "2010-05-08": "iam"}
# Operations that no request of right types makes fail.
NEVER_REFUSED = {"DescribeClusters", "ListClusters", "DescribeCapacityProviders"}
# Parts of requests that the local cloud does not play, and so does not look into.
OPAQUE = {("RunTaskRequest", "volumeConfigurations")}
REGION = "eu-west-1"
NETWORK = {
    "awsvpcConfiguration": {
        "subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"],
        "securityGroups": ["sg-0c3d4e5f60718293b"],
        "assignPublicIp": "DISABLED",
    }
}
SOON = {"Delay": 0.1, "MaxAttempts": 100}

endpoint = sys.argv[1]
models = {name: botocore.session.get_session().get_service_model(name) for name in SERVICES}
findings = []
answered = {}
exchanges = 0
# The operation and the members of the request to EFS that is about to be sent.
asked_of_efs = None
# The file system and the access point that tasks mount.
mounted = None


def capture():
    """Sends every request as boto3 does, and walks what went out and came back."""
    send = botocore.httpsession.URLLib3Session.send

    def captured(self, request):
        global exchanges
        response = send(self, request)
        status = response.status_code
        exchanges += 1
        kind_asked = as_text(request.headers.get("Content-Type") or "")
        if kind_asked.startswith("application/x-www-form"):
            note_form(request, response)
            return response
        if "X-Amz-Target" in request.headers:
            target, operation = request.headers["X-Amz-Target"].decode().split(".")
            name = next(name for name, (own, _, _) in SERVICES.items() if own == target)
            asked, wanted = json.loads(request.body), "application/x-amz-json-1.1"
            answer = json.loads(response.content)
        else:
            (operation, asked), name, wanted = asked_of_efs, "efs", "application/json"
            answer = json.loads(response.content or "{}")
            if status >= 300:
                answer["__type"] = response.headers.get("x-amzn-ErrorType")
                code = answer.get("ErrorCode")
                expect(code == answer["__type"], f"{operation}: the header names no {code}")
            succeeded = models[name].operation_model(operation).http["responseCode"]
            expect(status in (succeeded, *range(300, 600)), f"{operation}: status {status}")
        outcome = 200 if status < 300 else answer["__type"]
        answered.setdefault((name, operation), set()).add(outcome)
        findings.extend(walk_exchange(models[name], operation, asked, status, answer))
        expect(response.headers.get("x-amzn-RequestId"), f"{operation}: no request id")
        kind = response.headers.get("Content-Type")
        expect(kind == wanted, f"{operation}: content type {kind}")
        return response

    botocore.httpsession.URLLib3Session.send = captured


def note_form(request, response):
    """Walks an answer in XML."""
    members = dict(urllib.parse.parse_qsl(request.body))
    members = {as_text(key): as_text(value) for key, value in members.items()}
    name, operation = FORMS[members["Version"]], members["Action"]
    code, wrong = walk_xml(models[name], operation, response.status_code, response.content)
    answered.setdefault((name, operation), set()).add(code)
    findings.extend(wrong)


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def remember_members(caller):
    """Notes the members of each request to EFS: on the wire they stand in path, query and body."""
    def note(params, model, **_):
        global asked_of_efs
        asked_of_efs = (model.name, params)

    caller.meta.events.register("before-parameter-build.efs", note)


def expect(holds, what):
    if not holds:
        findings.append(what)


def client(key="test", secret="test", token=None, region=REGION, name="ecs"):
    return boto3.client(
        name, endpoint_url=endpoint, region_name=region, aws_access_key_id=key,
        aws_secret_access_key=secret, aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def refused(kind, call, **arguments):
    """Expects the call to raise the client's exception class of that name; the exception."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        expect(type(error).__name__ == kind, f"{call.__name__}: {error!r} is no {kind}")
        return error
    findings.append(f"{call.__name__} did not raise {kind}")
    return None


def code_of(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def clusters(ecs):
    made = ecs.create_cluster(
        clusterName="conformance", tags=[{"key": "a", "value": "1"}],
        settings=[{"name": "containerInsights", "value": "enabled"}],
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[
            {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
            {"capacityProvider": "FARGATE_SPOT", "weight": 4},
        ],
        configuration={"executeCommandConfiguration": {"logging": "NONE"}},
    )["cluster"]
    again = ecs.create_cluster(clusterName="conformance")["cluster"]
    expect(made == again, "CreateCluster of a cluster that exists does not answer it as it is")
    everything = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"]
    shown = ecs.describe_clusters(clusters=["conformance", made["clusterArn"]], include=everything)
    expect(len(shown["clusters"]) == 2, "DescribeClusters by name and by ARN")
    expect(shown["clusters"][0]["tags"] == [{"key": "a", "value": "1"}], "tags of the cluster")
    hidden = ecs.describe_clusters(clusters=["conformance"])["clusters"][0]
    expect(hidden["tags"] == [], "tags without include")
    missing = ecs.describe_clusters(clusters=["none"])
    expect(missing["failures"][0]["reason"] == "MISSING", "a missing cluster")
    ecs.put_cluster_capacity_providers(
        cluster="conformance", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    pages = ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1})
    names = [arn for page in pages for arn in page["clusterArns"]]
    expect(len(names) == 2, f"two clusters page by page: {names}")
    refused("ClusterNotFoundException", ecs.delete_cluster, cluster="none")
    refused("InvalidParameterException", ecs.create_cluster, clusterName="a b")
    refused("InvalidParameterException", ecs.put_cluster_capacity_providers,
            cluster="conformance", capacityProviders=["nope"], defaultCapacityProviderStrategy=[])
    gone = ecs.delete_cluster(cluster="conformance")["cluster"]
    expect(gone["status"] == "INACTIVE", "a deleted cluster")


def rich_definition():
    """Uses as many members as Fargate allows. The secret is one that secret_calls.py leaves behind, the
    file system and the access point are those of efs_calls.py."""
    file_system, access_point = mounted
    role = "arn:aws:iam::123456789012:role/ci"
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry"
    return {
        "family": "rich", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "1 vCPU", "memory": "2 GB", "taskRoleArn": role, "executionRoleArn": role,
        "ephemeralStorage": {"sizeInGiB": 30}, "pidMode": "task",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "tags": [{"key": "team", "value": "ci"}],
        "volumes": [
            {"name": "scratch"},
            {"name": "shared", "efsVolumeConfiguration": {
                "fileSystemId": file_system, "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": access_point, "iam": "ENABLED"},
            }},
        ],
        "containerDefinitions": [
            {
                "name": "job", "image": "registry.example/job:1", "cpu": 512, "memory": 1024,
                "memoryReservation": 512, "essential": True, "command": ["sleep", "60"],
                "repositoryCredentials": {"credentialsParameter": secret},
                "portMappings": [{"containerPort": 22}],
                "environment": [{"name": "A", "value": "1"}],
                "secrets": [{"name": "TOKEN", "valueFrom": secret}],
                "mountPoints": [
                    {"sourceVolume": "scratch", "containerPath": "/scratch"},
                    {"sourceVolume": "shared", "containerPath": "/mnt/shared", "readOnly": True},
                ],
                "linuxParameters": {
                    "initProcessEnabled": True, "capabilities": {"add": ["SYS_PTRACE"]}},
                "dependsOn": [{"containerName": "side", "condition": "START"}],
                "startTimeout": 30, "stopTimeout": 2, "user": "0", "workingDirectory": "/",
                "dockerLabels": {"l": "v"}, "readonlyRootFilesystem": False,
                "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 65535}],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
                "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5},
                "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}],
                "interactive": False, "pseudoTerminal": False, "hostname": "job",
            },
            {"name": "side", "image": "registry.example/side:1", "essential": False,
             "command": ["sleep", "60"], "stopTimeout": 2},
        ],
    }


def definitions(ecs):
    made = ecs.register_task_definition(**rich_definition())
    first = made["taskDefinition"]
    expect((first["cpu"], first["memory"]) == ("1024", "2048"), "the size is normalised")
    expect(first["revision"] == 1 and first["status"] == "ACTIVE", "the first revision")
    expect(made["tags"] == [{"key": "team", "value": "ci"}], "tags beside the definition")
    for _ in range(2):
        ecs.register_task_definition(**rich_definition())
    shown = ecs.describe_task_definition(taskDefinition="rich", include=["TAGS"])
    expect(shown["taskDefinition"]["revision"] == 3, "a family means its latest revision")
    expect(shown["tags"] == [{"key": "team", "value": "ci"}], "tags on request")
    kept = ecs.describe_task_definition(taskDefinition="rich:1")["taskDefinition"]
    expect(kept == first, "a revision is shown as it was registered")
    pages = ecs.get_paginator("list_task_definitions")
    pages = pages.paginate(familyPrefix="rich", sort="DESC", PaginationConfig={"PageSize": 1})
    arns = [arn.rsplit(":", 1)[1] for page in pages for arn in page["taskDefinitionArns"]]
    expect(arns == ["3", "2", "1"], f"revisions downwards: {arns}")
    families = ecs.get_paginator("list_task_definition_families")
    pages = families.paginate(status="ACTIVE", PaginationConfig={"PageSize": 1})
    names = [name for page in pages for name in page["families"]]
    expect(names == ["ci-job", "rich"], f"families: {names}")
    dropped = ecs.deregister_task_definition(taskDefinition="rich:2")["taskDefinition"]
    expect(dropped["status"] == "INACTIVE", "a deregistered revision")
    deleted = ecs.delete_task_definitions(taskDefinitions=["rich:2", "rich:1", "rich:9"])
    expect(len(deleted["taskDefinitions"]) == 1, "one revision was INACTIVE")
    expect(len(deleted["failures"]) == 2, "two could not be deleted")
    refused("ClientException", ecs.describe_task_definition, taskDefinition="none")
    refused("ClientException", ecs.deregister_task_definition, taskDefinition="rich")
    refused("InvalidParameterException", ecs.delete_task_definitions, taskDefinitions=["rich"])
    refused("InvalidParameterException", ecs.list_task_definitions, maxResults=101)
    refused("InvalidParameterException", ecs.list_task_definition_families, nextToken="x")
    wrong = rich_definition() | {"memory": "1024"}
    refused("ClientException", ecs.register_task_definition, **wrong)


def run(ecs, **more):
    arguments = {
        "cluster": "ci", "taskDefinition": "rich", "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
    }
    arguments.update(more)
    return ecs.run_task(**{name: value for name, value in arguments.items() if value is not None})


def tasks(ecs):
    environment = [{"name": "SEED", "value": "5eed"}]
    answer = run(
        ecs, count=2, startedBy="owner-1", clientToken="token-1", platformVersion="LATEST",
        propagateTags="TASK_DEFINITION", enableECSManagedTags=True, enableExecuteCommand=True,
        group="g", tags=[{"key": "own", "value": "yes"}],
        overrides={
            "containerOverrides": [{"name": "job", "environment": environment, "cpu": 256}],
            "cpu": "2048", "memory": "4096", "ephemeralStorage": {"sizeInGiB": 25},
        },
    )
    expect(answer["failures"] == [], "failures is there and empty")
    arns = [task["taskArn"] for task in answer["tasks"]]
    expect([task["lastStatus"] for task in answer["tasks"]] == ["PROVISIONING"] * 2, "the start")
    ecs.get_waiter("tasks_running").wait(cluster="ci", tasks=arns, WaiterConfig=SOON)
    shown = ecs.describe_tasks(cluster="ci", tasks=arns, include=["TAGS"])["tasks"]
    task = shown[0]
    keys = {tag["key"] for tag in task["tags"]}
    expect(keys == {"own", "team", "aws:ecs:clusterName"}, f"tags: {keys}")
    expect((task["cpu"], task["memory"]) == ("2048", "4096"), "the overridden size")
    expect(task["platformVersion"] == "1.4.0" and task["startedBy"] == "owner-1", "the task")
    expect([c["name"] for c in task["containers"]] == ["job", "side"], "all containers")
    details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
    interface = task["containers"][0]["networkInterfaces"][0]
    expect(len(details) == 5, f"details of the attachment: {details}")
    expect(details["privateIPv4Address"] == interface["privateIpv4Address"], "one address")
    addresses = {t["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for t in shown}
    expect(len(addresses) == 2, "two addresses")
    pages = ecs.get_paginator("list_tasks")
    pages = pages.paginate(cluster="ci", startedBy="owner-1", PaginationConfig={"PageSize": 1})
    listed = [arn for page in pages for arn in page["taskArns"]]
    expect(sorted(listed) == sorted(arns), "tasks by startedBy, page by page")
    for filters in ({"family": "rich"}, {"launchType": "FARGATE"}, {"desiredStatus": "RUNNING"}):
        found = ecs.list_tasks(cluster="ci", **filters)["taskArns"]
        expect(sorted(found) == sorted(arns), f"tasks by {filters}")
    for filters in ({"family": "x"}, {"launchType": "EC2"}, {"desiredStatus": "STOPPED"}):
        found = ecs.list_tasks(cluster="ci", **filters)["taskArns"]
        expect(not set(found) & set(arns), f"none by {filters}")
    tags(ecs, arns[0])
    refused("ClusterContainsTasksException", ecs.delete_cluster, cluster="ci")
    for arn in arns:
        told = ecs.stop_task(cluster="ci", task=arn, reason="enough")["task"]
        expect(told["desiredStatus"] == "STOPPED", "StopTask's answer")
    ecs.get_waiter("tasks_stopped").wait(cluster="ci", tasks=arns, WaiterConfig=SOON)
    task = ecs.describe_tasks(cluster="ci", tasks=[arns[0].rsplit("/", 1)[1]])["tasks"][0]
    expect(task["stopCode"] == "UserInitiated" and task["stoppedReason"] == "enough", "the stop")
    expect(task["containers"][0]["exitCode"] == 137, f"SIGKILL ends it: {task['containers']}")
    expect(task["attachments"][0]["status"] == "DELETED", "the attachment at the end")
    expect(task["tags"] == [], "tags without include")
    order = [task[name] for name in ("createdAt", "connectivityAt", "pullStartedAt",
             "pullStoppedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt")]
    expect(order == sorted(order), f"timestamps in order: {order}")
    again = ecs.stop_task(cluster="ci", task=arns[0])["task"]
    expect(again["stoppedReason"] == "enough", "a second StopTask changes nothing")
    try:
        ecs.get_waiter("tasks_running").wait(cluster="ci", tasks=arns, WaiterConfig=SOON)
        findings.append("the waiter takes a stopped task for a running one")
    except botocore.exceptions.WaiterError:
        pass


def tags(ecs, arn):
    definition = ecs.describe_task_definition(taskDefinition="rich")["taskDefinition"]
    cluster = ecs.describe_clusters(clusters=["ci"])["clusters"][0]["clusterArn"]
    for resource in (arn, definition["taskDefinitionArn"], cluster):
        ecs.tag_resource(resourceArn=resource, tags=[{"key": "new", "value": "1"}])
        listed = ecs.list_tags_for_resource(resourceArn=resource)["tags"]
        expect({"key": "new", "value": "1"} in listed, f"the tag of {resource}")
        ecs.untag_resource(resourceArn=resource, tagKeys=["new"])
        listed = ecs.list_tags_for_resource(resourceArn=resource)["tags"]
        expect("new" not in [tag["key"] for tag in listed], f"no tag of {resource}")
    gone = arn[:-32] + "0" * 32
    refused("ResourceNotFoundException", ecs.untag_resource, resourceArn=gone, tagKeys=["a"])
    refused("InvalidParameterException", ecs.tag_resource, resourceArn="arn:x", tags=[])
    refused("InvalidParameterException", ecs.list_tags_for_resource, resourceArn=gone)


def wrong_launches(ecs):
    invalid = "InvalidParameterException"
    refused("ClusterNotFoundException", run, ecs=ecs, cluster="none")
    refused("ClientException", run, ecs=ecs, taskDefinition="none")
    refused("ClientException", run, ecs=ecs, taskDefinition="rich:2")
    refused("PlatformUnknownException", run, ecs=ecs, platformVersion="9.9.9")
    refused("PlatformTaskDefinitionIncompatibilityException", run, ecs=ecs,
            platformVersion="1.3.0")
    refused("UnsupportedFeatureException", run, ecs=ecs, volumeConfigurations=[{"name": "ebs"}])
    refused(invalid, run, ecs=ecs, count=11)
    refused(invalid, run, ecs=ecs, networkConfiguration=None)
    refused(invalid, run, ecs=ecs, startedBy="a b")
    subnets = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}
    refused(invalid, run, ecs=ecs, networkConfiguration=subnets)
    refused(invalid, run, ecs=ecs, overrides={"containerOverrides": [{"name": "none"}]})
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    refused(invalid, run, ecs=ecs, capacityProviderStrategy=strategy)
    spot = run(ecs, taskDefinition="rich", launchType=None, capacityProviderStrategy=strategy,
               clientToken="token-2")["tasks"][0]
    expect(spot["capacityProviderName"] == "FARGATE_SPOT", "the provider of a Spot task")
    expect(spot["launchType"] == "FARGATE", "the launch type of a Spot task")
    error = refused("ConflictException", run, ecs=ecs, clientToken="token-2")
    if error is not None:
        ids = error.response.get("resourceIds")
        expect(ids == [spot["taskArn"]], f"a conflict names the task: {ids}")
    ecs.stop_task(cluster="ci", task=spot["taskArn"])
    refused(invalid, ecs.stop_task, cluster="ci", task="0" * 32)
    refused(invalid, ecs.describe_tasks, cluster="ci", tasks=["None"])
    refused("ClusterNotFoundException", ecs.list_tasks, cluster="none")
    refused("ServiceNotFoundException", ecs.list_tasks, cluster="ci", serviceName="s")
    missing = ecs.describe_tasks(cluster="ci", tasks=["0" * 32])
    expect(missing["tasks"] == [] and missing["failures"][0]["reason"] == "MISSING", "MISSING")


def faults(ecs):
    refused("ServerException", run, ecs=ecs)
    refused("BlockedException", run, ecs=ecs)
    expect(code_of(run, ecs=ecs) == "ThrottlingException", "a throttled call")
    answer = run(ecs)
    reason = answer["failures"][0]["reason"]
    expect(answer["tasks"] == [] and reason.startswith("Capacity is unavailable"), "no capacity")
    task = run(ecs)["tasks"][0]
    ecs.get_waiter("tasks_stopped").wait(
        cluster="ci", tasks=[task["taskArn"]], WaiterConfig=SOON)
    task = ecs.describe_tasks(cluster="ci", tasks=[task["taskArn"]])["tasks"][0]
    expect(task["stopCode"] == "TaskFailedToStart", f"a failed start: {task.get('stopCode')}")
    expect("exitCode" not in task["containers"][0], "no exit code without a run")


def wrong_values(shape, seen=()):
    """Values for `shape` in which one member, at any depth, has a type that is not its own."""
    if shape.type_name == "structure":
        yield []
        for name, member in shape.members.items():
            if member.name in seen or (shape.name, name) in OPAQUE:
                continue
            for value in wrong_values(member, (*seen, shape.name)):
                yield {name: value}
    elif shape.type_name == "list":
        yield {}
        for value in wrong_values(shape.member, seen):
            yield [value]
    elif shape.type_name == "map":
        yield []
        for value in wrong_values(shape.value, seen):
            yield {"key": value}
    else:
        yield 7 if shape.type_name == "string" else "x"


def raw_code(caller, operation, body):
    """Sends a body that boto3 itself would refuse; the error's code. Only the answer is judged."""
    global findings
    name = caller.meta.service_model.service_name
    target, _, carrier = SERVICES[name]

    def replace(request, **_):
        request.headers.replace_header("X-Amz-Target", f"{target}.{operation}")
        request.data = json.dumps(body).encode()

    event = f"before-sign.{caller.meta.service_model.service_id.hyphenize()}"
    caller.meta.events.register(event, replace)
    try:
        return code_of(getattr(caller, carrier))
    finally:
        caller.meta.events.unregister(event, replace)
        findings = [one for one in findings if not one.startswith(f"{operation} request")]


def types(caller):
    count = 0
    name = caller.meta.service_model.service_name
    for operation in sorted(SERVICES[name][1]):
        for body in wrong_values(models[name].operation_model(operation).input_shape):
            code = raw_code(caller, operation, body)
            expect(code == "SerializationException", f"{operation} {body}: {code}")
            count += 1
    return count


def odd_members(ecs):
    expect(raw_code(ecs, "ListClusters", {"noSuchMember": [1]}) is None, "an unknown member")
    expect(raw_code(ecs, "ListClusters", {"maxResults": None}) is None, "a null member")


def signatures():
    def code(**credentials):
        return code_of(client(**credentials).list_clusters)

    expect(code() is None, "test/test is accepted")
    expect(code(secret="Test") == "InvalidSignatureException", "a wrong secret")
    expect(code(key="AKIAIOSFODNN7EXAMPLE") == "InvalidClientTokenId", "an unknown key")
    expect(code(token="x") == "InvalidClientTokenId", "a token that was not issued")
    key, secret, token = os.environ["LOCAL_CLOUD_SESSION"].split()
    expect(code(key=key, secret=secret, token=token) is None, "issued credentials")
    expect(code(key=key, secret=secret) == "InvalidClientTokenId", "without their token")
    expect(
        code(key=key, secret=secret + "x", token=token) == "InvalidSignatureException",
        "with another secret",
    )
    key, secret, token = os.environ["LOCAL_CLOUD_EXPIRED"].split()
    expect(code(key=key, secret=secret, token=token) == "ExpiredTokenException", "expired ones")
    china = client(region="cn-north-1").list_clusters()["clusterArns"]
    expect(china == ["arn:aws-cn:ecs:cn-north-1:123456789012:cluster/ci"], f"in China: {china}")


def scenario():
    global mounted
    ecs, secrets, parameters = client(), client(name="secretsmanager"), client(name="ssm")
    efs, registries = client(name="efs"), client(name="ecr")
    remember_members(efs)
    mounted = efs_calls.play(efs, expect, refused)
    secret_calls.play(secrets, expect, refused, code_of)
    parameter_calls.play(parameters, expect, refused, code_of)
    registry_calls.play(registries, expect, refused, code_of)
    network_calls.play(client(name="ec2"), expect, code_of)
    account_calls.play(client(name="iam"), client(name="service-quotas"), client(name="logs"),
                       expect, refused, code_of)
    providers = ecs.describe_capacity_providers(capacityProviders=["FARGATE", "none"])
    expect([one["name"] for one in providers["capacityProviders"]] == ["FARGATE"], "providers")
    expect(len(providers["failures"]) == 1, "a provider that does not exist")
    clusters(ecs)
    definitions(ecs)
    faults(ecs)
    tasks(ecs)
    wrong_launches(ecs)
    signatures()
    odd_members(ecs)
    wrong = sum(types(each) for each in (ecs, secrets, parameters, registries))
    print(f"{wrong} wrong types")


def main():
    capture()
    try:
        scenario()
    except Exception:  # whatever it was, what was found before it explains it
        findings.append(traceback.format_exc())
    for name, (_, operations, _) in SERVICES.items():
        for operation in sorted(operations):
            outcomes = answered.get((name, operation), set())
            expect(200 in outcomes, f"{operation} never succeeded")
            expect(len(outcomes) > 1 or operation in NEVER_REFUSED,
                   f"{operation} was never refused")
    for finding in findings:
        print(finding, file=sys.stderr)
    errors = sorted({code for codes in answered.values() for code in codes if code != 200})
    print(f"{exchanges} exchanges, {len(answered)} operations, errors: {', '.join(errors)}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
