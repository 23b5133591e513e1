//! Every answer of the API that is not a success.
//!
//! - Owns: the error body `{"message","restate_code"}`, the plain-text form of input that cannot be
//!   parsed, and which error of the server gets which status.
//! - Invariant: the text tells the client what to do; what only an operator may know is logged.

use axum::{
    Json,
    http::{StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use reveille_store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    partition::Refused,
    registry::{RegistryError, kafka::KafkaError},
};

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    message: String,
    /// Documentation code that clients know.
    code: Option<&'static str>,
    /// True for input that could not be parsed: its answer is plain text.
    plain: bool,
    /// How to authenticate, for 401.
    challenge: Option<&'static str>,
}

/// What went wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Body {
    /// What went wrong, and what to do about it.
    message: String,
    /// Code of the error that clients know, if it has one.
    restate_code: Option<&'static str>,
}

impl Problem {
    /// Makes an answer with the error body.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem { status, message: message.into(), code: None, plain: false, challenge: None }
    }

    /// Answers 400 with plain text, as for a path or query that cannot be parsed.
    pub(super) fn unparsable(message: impl Into<String>) -> Problem {
        Problem { plain: true, ..Problem::new(StatusCode::BAD_REQUEST, message) }
    }

    /// Answers 401 to a request without a token.
    pub(super) fn token_missing() -> Problem {
        let text =
            "this server asks for a token, send it as header `authorization: Bearer <token>`";
        Problem { challenge: Some("Bearer"), ..Problem::new(StatusCode::UNAUTHORIZED, text) }
    }

    /// Answers 401 to a request with something that is no token of ours.
    pub(super) fn token_wrong() -> Problem {
        let text = "the token in header `authorization` is not one that this server lets in";
        let challenge = Some("Bearer error=\"invalid_token\"");
        Problem { challenge, ..Problem::new(StatusCode::UNAUTHORIZED, text) }
    }

    /// Answers 404 with the error body.
    pub(super) fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.plain {
            return (self.status, self.message).into_response();
        }
        let body = Body { message: self.message, restate_code: self.code };
        let challenge = self.challenge.map(|challenge| [(WWW_AUTHENTICATE, challenge)]);
        (self.status, challenge, Json(body)).into_response()
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Problem {
        let status = match &error {
            RegistryError::Discovery { invalid: true, .. }
            | RegistryError::HandlerType { .. }
            | RegistryError::Unsupported(_)
            | RegistryError::LocalName(_)
            | RegistryError::TooManyDeployments => StatusCode::BAD_REQUEST,
            RegistryError::ServiceType { .. }
            | RegistryError::Serving { .. }
            | RegistryError::InUse { .. }
            | RegistryError::AddressTaken { .. }
            | RegistryError::Incomplete { .. }
            | RegistryError::RuleVersion { .. } => StatusCode::CONFLICT,
            RegistryError::RuleDescription { .. } | RegistryError::TooManyRules => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            RegistryError::UnknownDeployment(_) | RegistryError::UnknownService(_) => {
                StatusCode::NOT_FOUND
            }
            RegistryError::Kafka(error) => kafka_status(error),
            RegistryError::Store(StoreError::Full) | RegistryError::Stopped => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            RegistryError::Discovery { .. }
            | RegistryError::ProtocolVersions { .. }
            | RegistryError::Record { .. }
            | RegistryError::Invocation { .. }
            | RegistryError::RulesRecord { .. }
            | RegistryError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let RegistryError::Store(error) = &error {
            tracing::error!(%error, "a change of the registry was not stored");
        }
        Problem { code: error.code(), ..Problem::new(status, error.to_string()) }
    }
}

fn kafka_status(error: &KafkaError) -> StatusCode {
    match error {
        KafkaError::NotBuilt => StatusCode::NOT_IMPLEMENTED,
        KafkaError::Source { .. }
        | KafkaError::Sink { .. }
        | KafkaError::UnknownSourceCluster { .. }
        | KafkaError::ClusterName(_)
        | KafkaError::NoBrokers(_)
        | KafkaError::Property(_)
        | KafkaError::TooManyClusters
        | KafkaError::TooManySubscriptions => StatusCode::BAD_REQUEST,
        KafkaError::UnknownCluster(_) | KafkaError::UnknownSubscription(_) => StatusCode::NOT_FOUND,
        KafkaError::ClusterExists(_)
        | KafkaError::ConfiguredCluster(_)
        | KafkaError::ClusterInUse { .. } => StatusCode::CONFLICT,
        KafkaError::Damaged(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string())
    }
}
