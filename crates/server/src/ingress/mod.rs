//! The ingress: how the outside invokes handlers, asks for results and answers waits.
//!
//! ```text
//! handle     this file: a token if need be, one request in, one response out
//!     route    which request means what
//!     invoke   calls and sends           -> Command::Invoke
//!       intake   how many of them at the same time
//!       overload   and fewer while the server falls behind
//!     query    attach, output, lookup    -> Command::Attach, Command::Output
//!     wait     answers to awakeables     -> Command::CompleteWait, Command::DescribeWait
//!   response every response; error: every error text
//! ```
//!
//! - Owns: translation between HTTP and engine commands; nothing is decided here.
//! - Does not own: partitions, the schema, sockets ([`crate::listener`]).
//! - Invariant: whatever a request brings, it gets an answer, and every answer allows browsers to
//!   read it. Neither payloads nor awakeable ids are ever logged.

mod body;
mod decode;
mod error;
mod intake;
mod invoke;
mod overload;
mod query;
pub(crate) mod random;
mod response;
mod route;
mod seen;
mod validate;
mod wait;

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use reveille_engine::schema::Schema;
use tokio::sync::watch;

#[cfg(feature = "kafka")]
pub(crate) use self::body::encode_fields;
use self::error::IngressError;
pub use self::intake::Intake;
use self::response::Answer;
use self::route::Route;
use self::seen::Seen;
use crate::access::{Access, Tokens};
use crate::listener::{self, IncomingBody};
use crate::partition::Partitions;

/// What the ingress works with; a clone shares it.
#[derive(Clone)]
pub struct Ingress {
    /// Where commands go.
    pub partitions: Partitions,
    /// The latest schema.
    pub schema: watch::Receiver<Arc<Schema>>,
    /// Largest request body in bytes; anything longer is answered with 413.
    pub request_size_limit: usize,
    /// How many calls and sends may be on their way.
    pub intake: Intake,
    /// Who is let in.
    pub access: IngressAccess,
}

/// Who is let in at the ingress. The default lets everyone in.
#[derive(Clone, Debug, Default)]
pub struct IngressAccess {
    /// The tokens, if any.
    pub tokens: Tokens,
    /// True to let whoever knows the id of a wait complete it, without a token: for webhooks, whose
    /// senders have none.
    pub waits_without_token: bool,
}

impl IngressAccess {
    /// Tells whether a request without a token is served. Health checks tell then nothing but health,
    /// and browsers send no token with a pre-flight.
    fn is_open(&self, route: &Route<'_>) -> bool {
        match route {
            Route::Preflight | Route::Health => true,
            Route::Complete { .. } | Route::DescribeWait(_) => self.waits_without_token,
            Route::Invoke(_) | Route::Query(..) | Route::QueryByBody(_) => false,
        }
    }
}

impl listener::Answer for Ingress {
    type Body = Full<Bytes>;

    fn answer(
        self: Arc<Self>,
        request: Request<IncomingBody>,
    ) -> impl Future<Output = Answer> + Send {
        handle(self, request)
    }
}

impl Ingress {
    /// Answers a request from within the process, as it would be answered over HTTP.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (head, body) = self.handle(request.map(Full::new)).await.into_parts();
        let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
        Response::from_parts(head, body)
    }

    /// Answers one request.
    fn handle<'i, B>(&'i self, request: Request<B>) -> Answering<'i>
    where
        B: Body<Data = Bytes> + Send + 'i,
        IngressError: From<B::Error>,
    {
        handle(self, request)
    }

    /// Refuses a call or a send that is not let in, before anything is spent on it.
    fn refusal<B>(&self, request: &Request<B>) -> Option<Answer> {
        let refused = self.intake.check(&self.partitions).err()?;
        let route = route::route(request.method(), request.uri().path()).ok()?;
        let access = self.access.tokens.check(request.headers());
        let may_ask = matches!(access, Access::Open | Access::Granted);
        if !may_ask || !matches!(route, Route::Invoke(_)) {
            return None;
        }
        let mut seen = Seen::new(&self.partitions, request.headers());
        seen.is_about(route.kind());
        Some(finish(Err(refused), seen, request.method(), request.headers()))
    }

    /// Returns what a request asks for, if whoever sent it may ask.
    fn admit<'p>(
        &self,
        access: Access,
        parts: &'p Parts,
        seen: &mut Seen,
    ) -> Result<Admitted<'p>, IngressError> {
        let route = route::route(&parts.method, parts.uri.path());
        if let Ok(route) = &route {
            seen.is_about(route.kind());
        }
        let refusal = match access {
            Access::Open | Access::Granted => None,
            Access::Missing => Some(IngressError::TokenMissing),
            Access::Wrong => Some(IngressError::TokenWrong),
        };
        // Before a path that is no route, too: what there is here is nobody's business.
        if let Some(refusal) = &refusal
            && !route.as_ref().is_ok_and(|route| self.access.is_open(route))
        {
            return Err(refusal.clone());
        }
        Ok(Admitted { route: route?, knows_all: refusal.is_none() })
    }

    async fn carry_out<B>(
        &self,
        Admitted { route, knows_all }: Admitted<'_>,
        parts: &Parts,
        body: B,
        seen: &mut Seen,
    ) -> Result<Answer, IngressError>
    where
        B: Body<Data = Bytes>,
        IngressError: From<B::Error>,
    {
        match route {
            Route::Preflight => Ok(response::preflight(&parts.headers)),
            Route::Health if knows_all => {
                Ok(response::health(self.schema.borrow().services.keys()))
            }
            Route::Health => Ok(response::health_only()),
            Route::Invoke(path) => invoke::invoke(self, &path, parts, body, seen).await,
            Route::Query(query, target) => query::by_path(self, query, target).await,
            Route::QueryByBody(query) => query::by_body(self, query, body).await,
            Route::Complete { verb, id, face } => {
                wait::complete(self, (verb, id, face), parts, body).await
            }
            Route::DescribeWait(id) => wait::describe(self, id).await,
        }
    }
}

/// What a request asks for.
struct Admitted<'p> {
    route: Route<'p>,
    /// False for whoever is let in without a token.
    knows_all: bool,
}

/// Answers one request.
///
/// The request is taken apart before the future begins: there is one for each open request, and it is
/// as large as all it ever holds.
fn handle<'i, B>(ingress: impl Borrow<Ingress> + Send + 'i, request: Request<B>) -> Answering<'i>
where
    B: Body<Data = Bytes> + Send + 'i,
    IngressError: From<B::Error>,
{
    if let Some(refusal) = ingress.borrow().refusal(&request) {
        return Answering::Refused(Some(refusal));
    }
    let (mut parts, body) = request.into_parts();
    Answering::Handled(Box::pin(async move {
        let ingress = ingress.borrow();
        let access = ingress.access.tokens.check(&parts.headers);
        if access == Access::Granted {
            // It was meant for us: handlers, and journals that many may read, must not see it.
            parts.headers.remove(AUTHORIZATION);
        }
        let mut seen = Seen::new(&ingress.partitions, &parts.headers);
        let answered = match ingress.admit(access, &parts, &mut seen) {
            Ok(admitted) => ingress.carry_out(admitted, &parts, body, &mut seen).await,
            Err(error) => Err(error),
        };
        finish(answered, seen, &parts.method, &parts.headers)
    }))
}

/// Makes the answer what browsers want to see, and counts it.
fn finish(
    answered: Result<Answer, IngressError>,
    seen: Seen,
    method: &Method,
    headers: &HeaderMap,
) -> Answer {
    let mut answer = answered.unwrap_or_else(|error| response::refused(&error));
    response::cors(&mut answer, response::origin(headers));
    let (kind, status) = (seen.kind().name(), answer.status().as_u16());
    seen.answered(status);
    tracing::trace!(%method, kind, status, "answered");
    answer
}

/// A request while it is answered. Those that are refused under load are not worth an allocation.
enum Answering<'i> {
    Refused(Option<Answer>),
    Handled(Pin<Box<dyn Future<Output = Answer> + Send + 'i>>),
}

impl Future for Answering<'_> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match &mut *self {
            Answering::Refused(answer) => {
                Poll::Ready(answer.take().expect("a future is not polled after its end"))
            }
            Answering::Handled(handling) => handling.as_mut().poll(cx),
        }
    }
}
