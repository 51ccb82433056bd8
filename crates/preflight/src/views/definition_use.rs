//! Which services a task definition makes a task call, so that a network without a way out can be judged.

/// What a task definition, made by somebody else, uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionUse {
    /// The images of its containers.
    pub images: Vec<String>,
    /// Whether a container writes to CloudWatch Logs.
    pub writes_logs: bool,
    /// Whether ECS reads a secret of Secrets Manager for it, the registry's included.
    pub reads_secrets: bool,
    /// Whether ECS reads a parameter of Systems Manager for it.
    pub reads_parameters: bool,
}
