"""Plays the life of parameters through boto3. It leaves none behind."""

OPERATIONS = {
    "DeleteParameter", "DescribeParameters", "GetParameter", "GetParameters", "PutParameter",
}


def play(parameters, expect, refused, code_of):
    """Runs all of it with `parameters`, a client of Systems Manager."""
    put = parameters.put_parameter(
        Name="/ci/key", Value="first", Type="SecureString", Description="d", KeyId="alias/ci",
        Tags=[{"Key": "team", "Value": "ci"}])
    expect((put["Version"], put["Tier"]) == (1, "Standard"), f"a new parameter: {put}")
    again = parameters.put_parameter(Name="/ci/key", Value="second", Overwrite=True)
    expect(again["Version"] == 2, f"a new version: {again}")
    parameters.put_parameter(Name="plain", Value="a,b", Type="StringList")
    read = parameters.get_parameter(Name="/ci/key", WithDecryption=True)["Parameter"]
    expect(read["Value"] == "second" and read["Type"] == "SecureString", f"decrypted: {read}")
    hidden = parameters.get_parameter(Name=read["ARN"])["Parameter"]["Value"]
    expect("second" not in hidden, "without decryption")
    former = parameters.get_parameter(Name="/ci/key:1", WithDecryption=True)["Parameter"]
    expect((former["Value"], former["Selector"]) == ("first", ":1"), f"by version: {former}")
    several = parameters.get_parameters(Names=["/ci/key", "plain", "none"], WithDecryption=True)
    found = [one["Value"] for one in several["Parameters"]]
    expect(found == ["second", "a,b"], f"several at once: {found}")
    expect(several["InvalidParameters"] == ["none"], "one that does not exist")
    listing(parameters, expect, code_of)
    refused("ParameterAlreadyExists", parameters.put_parameter,
            Name="/ci/key", Value="x", Type="String")
    refused("ParameterNotFound", parameters.get_parameter, Name="none")
    refused("ParameterVersionNotFound", parameters.get_parameter, Name="/ci/key:9")
    code = code_of(parameters.put_parameter, Name="/aws/key", Value="x", Type="String")
    expect(code == "ValidationException", f"a reserved name: {code}")
    for name in ("/ci/key", "plain"):
        parameters.delete_parameter(Name=name)
    refused("ParameterNotFound", parameters.delete_parameter, Name="plain")


def listing(parameters, expect, code_of):
    pages = parameters.get_paginator("describe_parameters").paginate(
        PaginationConfig={"PageSize": 1})
    names = [one["Name"] for page in pages for one in page["Parameters"]]
    expect(names == ["/ci/key", "plain"], f"page by page: {names}")
    filters = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/ci/"]}]
    found = parameters.describe_parameters(ParameterFilters=filters)["Parameters"]
    expect([one["Version"] for one in found] == [2], f"by the beginning of the name: {found}")
    for wrong in ({"ParameterFilters": [{"Key": "KeyId", "Values": ["x"]}]}, {"NextToken": "x"}):
        code = code_of(parameters.describe_parameters, **wrong)
        expect(code == "ValidationException", f"{wrong}: {code}")
