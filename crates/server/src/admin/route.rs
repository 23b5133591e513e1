//! One row of the table of routes: what is served, and what the document says of it.
//!
//! The router and the document are made of the same rows, so neither has a route that the other lacks.
//! A row is written beside its handler, in the `routes()` of that file:
//!
//! ```text
//! Route::get("/rules/{rule}", "get_rule", one)
//!     .says("rule", "Shows a rule")
//!     .path("rule", "Id of a rule.")
//!     .answer::<RuleView>(200, "The rule.")
//!     .problem(404, "There is no such rule.")
//! ```
//!
//! - Owns: the shape of a row, and the answers that follow from its parts, such as those of a body.
//! - Does not own: how rows become a document ([`super::document`]), the list of them ([`super::table`]).
//! - Invariant: schemas come from the types that the handlers read and write.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Admin, problem};

/// Makes the schema of a type.
pub(super) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// The content type of JSON.
pub(super) const JSON: &str = "application/json";

/// That of input which cannot be parsed, in answers.
pub(super) const TEXT: &str = "text/plain";

/// One operation.
pub(super) struct Route {
    /// Method.
    pub(super) method: Method,
    /// Template of the path, without a version in front.
    pub(super) path: &'static str,
    /// Name of the operation, which generated clients call it by.
    pub(super) operation: &'static str,
    /// Group of the operation.
    pub(super) tag: &'static str,
    /// What it does, in a line.
    pub(super) summary: &'static str,
    /// The parts of the path: name and meaning, in order.
    pub(super) path_parameters: Vec<(&'static str, &'static str)>,
    /// An object whose members are the parameters of the query.
    pub(super) query: Option<MakeSchema>,
    /// Optional headers that mean something: name and meaning.
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// The body that it takes.
    pub(super) body: Option<Body>,
    /// Everything that it answers. Those of one status are told together.
    pub(super) answers: Vec<Answer>,
    /// True when it needs no token.
    pub(super) open: bool,
    handler: MethodRouter<Admin>,
}

/// What a route takes.
pub(super) enum Body {
    /// JSON of this shape.
    Json(MakeSchema),
    /// Any bytes, which mean this.
    Bytes(&'static str),
}

/// One answer.
pub(super) struct Answer {
    /// Status.
    pub(super) status: u16,
    /// When it is given, or what it holds.
    pub(super) description: &'static str,
    /// Content type, and shape where there is one to tell; `None` for an empty body.
    pub(super) content: Option<(&'static str, Option<MakeSchema>)>,
}

impl Route {
    /// A route that answers `GET`.
    pub(super) fn get<H, T>(path: &'static str, operation: &'static str, handler: H) -> Route
    where
        H: Handler<T, Admin>,
        T: 'static,
    {
        Route::new(Method::GET, path, operation, on(MethodFilter::GET, handler))
    }

    /// A route that answers `POST`.
    pub(super) fn post<H, T>(path: &'static str, operation: &'static str, handler: H) -> Route
    where
        H: Handler<T, Admin>,
        T: 'static,
    {
        Route::new(Method::POST, path, operation, on(MethodFilter::POST, handler))
    }

    /// A route that answers `PUT`.
    pub(super) fn put<H, T>(path: &'static str, operation: &'static str, handler: H) -> Route
    where
        H: Handler<T, Admin>,
        T: 'static,
    {
        Route::new(Method::PUT, path, operation, on(MethodFilter::PUT, handler))
    }

    /// A route that answers `PATCH`.
    pub(super) fn patch<H, T>(path: &'static str, operation: &'static str, handler: H) -> Route
    where
        H: Handler<T, Admin>,
        T: 'static,
    {
        Route::new(Method::PATCH, path, operation, on(MethodFilter::PATCH, handler))
    }

    /// A route that answers `DELETE`.
    pub(super) fn delete<H, T>(path: &'static str, operation: &'static str, handler: H) -> Route
    where
        H: Handler<T, Admin>,
        T: 'static,
    {
        Route::new(Method::DELETE, path, operation, on(MethodFilter::DELETE, handler))
    }

    fn new(
        method: Method,
        path: &'static str,
        operation: &'static str,
        handler: MethodRouter<Admin>,
    ) -> Route {
        Route {
            method,
            path,
            operation,
            tag: "",
            summary: "",
            path_parameters: Vec::new(),
            query: None,
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            open: false,
            handler,
        }
    }

    /// Says what it does, and to which group it belongs.
    pub(super) fn says(mut self, tag: &'static str, summary: &'static str) -> Route {
        (self.tag, self.summary) = (tag, summary);
        self
    }

    /// Says what the next part of the path means.
    pub(super) fn path(mut self, name: &'static str, meaning: &'static str) -> Route {
        self.path_parameters.push((name, meaning));
        self
    }

    /// Takes the members of `Q` in the query; one that does not parse is answered with 400.
    pub(super) fn query<Q: JsonSchema>(mut self) -> Route {
        self.query = Some(Q::json_schema);
        self.text(400, "The query does not parse.")
    }

    /// Takes a header that may be left out.
    pub(super) fn header(mut self, name: &'static str, meaning: &'static str) -> Route {
        self.headers.push((name, meaning));
        self
    }

    /// Takes a `B` as JSON, with the answers to what is none.
    pub(super) fn body<B: JsonSchema>(mut self) -> Route {
        self.body = Some(Body::Json(SchemaGenerator::subschema_for::<B>));
        self.text(400, "The body is no JSON.")
            .text(415, "The content type is not `application/json`.")
            .text(422, "The JSON has another shape.")
            .of_a_body()
    }

    /// Takes any bytes.
    pub(super) fn bytes(mut self, meaning: &'static str) -> Route {
        self.body = Some(Body::Bytes(meaning));
        self.of_a_body()
    }

    /// Answers an `A` as JSON.
    pub(super) fn answer<A: JsonSchema>(self, status: u16, description: &'static str) -> Route {
        let schema: MakeSchema = SchemaGenerator::subschema_for::<A>;
        self.with(status, description, Some((JSON, Some(schema))))
    }

    /// Answers the error body.
    pub(super) fn problem(self, status: u16, description: &'static str) -> Route {
        self.answer::<problem::Body>(status, description)
    }

    /// Answers an error as plain text.
    pub(super) fn text(self, status: u16, description: &'static str) -> Route {
        self.with(status, description, Some((TEXT, Some(SchemaGenerator::subschema_for::<str>))))
    }

    /// Answers without a body.
    pub(super) fn empty(self, status: u16, description: &'static str) -> Route {
        self.with(status, description, None)
    }

    /// Answers something that a schema cannot tell.
    pub(super) fn content(
        self,
        status: u16,
        content_type: &'static str,
        description: &'static str,
    ) -> Route {
        self.with(status, description, Some((content_type, None)))
    }

    /// Answers what every change of stored data may be answered.
    pub(super) fn stored(self) -> Route {
        self.problem(500, "The change was not stored, see the log.")
            .problem(503, "The server is stopping, or its disk is full.")
    }

    /// Lets it answer without a token. What is open is decided in [`super::access`].
    pub(super) fn open(mut self) -> Route {
        self.open = true;
        self
    }

    /// Adds the route to a router.
    pub(super) fn add_to(self, router: Router<Admin>) -> Router<Admin> {
        router.route(self.path, self.handler)
    }

    fn of_a_body(self) -> Route {
        self.problem(408, "The body stalled.")
            .text(413, "The body is too large.")
            .problem(503, "Too many bodies are being read; try again.")
    }

    fn with(
        mut self,
        status: u16,
        description: &'static str,
        content: Option<(&'static str, Option<MakeSchema>)>,
    ) -> Route {
        self.answers.push(Answer { status, description, content });
        self
    }
}
