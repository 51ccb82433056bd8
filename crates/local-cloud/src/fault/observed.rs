//! A call and a task, as rules see them.

/// A call, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObservedCall<'a> {
    pub operation: &'a str,
    /// The number of the request in the record.
    pub request: u64,
    /// The tasks that it names, if some rule asks for them.
    pub tasks: &'a [CloudTaskIdentity],
}

/// A task, as rules name it. The task that a RunTask asks for has no number and no ARN yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CloudTaskIdentity {
    pub number: Option<u64>,
    pub arn: Option<String>,
    pub job: Option<String>,
    pub family: String,
    /// The capacity provider; `FARGATE` for the launch type of that name.
    pub provider: String,
    /// The subnet and the availability zone; for a RunTask, of each subnet that it allows.
    pub places: Vec<[String; 2]>,
}
