"""Walks a request or an answer along botocore's own model of a service.

It finds what a client library forgives: members that do not exist, required members that are
missing, wrong types, values outside of an enumeration, lengths and patterns, errors that an
operation does not declare.
"""

import re

# Errors that every operation may answer although the model does not list them.
# Source: Amazon ECS API Reference and AWS Secrets Manager API Reference, "Common Errors", and the JSON
# 1.1 protocol.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}

# The model has plain strings here.
LITERALS = {
    ("Task", "lastStatus"): {
        "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING",
        "DEPROVISIONING", "STOPPED",
    },
    ("Task", "desiredStatus"): {"RUNNING", "STOPPED"},
    ("Container", "lastStatus"): {"PENDING", "RUNNING", "STOPPED"},
    ("Cluster", "status"): {"ACTIVE", "INACTIVE"},
    ("Attachment", "status"): {"PRECREATED", "ATTACHED", "DELETED"},
}
PATTERNS = {
    ("Task", "taskArn"): r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:task/[\w-]+/[0-9a-f]{32}",
    ("Task", "clusterArn"): r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:cluster/[\w-]+",
    ("Task", "taskDefinitionArn"):
        r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:task-definition/[\w-]+:\d+",
    ("Container", "containerArn"):
        r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:container/[\w-]+/[0-9a-f]{32}/[0-9a-f-]{36}",
    ("Container", "runtimeId"): r"[0-9a-f]{32}-\d{10}",
    ("CreateSecretResponse", "ARN"):
        r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+-[A-Za-z0-9]{6}",
    ("NetworkInterface", "privateIpv4Address"): r"\d+\.\d+\.\d+\.\d+",
}
PYTHON_TYPES = {
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "boolean": bool, "string": str, "blob": str, "timestamp": (int, float),
}


def walk(shape, value, path, findings):
    """Adds what is wrong with `value` to `findings`."""
    kind = shape.type_name
    if kind == "structure":
        walk_structure(shape, value, path, findings)
    elif kind == "list":
        if not isinstance(value, list):
            findings.append(f"{path}: want list, got {value!r}")
            return
        check_length(shape, value, path, findings)
        for index, item in enumerate(value):
            walk(shape.member, item, f"{path}[{index}]", findings)
    elif kind == "map":
        if not isinstance(value, dict):
            findings.append(f"{path}: want map, got {value!r}")
            return
        for key, item in value.items():
            walk(shape.value, item, f"{path}[{key}]", findings)
    else:
        walk_scalar(shape, value, path, findings)


def walk_structure(shape, value, path, findings):
    if not isinstance(value, dict):
        findings.append(f"{path}: want structure, got {value!r}")
        return
    for name in shape.required_members:
        if name not in value:
            findings.append(f"{path}: missing {name}")
    for name, item in value.items():
        # Some services, such as CloudWatch Logs, declare errors without their message.
        if name == "__type" or (name == "message" and not shape.members):
            continue
        if name not in shape.members:
            findings.append(f"{path}: unknown {name}")
            continue
        walk(shape.members[name], item, f"{path}.{name}", findings)
        allowed = LITERALS.get((shape.name, name))
        if allowed is not None and item not in allowed:
            findings.append(f"{path}.{name}: {item!r} is no value of ECS")
        pattern = PATTERNS.get((shape.name, name))
        if pattern is not None and not re.fullmatch(pattern, str(item)):
            findings.append(f"{path}.{name}: {item!r} does not look like {pattern}")


def walk_scalar(shape, value, path, findings):
    kind = shape.type_name
    is_boolean = isinstance(value, bool)
    if not isinstance(value, PYTHON_TYPES[kind]) or is_boolean != (kind == "boolean"):
        findings.append(f"{path}: want {kind}, got {value!r}")
        return
    if kind == "string":
        allowed = getattr(shape, "enum", None)
        if allowed and value not in allowed:
            findings.append(f"{path}: {value!r} not in {allowed}")
        pattern = shape.metadata.get("pattern")
        if pattern and "\\p" not in pattern and not re.search(pattern, value):
            findings.append(f"{path}: {value!r} does not match {pattern}")
        check_length(shape, value, path, findings)
    elif kind in ("integer", "long"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            findings.append(f"{path}: {value} outside of {low}..{high}")


def check_length(shape, value, path, findings):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and len(value) < low) or (high is not None and len(value) > high):
        findings.append(f"{path}: length {len(value)} outside of {low}..{high}")


def walk_exchange(service, operation, request, status, answer):
    """Findings of one captured call, both directions."""
    model = service.operation_model(operation)
    findings = []
    if 200 <= status < 300:
        walk(model.input_shape, request, f"{operation} request", findings)
        if model.output_shape is not None:
            walk(model.output_shape, answer, f"{operation} answer", findings)
        return findings
    code = answer.get("__type")
    declared = {shape.name: shape for shape in model.error_shapes}
    if code in declared:
        walk(declared[code], answer, f"{operation} {code}", findings)
    elif code not in COMMON_ERRORS:
        findings.append(f"{operation}: {code} is not declared for it")
    text = answer.get("message") or answer.get("Message")
    if not isinstance(text, str):
        findings.append(f"{operation} {code}: no message")
    return findings
