"""Walks an answer in XML along botocore's own model of a service.

It finds what a client library forgives: elements that the model does not have, texts that are no number or
no flag, and values outside of an enumeration.
"""

import re
import xml.etree.ElementTree as ElementTree

NUMBERS = {"integer", "long", "float", "double"}
# Values that the model lacks. Source: Amazon EC2 API Reference, `InternetGatewayAttachment`.
MORE_VALUES = {("AttachmentStatus", "available")}


def walk_xml(model, operation, status, body):
    """The outcome, 200 or the code of the error, and what is wrong with the answer."""
    root = ElementTree.fromstring(body)
    if status >= 300:
        error = root.find(".//{*}Error")
        code = error.findtext("{*}Code") if error is not None else None
        wrong = [] if code and error.findtext("{*}Message") else [f"{operation}: an error without code"]
        return code, wrong
    findings = []
    # The model of EC2 has no slash at the end, its answers have one.
    expected = model.metadata.get("xmlNamespace", "").rstrip("/")
    found = root.tag.partition("}")[0].lstrip("{").rstrip("/")
    if expected and found != expected:
        findings.append(f"{operation}: the namespace {found}")
    shape = model.operation_model(operation).output_shape
    inside = root
    if model.metadata["protocol"] == "query":
        inside = root.find(f"{{*}}{shape.serialization['resultWrapper']}")
    walk_structure(shape, inside, operation, findings, ignored={"requestId", "RequestId"})
    return 200, findings


def local(element):
    return re.sub(r"^{.*}", "", element.tag)


def walk_structure(shape, element, path, findings, ignored=()):
    members = {
        member.serialization.get("name", name): member for name, member in shape.members.items()
    }
    for child in element:
        name = local(child)
        if name in ignored:
            continue
        if name not in members:
            findings.append(f"{path}: unknown element {name}")
            continue
        walk(members[name], child, f"{path}.{name}", findings)


def walk(shape, element, path, findings):
    kind = shape.type_name
    if kind == "structure":
        walk_structure(shape, element, path, findings)
    elif kind == "list":
        wanted = shape.member.serialization.get("name", "member")
        for child in element:
            if local(child) != wanted:
                findings.append(f"{path}: {local(child)} in the place of {wanted}")
            walk(shape.member, child, f"{path}[]", findings)
    else:
        walk_text(shape, element.text or "", path, findings)


def walk_text(shape, text, path, findings):
    if shape.type_name in NUMBERS:
        try:
            float(text)
        except ValueError:
            findings.append(f"{path}: {text!r} is no number")
    elif shape.type_name == "boolean" and text not in ("true", "false"):
        findings.append(f"{path}: {text!r} is no flag")
    elif shape.type_name == "string" and getattr(shape, "enum", None) and text not in shape.enum \
            and (shape.name, text) not in MORE_VALUES:
        findings.append(f"{path}: {text!r} is no value of {shape.name}")
