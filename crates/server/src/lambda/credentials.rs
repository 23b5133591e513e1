//! Credentials: those of the environment, or those of a role that they may take on.
//!
//! | variable | meaning |
//! |---|---|
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | who we are |
//! | `AWS_ENDPOINT_URL_LAMBDA`, `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL` | other addresses, for tests and private endpoints |

use std::{env, fmt, time::Duration};

use reveille_protocol::text::percent;
use tokio::time::Instant;

/// Who signs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

/// Secrets have no place in a text.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// How long the credentials of a role are asked for, in seconds: the shortest that AWS gives.
pub(super) const ROLE_SECONDS: u32 = 900;

/// How long before their end they are asked for again.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Credentials of a role, until they must be renewed.
pub(super) struct Assumed {
    pub credentials: Credentials,
    renew_at: Instant,
}

impl Assumed {
    /// Notes when credentials that were given just now must be renewed.
    pub fn new(credentials: Credentials) -> Assumed {
        let lifetime = Duration::from_secs(ROLE_SECONDS.into());
        Assumed { credentials, renew_at: Instant::now() + (lifetime - RENEW_BEFORE) }
    }

    pub fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

/// Reads the credentials of the environment.
pub(super) fn from_environment() -> Result<Credentials, String> {
    let read = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    match (read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key_id), Some(secret_access_key)) => Ok(Credentials {
            access_key_id,
            secret_access_key,
            session_token: read("AWS_SESSION_TOKEN"),
        }),
        _ => {
            Err("there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in \
            the environment of the server"
                .to_owned())
        }
    }
}

/// The address of a service of AWS.
pub(super) fn endpoint(service: &str, region: &str) -> String {
    let own = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
    let set = env::var(own).or_else(|_| env::var("AWS_ENDPOINT_URL"));
    set.unwrap_or_else(|_| format!("https://{service}.{region}.amazonaws.com"))
}

/// The body of a request for the credentials of a role.
pub(super) fn assume_role(role: &str) -> String {
    let role = percent(role);
    format!(
        "Action=AssumeRole&DurationSeconds={ROLE_SECONDS}&RoleArn={role}&RoleSessionName=reveille\
         &Version=2011-06-15"
    )
}

/// Reads the answer to it, which is XML of a known shape.
pub(super) fn assumed(answer: &str) -> Option<Credentials> {
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.trim().to_owned())
    };
    Some(Credentials {
        access_key_id: element("AccessKeyId")?,
        secret_access_key: element("SecretAccessKey")?,
        session_token: Some(element("SessionToken")?),
    })
}
