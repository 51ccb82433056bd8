"""Judges rendered task definitions by botocore's own model of RegisterTaskDefinition.

Started by tests/tests/task_definitions; standard input has a list of them as JSON. With an endpoint as
the first argument, boto3 registers each there as well, as the emulator behind it takes it.
"""

import json
import sys

import botocore.session
import botocore.validate

from walker import walk

session = botocore.session.get_session()
shape = session.get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
definitions = json.load(sys.stdin)
findings = []
for number, definition in enumerate(definitions):
    report = botocore.validate.ParamValidator().validate(definition, shape)
    if report.has_errors():
        findings.append(f"definition {number}: {report.generate_report()}")
    walk(shape, definition, f"definition {number}", findings)

if len(sys.argv) > 1 and not findings:
    client = session.create_client(
        "ecs", region_name="eu-west-1", endpoint_url=sys.argv[1],
        aws_access_key_id="test", aws_secret_access_key="test",
    )
    for number, definition in enumerate(definitions):
        registered = client.register_task_definition(**definition)["taskDefinition"]
        if registered["status"] != "ACTIVE":
            findings.append(f"definition {number}: {registered['status']}")

print(f"{len(definitions)} definitions")
if findings:
    sys.exit("\n".join(findings))
