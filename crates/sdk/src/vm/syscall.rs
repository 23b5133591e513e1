//! What the code can do, command by command; state is in `vm/state.rs`, runs in `vm/run.rs`.
//!
//! - Owns: how arguments and counters become a command, and which handle stands for its result.
//! - Invariant: completion ids are taken in the order of the code, in replay too. A call takes two, the
//!   first for the invocation id.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use reveille_protocol::{
    frame::MessageType,
    message::{
        AttachInvocationCommand, CallCommand, CompleteAwakeableCommand, CompletePromiseCommand,
        End, Failure, GetInvocationOutputCommand, GetPromiseCommand, Header, OneWayCallCommand,
        OutputCommand, PeekPromiseCommand, SendSignalCommand, SleepCommand, Value, Void,
        attach_invocation_command, complete_awakeable_command, complete_promise_command,
        notification::Id, output_command, send_signal_command,
    },
    signal,
    version::ServiceProtocolVersion,
};

use super::{
    AttemptError, Ended, Handle, Site, Stopped, Vm,
    error::{INTERNAL, UNSUPPORTED},
};

/// Which invocation to attach to.
pub use attach_invocation_command::Target as InvocationTarget;

/// A request to another handler.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    pub service: String,
    pub handler: String,
    /// Empty for plain services.
    pub key: String,
    pub parameter: Bytes,
    pub headers: Vec<(String, String)>,
    pub idempotency_key: Option<String>,
    pub scope: Option<String>,
    pub limit_key: Option<String>,
}

/// A request that nobody awaits.
#[derive(Clone, Debug, Default)]
pub struct SendRequest {
    pub request: CallRequest,
    /// When to start, in ms since the epoch; 0 is now.
    pub invoke_time_ms: u64,
}

impl Vm {
    /// Ends the invocation.
    pub fn complete(&mut self, result: Result<Bytes, Failure>, site: Site) -> Result<(), Stopped> {
        let result = match result {
            Ok(content) => output_command::Result::Value(Value { content }),
            Err(failure) => output_command::Result::Failure(self.admit(failure)?),
        };
        self.issue(OutputCommand { result: Some(result), name: String::new() }, site)?;
        self.output.message(MessageType::END, false, &End {}, None);
        self.close(Ended::Completed);
        Ok(())
    }

    /// Waits until a point in time, in ms since the epoch.
    pub fn sleep(&mut self, wake_up_time_ms: u64, site: Site) -> Result<Handle, Stopped> {
        let id = self.next_completion_id();
        let (wake_up_time, name) = (wake_up_time_ms, String::new());
        self.issue(SleepCommand { wake_up_time, result_completion_id: id, name }, site)?;
        Ok(self.handle(Id::CompletionId(id), "sleep", site))
    }

    /// Calls a handler: the handles of its invocation id and of its result.
    pub fn call(&mut self, request: CallRequest, site: Site) -> Result<(Handle, Handle), Stopped> {
        self.check_request(&request)?;
        let (id, result) = (self.next_completion_id(), self.next_completion_id());
        let command = CallCommand {
            service_name: request.service,
            handler_name: request.handler,
            parameter: request.parameter,
            headers: headers(request.headers),
            key: request.key,
            idempotency_key: request.idempotency_key,
            scope: request.scope,
            limit_key: request.limit_key,
            invocation_id_notification_idx: id,
            result_completion_id: result,
            name: String::new(),
        };
        self.issue(command, site)?;
        let id = self.handle(Id::CompletionId(id), "invocation id of the call", site);
        self.children.add(id);
        Ok((id, self.handle(Id::CompletionId(result), "call", site)))
    }

    /// Calls a handler without awaiting it: the handle of its invocation id.
    pub fn send(&mut self, send: SendRequest, site: Site) -> Result<Handle, Stopped> {
        let request = send.request;
        self.check_request(&request)?;
        let id = self.next_completion_id();
        let command = OneWayCallCommand {
            service_name: request.service,
            handler_name: request.handler,
            parameter: request.parameter,
            invoke_time: send.invoke_time_ms,
            headers: headers(request.headers),
            key: request.key,
            idempotency_key: request.idempotency_key,
            scope: request.scope,
            limit_key: request.limit_key,
            invocation_id_notification_idx: id,
            name: String::new(),
        };
        self.issue(command, site)?;
        Ok(self.handle(Id::CompletionId(id), "invocation id of the send", site))
    }

    /// Makes an awakeable: its id for whoever shall answer, and its handle. Nothing is sent.
    pub fn awakeable(&mut self, site: Site) -> Result<(String, Handle), Stopped> {
        self.check_open()?;
        self.signals += 1;
        let mut bytes = self.start.id.to_vec();
        bytes.extend(self.signals.to_be_bytes());
        let id = format!("sign_1{}", URL_SAFE_NO_PAD.encode(bytes));
        Ok((id, self.handle(Id::SignalId(self.signals), "awakeable", site)))
    }

    /// Answers an awakeable of any invocation.
    pub fn complete_awakeable(
        &mut self,
        awakeable_id: &str,
        result: Result<Bytes, Failure>,
        site: Site,
    ) -> Result<(), Stopped> {
        use complete_awakeable_command::Result as Completion;
        let result = match result {
            Ok(content) => Completion::Value(Value { content }),
            Err(failure) => Completion::Failure(self.admit(failure)?),
        };
        let (awakeable_id, result) = (awakeable_id.to_owned(), Some(result));
        let command = CompleteAwakeableCommand { awakeable_id, result, name: String::new() };
        self.issue(command, site).map(drop)
    }

    /// Waits for a signal by name. Nothing is sent.
    pub fn signal(&mut self, name: &str, site: Site) -> Result<Handle, Stopped> {
        self.check_open()?;
        Ok(self.handle(Id::SignalName(name.to_owned()), "signal", site))
    }

    /// Sends a signal by name to an invocation.
    pub fn send_signal(
        &mut self,
        target: &str,
        name: &str,
        result: Result<Bytes, Failure>,
        site: Site,
    ) -> Result<(), Stopped> {
        let result = match result {
            Ok(content) => send_signal_command::Result::Value(Value { content }),
            Err(failure) => send_signal_command::Result::Failure(self.admit(failure)?),
        };
        let signal_id = send_signal_command::SignalId::Name(name.to_owned());
        self.signal_command(target, signal_id, result, site)
    }

    /// Cancels an invocation.
    pub fn cancel(&mut self, target: &str, site: Site) -> Result<(), Stopped> {
        let signal_id = send_signal_command::SignalId::Idx(signal::CANCEL);
        self.signal_command(target, signal_id, send_signal_command::Result::Void(Void {}), site)
    }

    fn signal_command(
        &mut self,
        target: &str,
        signal_id: send_signal_command::SignalId,
        result: send_signal_command::Result,
        site: Site,
    ) -> Result<(), Stopped> {
        let command = SendSignalCommand {
            target_invocation_id: target.to_owned(),
            signal_id: Some(signal_id),
            result: Some(result),
            entry_name: String::new(),
        };
        self.issue(command, site).map(drop)
    }

    /// Waits for a promise of this workflow.
    pub fn promise(&mut self, name: &str, site: Site) -> Result<Handle, Stopped> {
        let id = self.next_completion_id();
        let (key, name) = (name.to_owned(), String::new());
        self.issue(GetPromiseCommand { key, result_completion_id: id, name }, site)?;
        Ok(self.handle(Id::CompletionId(id), "promise", site))
    }

    /// Reads a promise of this workflow: void while it is open.
    pub fn peek_promise(&mut self, name: &str, site: Site) -> Result<Handle, Stopped> {
        let id = self.next_completion_id();
        let (key, name) = (name.to_owned(), String::new());
        self.issue(PeekPromiseCommand { key, result_completion_id: id, name }, site)?;
        Ok(self.handle(Id::CompletionId(id), "peek at a promise", site))
    }

    /// Completes a promise of this workflow: void, or a failure when it was completed before.
    pub fn complete_promise(
        &mut self,
        name: &str,
        result: Result<Bytes, Failure>,
        site: Site,
    ) -> Result<Handle, Stopped> {
        use complete_promise_command::Completion;
        let completion = match result {
            Ok(content) => Completion::Value(Value { content }),
            Err(failure) => Completion::Failure(self.admit(failure)?),
        };
        let id = self.next_completion_id();
        let command = CompletePromiseCommand {
            key: name.to_owned(),
            completion: Some(completion),
            result_completion_id: id,
            name: String::new(),
        };
        self.issue(command, site)?;
        Ok(self.handle(Id::CompletionId(id), "completion of a promise", site))
    }

    /// Waits for the result of another invocation.
    pub fn attach(&mut self, target: InvocationTarget, site: Site) -> Result<Handle, Stopped> {
        self.check_target(&target)?;
        let id = self.next_completion_id();
        let (target, name) = (Some(target), String::new());
        self.issue(AttachInvocationCommand { target, result_completion_id: id, name }, site)?;
        Ok(self.handle(Id::CompletionId(id), "attach", site))
    }

    /// Reads the result of another invocation: void while it has none.
    pub fn invocation_output(
        &mut self,
        target: InvocationTarget,
        site: Site,
    ) -> Result<Handle, Stopped> {
        self.check_target(&target)?;
        let id = self.next_completion_id();
        let (target, name) = (Some(target), String::new());
        self.issue(GetInvocationOutputCommand { target, result_completion_id: id, name }, site)?;
        Ok(self.handle(Id::CompletionId(id), "output of an invocation", site))
    }

    /// Refuses what the version of the protocol cannot express.
    pub(super) fn admit(&mut self, failure: Failure) -> Result<Failure, Stopped> {
        if !failure.metadata.is_empty() {
            self.need(ServiceProtocolVersion::V6, "metadata of a failure")?;
        }
        Ok(failure)
    }

    pub(super) fn need(
        &mut self,
        version: ServiceProtocolVersion,
        what: &str,
    ) -> Result<(), Stopped> {
        self.check_open()?;
        if self.version >= version {
            return Ok(());
        }
        let message = format!(
            "{what} needs {version} of the service protocol, and this server speaks {} with us: \
             upgrade the server, or register the deployment again after an upgrade",
            self.version
        );
        self.fail(AttemptError::new(UNSUPPORTED, message).about(self.current.clone()));
        Err(Stopped)
    }

    fn check_request(&mut self, request: &CallRequest) -> Result<(), Stopped> {
        let CallRequest { idempotency_key, scope, limit_key, .. } = request;
        self.check_names(idempotency_key.as_deref(), scope.as_deref(), limit_key.as_deref())
    }

    fn check_target(&mut self, target: &InvocationTarget) -> Result<(), Stopped> {
        match target {
            InvocationTarget::InvocationId(_) => Ok(()),
            InvocationTarget::WorkflowTarget(workflow) => {
                self.check_names(None, workflow.scope.as_deref(), None)
            }
            InvocationTarget::IdempotentRequestTarget(request) => {
                self.check_names(Some(&request.idempotency_key), request.scope.as_deref(), None)
            }
        }
    }

    fn check_names(
        &mut self,
        idempotency_key: Option<&str>,
        scope: Option<&str>,
        limit_key: Option<&str>,
    ) -> Result<(), Stopped> {
        if scope.is_some() || limit_key.is_some() {
            self.need(ServiceProtocolVersion::V7, "a scope or a limit key")?;
        }
        let empty =
            [("idempotency key", idempotency_key), ("scope", scope), ("limit key", limit_key)]
                .into_iter()
                .find(|(_, text)| text.is_some_and(str::is_empty));
        let message = match empty {
            Some((what, _)) => format!("the {what} of a request is empty: leave it out instead"),
            None if limit_key.is_some() && scope.is_none() => {
                "a request has a limit key and no scope: a limit key counts within a scope".into()
            }
            None => return Ok(()),
        };
        self.fail(AttemptError::new(INTERNAL, message).about(self.current.clone()));
        Err(Stopped)
    }
}

fn headers(headers: Vec<(String, String)>) -> Vec<Header> {
    headers.into_iter().map(|(key, value)| Header { key, value }).collect()
}
