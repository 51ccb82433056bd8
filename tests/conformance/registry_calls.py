"""Plays the life of a repository of ECR through boto3. It leaves none behind."""

import base64
import datetime
import json

OPERATIONS = {
    "BatchDeleteImage", "CreateRepository", "DeleteRepository", "DescribeImages",
    "DescribeRepositories", "GetAuthorizationToken", "PutImage", "PutImageTagMutability",
}
NAME = "team/ci"
LATEST = [{"filter": "latest", "filterType": "WILDCARD"}]


def play(ecr, expect, refused, code_of):
    """Runs all of it with `ecr`, a client of ECR."""
    login(ecr, expect)
    made = ecr.create_repository(repositoryName=NAME)["repository"]
    expect(made["imageTagMutability"] == "MUTABLE", f"a new repository: {made}")
    expect(made["repositoryUri"].endswith(f".amazonaws.com/{NAME}"), f"its place: {made}")
    refused("RepositoryAlreadyExistsException", ecr.create_repository, repositoryName=NAME)
    first, second = (json.dumps({"schemaVersion": 2, "layers": [{"size": n}]}) for n in (1, 2))
    kind = "application/vnd.oci.image.manifest.v1+json"
    put = ecr.put_image(
        repositoryName=NAME, imageManifest=first, imageManifestMediaType=kind, imageTag="one")
    digest = put["image"]["imageId"]["imageDigest"]
    ecr.put_image(repositoryName=NAME, imageManifest=second)
    refused("ImageDigestDoesNotMatchException", ecr.put_image, repositoryName=NAME,
            imageManifest=first, imageDigest="sha256:" + 64 * "0")
    refused("ImageAlreadyExistsException", ecr.put_image,
            repositoryName=NAME, imageManifest=first, imageTag="one")
    told = ecr.put_image_tag_mutability(
        repositoryName=NAME, imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=LATEST)
    expect(told["imageTagMutabilityExclusionFilters"] == LATEST, f"filters: {told}")
    refused("ImageTagAlreadyExistsException", ecr.put_image,
            repositoryName=NAME, imageManifest=second, imageTag="one")
    found = ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]
    expect(found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION", f"described: {found}")
    images(ecr, expect, digest)
    refused("ImageNotFoundException", ecr.describe_images,
            repositoryName=NAME, imageIds=[{"imageTag": "none"}])
    refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName=NAME)
    gone = ecr.batch_delete_image(
        repositoryName=NAME, imageIds=[{"imageDigest": digest}, {"imageTag": "none"}])
    expect(gone["imageIds"] == [{"imageDigest": digest, "imageTag": "one"}], f"deleted: {gone}")
    expect(gone["failures"][0]["failureCode"] == "ImageNotFound", f"not deleted: {gone}")
    code = code_of(ecr.put_image_tag_mutability, repositoryName=NAME, imageTagMutability="LOST")
    expect(code == "InvalidParameterException", f"tags that are neither: {code}")
    ecr.delete_repository(repositoryName=NAME, force=True)
    refused("RepositoryNotFoundException", ecr.describe_repositories, repositoryNames=[NAME])


def login(ecr, expect):
    data = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    expect(user == "AWS" and len(password) > 100, "a login for registry clients")
    left = data["expiresAt"] - datetime.datetime.now(datetime.timezone.utc)
    expect(datetime.timedelta(hours=11) < left, f"a login is valid for twelve hours: {left}")


def images(ecr, expect, digest):
    pages = ecr.get_paginator("describe_images").paginate(
        repositoryName=NAME, PaginationConfig={"PageSize": 1})
    found = {one["imageDigest"]: one for page in pages for one in page["imageDetails"]}
    expect(len(found) == 2, f"page by page: {found}")
    bare = ecr.describe_images(repositoryName=NAME, filter={"tagStatus": "UNTAGGED"})
    expect(len(bare["imageDetails"]) == 1, f"without a tag: {bare}")
    expect(found[digest]["imageTags"] == ["one"], f"with its tag: {found[digest]}")
    expect(found[digest]["imageSizeInBytes"] == 1, f"the bytes of its layers: {found[digest]}")
