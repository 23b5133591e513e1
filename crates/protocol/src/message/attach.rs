//! Commands that attach to the result of another invocation.

/// Awaits the result of another invocation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AttachInvocationCommand {
    /// Which invocation; required.
    #[prost(oneof = "attach_invocation_command::Target", tags = "1, 3, 4")]
    pub target: Option<attach_invocation_command::Target>,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Reads the result of another invocation, if it has one already.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetInvocationOutputCommand {
    /// Which invocation; required.
    #[prost(oneof = "attach_invocation_command::Target", tags = "1, 3, 4")]
    pub target: Option<attach_invocation_command::Target>,
    /// The id of its completion.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The `oneof` of [`AttachInvocationCommand`] and [`GetInvocationOutputCommand`].
pub mod attach_invocation_command {
    /// Which invocation.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Target {
        /// By textual id.
        #[prost(string, tag = "1")]
        InvocationId(String),
        /// By idempotency key.
        #[prost(message, tag = "3")]
        IdempotentRequestTarget(super::IdempotentRequestTarget),
        /// By workflow key.
        #[prost(message, tag = "4")]
        WorkflowTarget(super::WorkflowTarget),
    }
}

/// Names the run of a workflow.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WorkflowTarget {
    /// The workflow service.
    #[prost(string, tag = "1")]
    pub workflow_name: String,
    /// The workflow key.
    #[prost(string, tag = "2")]
    pub workflow_key: String,
    /// The scope (v7).
    #[prost(string, optional, tag = "3")]
    pub scope: Option<String>,
}

/// Names an invocation by its idempotency key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct IdempotentRequestTarget {
    /// The service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// The object or workflow key, absent for plain services.
    #[prost(string, optional, tag = "2")]
    pub service_key: Option<String>,
    /// The handler.
    #[prost(string, tag = "3")]
    pub handler_name: String,
    /// The idempotency key.
    #[prost(string, tag = "4")]
    pub idempotency_key: String,
    /// The scope (v7).
    #[prost(string, optional, tag = "5")]
    pub scope: Option<String>,
}
