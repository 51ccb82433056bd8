//! Amazon ECR's own API: repositories, their images by manifest, and the login of registry clients. It has no
//! layers, no scans, no policies and no replication, and it serves no registry: who needs one starts a real one.
//!
//! Each operation is one file.

mod batch_delete_image;
mod create_repository;
mod delete_repository;
mod describe_images;
mod describe_repositories;
mod errors;
mod get_authorization_token;
mod image_repository;
mod put_image;
mod put_image_tag_mutability;
mod repository_store;

use batch_delete_image::BatchDeleteImage;
use create_repository::CreateRepository;
use delete_repository::DeleteRepository;
use describe_images::DescribeImages;
use describe_repositories::DescribeRepositories;
use get_authorization_token::GetAuthorizationToken;
use put_image::PutImage;
use put_image_tag_mutability::PutImageTagMutability;
use repository_store::RepositoryStore;

pub(crate) use put_image::put;

use super::definition::OperationRight::{AllResources, NamedResource};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    prepare: |states, _| states.add(RepositoryStore::default()),
    ..CloudService::new(
        "ecr",
        ServiceProtocol::Json {
            target: "AmazonEC2ContainerRegistry_V20150921.",
            message: "message",
        },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<BatchDeleteImage>("BatchDeleteImage", NamedResource),
    ServiceOperation::json::<CreateRepository>("CreateRepository", NamedResource),
    ServiceOperation::json::<DeleteRepository>("DeleteRepository", NamedResource),
    ServiceOperation::json::<DescribeImages>("DescribeImages", NamedResource),
    ServiceOperation::json::<DescribeRepositories>("DescribeRepositories", NamedResource),
    ServiceOperation::json::<GetAuthorizationToken>("GetAuthorizationToken", AllResources),
    ServiceOperation::json::<PutImage>("PutImage", NamedResource),
    ServiceOperation::json::<PutImageTagMutability>("PutImageTagMutability", NamedResource),
];

#[cfg(test)]
mod tests;
