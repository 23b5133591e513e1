//! Definitions: services with their handlers, as they are served and announced.
//!
//! - Owns: [`Service`], [`Definition`], how a handler is entered.
//! - Does not own: the text of manifests ([`crate::endpoint`]), the attribute macros.
//! - Invariant: the context of a handler is that of its kind.

use std::{marker::PhantomData, pin::Pin, sync::Arc};

use bytes::Bytes;
use reveille_protocol::manifest::{self, HandlerType, InputPayload, OutputPayload, ServiceType};

use crate::{
    attempt::Attempt,
    context::{
        Context, ObjectContext, SharedObjectContext, SharedWorkflowContext, WorkflowContext,
    },
    error::{HandlerError, HandlerResult, TerminalError},
    options::Options,
    payload::{Decode, Encode},
};

/// Represents a type whose handlers can be served. Implemented by `#[reveille::service]`, `object` and
/// `workflow`.
pub trait Service: Sized + Send + Sync + 'static {
    /// Lists its handlers.
    fn definition(self: Arc<Self>) -> Definition;
}

/// A service, object or workflow with its handlers.
#[derive(Clone)]
pub struct Definition {
    pub(crate) name: String,
    pub(crate) ty: ServiceType,
    pub(crate) options: Options,
    pub(crate) handlers: Vec<Handler>,
}

/// One handler.
#[derive(Clone)]
pub(crate) struct Handler {
    pub name: String,
    pub ty: Option<HandlerType>,
    pub input: InputPayload,
    pub output: OutputPayload,
    pub options: Options,
    pub enter: Arc<dyn Fn(Entry) -> HandlerFuture + Send + Sync>,
}

/// A handler that runs: gives the bytes of its result.
pub type HandlerFuture = Pin<Box<dyn Future<Output = HandlerResult<Bytes>> + Send>>;

/// What a handler is entered with.
pub struct Entry {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) input: Bytes,
}

impl Definition {
    #[doc(hidden)]
    pub fn new(name: &str, ty: ServiceType, options: Options) -> Self {
        Self { name: name.to_owned(), ty, options, handlers: Vec::new() }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes the options of the service.
    pub fn options(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// Changes the options of one handler; nothing without such a handler.
    pub fn handler_options(
        mut self,
        handler: &str,
        change: impl FnOnce(Options) -> Options,
    ) -> Self {
        if let Some(handler) = self.handlers.iter_mut().find(|of| of.name == handler) {
            handler.options = change(std::mem::take(&mut handler.options));
        }
        self
    }

    #[doc(hidden)]
    pub fn handler<I, O>(
        mut self,
        name: &str,
        ty: Option<HandlerType>,
        schemas: Schemas<I, O>,
        options: Options,
        enter: impl Fn(Entry) -> HandlerFuture + Send + Sync + 'static,
    ) -> Self
    where
        I: Decode,
        O: Encode,
    {
        let input = InputPayload {
            required: I::CONTENT_TYPE.map(|_| I::IS_REQUIRED),
            content_type: I::CONTENT_TYPE.map(str::to_owned),
            json_schema: schemas.input,
        };
        let is_nothing = size_of::<O>() == 0;
        let content_type = O::CONTENT_TYPE.filter(|_| !is_nothing);
        let output = OutputPayload {
            content_type: content_type.map(str::to_owned),
            set_content_type_if_empty: content_type.map(|_| false),
            json_schema: schemas.output,
        };
        let enter = Arc::new(enter);
        self.handlers.push(Handler { name: name.to_owned(), ty, input, output, options, enter });
        self
    }

    pub(crate) fn to_manifest(&self) -> manifest::Service {
        let handler = |handler: &Handler| manifest::Handler {
            name: handler.name.clone(),
            ty: handler.ty,
            input: Some(handler.input.clone()),
            output: Some(handler.output.clone()),
            options: handler.options.0.clone(),
        };
        manifest::Service {
            name: self.name.clone(),
            ty: self.ty,
            handlers: self.handlers.iter().map(handler).collect(),
            options: self.options.0.clone(),
        }
    }
}

/// The JSON Schemas of what goes in and out.
#[doc(hidden)]
pub struct Schemas<I, O> {
    pub input: Option<serde_json::Value>,
    pub output: Option<serde_json::Value>,
    pub types: PhantomData<fn(I) -> O>,
}

#[doc(hidden)]
pub trait FromEntry {
    fn from_entry(entry: &Entry) -> Self;
}

macro_rules! contexts {
    ($($context:ident)*) => {
        $(impl FromEntry for $context {
            fn from_entry(entry: &Entry) -> Self {
                Self::new(entry.attempt.clone())
            }
        })*
    };
}

contexts! { Context SharedObjectContext ObjectContext SharedWorkflowContext WorkflowContext }

impl Entry {
    #[doc(hidden)]
    pub fn context<C: FromEntry>(&self) -> C {
        C::from_entry(self)
    }

    /// What cannot be read is the fault of the caller: trying again would not help.
    #[doc(hidden)]
    pub fn input<I: Decode>(self) -> HandlerResult<I> {
        I::decode(self.input).map_err(|error| {
            TerminalError::new(format!("the input cannot be read: {error}")).code(400).into()
        })
    }

    #[doc(hidden)]
    pub fn output<O: Encode, E: Into<HandlerError>>(result: Result<O, E>) -> HandlerResult<Bytes> {
        let output = result.map_err(Into::into)?;
        output.encode().map_err(|error| {
            HandlerError::from(format!("the result of the handler cannot be written: {error}"))
        })
    }
}
