"""Plays the life of secrets through boto3. It leaves one behind, `registry`, for the tasks of check.py."""

OPERATIONS = {
    "CreateSecret", "DeleteSecret", "DescribeSecret", "GetSecretValue", "ListSecrets",
    "PutSecretValue", "RestoreSecret", "TagResource", "UpdateSecret",
}
MARKED = "because it was marked for deletion"


def play(secrets, expect, refused, code_of):
    """Runs all of it with `secrets`, a client of Secrets Manager. An earlier run may have left some."""
    for name in ("registry", "team/one", "list-0", "list-1", "list-2"):
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    arn = versions(secrets, expect, refused)
    listing(secrets, expect, refused)
    deletion(secrets, arn, expect, refused)
    bad_input(secrets, expect, refused, code_of)
    secrets.create_secret(
        Name="registry", SecretString='{"username":"ci","password":"open sesame"}')


def versions(secrets, expect, refused):
    made = secrets.create_secret(
        Name="team/one", SecretString="first", Description="d", KmsKeyId="alias/ci",
        Tags=[{"Key": "team", "Value": "ci"}])
    arn = made["ARN"]
    put = secrets.put_secret_value(SecretId=arn, SecretString="second")
    expect(put["VersionStages"] == ["AWSCURRENT"], f"labels of a new version: {put}")
    read = secrets.get_secret_value(SecretId="team/one")
    expect(read["SecretString"] == "second", "the current value, by name")
    read = secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
    expect(read["SecretString"] == "first", "the previous value")
    read = secrets.get_secret_value(SecretId=arn[:-7], VersionId=made["VersionId"])
    expect(read["SecretString"] == "first", "by version, and by an ARN without its end")
    updated = secrets.update_secret(SecretId=arn, SecretBinary=b"\x00\xff", Description="e")
    read = secrets.get_secret_value(SecretId=arn)
    expect(read["SecretBinary"] == b"\x00\xff" and "SecretString" not in read, "bytes")
    shown = secrets.describe_secret(SecretId=arn)
    labels = {put["VersionId"]: ["AWSPREVIOUS"], updated["VersionId"]: ["AWSCURRENT"]}
    expect(shown["VersionIdsToStages"] == labels, f"labels: {shown['VersionIdsToStages']}")
    expect(shown["Description"] == "e" and shown["KmsKeyId"] == "alias/ci", "what is known")
    token = "t" * 32
    pair = [secrets.put_secret_value(SecretId=arn, SecretString="x", ClientRequestToken=token)
            for _ in range(2)]
    expect(pair[0]["VersionId"] == pair[1]["VersionId"] == token, "a repeated request")
    refused("ResourceExistsException", secrets.put_secret_value,
            SecretId=arn, SecretString="y", ClientRequestToken=token)
    refused("ResourceExistsException", secrets.create_secret, Name="team/one")
    return arn


def listing(secrets, expect, refused):
    for n in range(3):
        secrets.create_secret(Name=f"list-{n}")
    pages = secrets.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
    names = [one["Name"] for page in pages for one in page["SecretList"]]
    expect(names == ["team/one", "list-0", "list-1", "list-2"], f"page by page: {names}")
    secrets.tag_resource(SecretId="list-1", Tags=[{"Key": "team", "Value": "web"}])
    for filters, wanted in (
        ([{"Key": "tag-key", "Values": ["team"]}], ["team/one", "list-1"]),
        ([{"Key": "tag-value", "Values": ["web"]}], ["list-1"]),
        ([{"Key": "name", "Values": ["list-", "!team"]}], ["list-0", "list-1", "list-2"]),
    ):
        found = [one["Name"] for one in secrets.list_secrets(Filters=filters)["SecretList"]]
        expect(found == wanted, f"secrets by {filters}: {found}")
    found = secrets.list_secrets(SortBy="name", SortOrder="desc")["SecretList"]
    expect(found[0]["Name"] == "team/one", "by name, downwards")
    refused("InvalidNextTokenException", secrets.list_secrets, NextToken="x")


def deletion(secrets, arn, expect, refused):
    told = secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    expect("DeletedDate" in secrets.describe_secret(SecretId=arn), "the mark")
    left = [one["Name"] for one in secrets.list_secrets()["SecretList"]]
    expect("team/one" not in left, "a marked secret is not listed")
    error = refused("InvalidRequestException", secrets.get_secret_value, SecretId=arn)
    expect(error and MARKED in str(error), f"a marked secret: {error}")
    refused("InvalidRequestException", secrets.put_secret_value, SecretId=arn, SecretString="z")
    refused("InvalidRequestException", secrets.update_secret, SecretId=arn, Description="z")
    refused("InvalidRequestException", secrets.tag_resource, SecretId=arn, Tags=[])
    refused("InvalidRequestException", secrets.create_secret, Name="team/one")
    refused("InvalidRequestException", secrets.delete_secret, SecretId=arn)
    expect(secrets.restore_secret(SecretId=arn)["ARN"] == told["ARN"], "a restored secret")
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId=arn)
    again = secrets.create_secret(Name="team/one")["ARN"]
    expect(again != arn, "a new secret with an old name has another ARN")
    secrets.delete_secret(SecretId="never-was", ForceDeleteWithoutRecovery=True)


def bad_input(secrets, expect, refused, code_of):
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="none")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="list-0")
    refused("ResourceNotFoundException", secrets.restore_secret, SecretId="none")
    refused("InvalidParameterException", secrets.delete_secret,
            SecretId="list-0", RecoveryWindowInDays=31)
    refused("InvalidRequestException", secrets.put_secret_value, SecretId="list-0")
    refused("InvalidParameterException", secrets.update_secret,
            SecretId="list-0", SecretString="a", SecretBinary=b"b")
    code = code_of(secrets.create_secret, Name="a b")
    expect(code == "ValidationException", f"a name with a blank: {code}")
