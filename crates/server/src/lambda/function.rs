//! The address of a function: what its ARN says, and the role to take on before it is invoked.
//!
//! - Owns: the two text forms, ARN and URI. The URI is what the registry stores and the invoker calls:
//!   `lambda://REGION/ACCOUNT/FUNCTION:QUALIFIER/`, with `role-…/` behind it if there is a role, whose ARN
//!   stands there in base64url.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Uri;

/// Scheme of the URI form.
pub(crate) const SCHEME: &str = "lambda";

const ROLE_MARK: &str = "role-";

/// A function that can be invoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Function {
    pub region: String,
    account: String,
    /// Name, colon, version or alias.
    name: String,
    /// ARN of the role to take on, if any.
    pub role: Option<String>,
}

/// Why a text is not the ARN of a function. Fix the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not the ARN of a function at all.
    #[error(
        "'{0}' is not the ARN of a Lambda function, such as \
         arn:aws:lambda:eu-central-1:123456789012:function:greeter:1"
    )]
    Invalid(String),
    /// Started work needs the code it started on.
    #[error(
        "'{0}' names no version: add one, such as :1 or an alias that stays on its version, because \
         work that has started needs the code it started on"
    )]
    Unqualified(String),
    /// Not the ARN of a role.
    #[error("'{0}' is not the ARN of a role, such as arn:aws:iam::123456789012:role/invoker")]
    Role(String),
}

impl Function {
    /// Reads an ARN, and that of a role.
    pub fn parse(arn: &str, role: Option<&str>) -> Result<Function, ArnError> {
        let invalid = || ArnError::Invalid(arn.to_owned());
        let parts: Vec<&str> = arn.split(':').collect();
        let (region, account, name, qualifier) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", name, qualifier] => {
                (*region, *account, *name, *qualifier)
            }
            ["arn", _, "lambda", _, _, "function", _] => {
                return Err(ArnError::Unqualified(arn.to_owned()));
            }
            _ => return Err(invalid()),
        };
        let is_name = |text: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_$".contains(c);
            !text.is_empty() && text.len() <= 140 && text.chars().all(is_part)
        };
        if ![region, account, name, qualifier].into_iter().all(is_name) {
            return Err(invalid());
        }
        if let Some(role) = role
            && !(role.starts_with("arn:") && role.contains(":role/"))
        {
            return Err(ArnError::Role(role.to_owned()));
        }
        Ok(Function {
            region: region.to_ascii_lowercase(),
            account: account.to_owned(),
            name: format!("{name}:{qualifier}"),
            role: role.map(str::to_owned),
        })
    }

    /// Reads the URI form, with any path behind it.
    pub fn of(uri: &Uri) -> Option<Function> {
        let mut segments = uri.path().split('/').skip(1);
        let (account, name) = (segments.next()?, segments.next()?);
        let role = segments.next().and_then(|segment| segment.strip_prefix(ROLE_MARK));
        let role = match role {
            None => None,
            Some(role) => Some(String::from_utf8(URL_SAFE_NO_PAD.decode(role).ok()?).ok()?),
        };
        (uri.scheme_str() == Some(SCHEME)).then_some(Function {
            region: uri.host()?.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
            role,
        })
    }

    /// The ARN.
    pub fn arn(&self) -> String {
        let Function { region, account, name, .. } = self;
        format!("arn:aws:lambda:{region}:{account}:function:{name}")
    }

    /// The URI form as a path, which is in front of every request to it.
    pub fn path(&self) -> String {
        let role = self.role.as_ref().map(|role| URL_SAFE_NO_PAD.encode(role));
        let role = role.map_or_else(String::new, |role| format!("{ROLE_MARK}{role}/"));
        format!("/{}/{}/{role}", self.account, self.name)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}://{}{}", self.region, self.path())
    }
}
