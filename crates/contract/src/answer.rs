//! An answer, and whether it is what a script expects.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::{
    pattern::{Variables, fill, fits, json_fill, json_fits},
    script::{Check, Expected, Source},
};

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap_or("(not text)"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("no JSON: {error}"))
    }

    /// Compares with what is expected and says what differs first.
    pub fn compare(&self, expected: &Expected, variables: &Variables) -> Result<(), String> {
        if self.status != expected.status {
            return Err(format!("status {}, not {}", self.status, expected.status));
        }
        expected.checks.iter().try_for_each(|check| self.check(check, variables))
    }

    fn check(&self, check: &Check, variables: &Variables) -> Result<(), String> {
        match check {
            Check::Header(name, value) => self.check_header(name, &fill(value, variables)),
            Check::NoHeader(name) => match self.header(name) {
                None => Ok(()),
                Some(value) => Err(format!("there is a header {name}: {value}")),
            },
            Check::Body(pattern) => self.check_body(&fill(pattern, variables)),
            Check::Ingress(message) => {
                self.check_header("x-restate-error-source", "ingress")?;
                self.check(&Check::NoHeader("x-restate-id".to_owned()), variables)?;
                self.check_failure(&fill(message, variables), "ingress")
            }
            Check::Invocation(message) => {
                self.check_header("x-restate-error-source", "invocation")?;
                self.check_header("x-restate-id", "inv_1…")?;
                self.check_failure(&fill(message, variables), "invocation")
            }
            Check::Admin(code, message) => {
                self.check_header("content-type", "application/json")?;
                let message = Value::String(fill(message, variables));
                if code.as_deref() == Some("…") {
                    return self.check_json("/message", &message);
                }
                self.check_json("", &json!({"message": message, "restate_code": code}))
            }
            Check::Text(message) => {
                self.check_header("content-type", "text/plain; charset=utf-8")?;
                self.check_body(&fill(message, variables))
            }
            Check::Json(pointer, value) => {
                self.check_json(&fill(pointer, variables), &json_fill(value, variables))
            }
            Check::NoJson(pointer) => match self.json()?.pointer(&fill(pointer, variables)) {
                None => Ok(()),
                Some(value) => Err(format!("there is {pointer}: {value}")),
            },
        }
    }

    /// The shape of an error of the ingress, member order included.
    fn check_failure(&self, message: &str, source: &str) -> Result<(), String> {
        self.check_header("content-type", "application/json")?;
        let message = Value::String(message.to_owned());
        let status = self.status;
        self.check_body(&format!(r#"{{"code":{status},"message":{message},"source":"{source}"}}"#))
    }

    fn check_header(&self, name: &str, pattern: &str) -> Result<(), String> {
        match self.header(name) {
            Some(value) if fits(pattern, value) => Ok(()),
            Some(value) => Err(format!("{name}: {value}, not {pattern}")),
            None => Err(format!("no header {name}, which should be {pattern}")),
        }
    }

    fn check_body(&self, pattern: &str) -> Result<(), String> {
        match fits(pattern, &self.text()) {
            true => Ok(()),
            false => Err(format!("the body is not {pattern:?}")),
        }
    }

    fn check_json(&self, pointer: &str, expected: &Value) -> Result<(), String> {
        let body = self.json()?;
        match body.pointer(pointer) {
            Some(value) if json_fits(expected, value) => Ok(()),
            Some(value) => Err(format!("{pointer} is {value}, not {expected}")),
            None => Err(format!("there is no {pointer}, which should be {expected}")),
        }
    }

    /// Reads what a `let` asks for.
    pub fn read(&self, source: &Source) -> Result<String, String> {
        match source {
            Source::Header(name) => {
                self.header(name).map(str::to_owned).ok_or_else(|| format!("no header {name}"))
            }
            Source::Body => Ok(self.text()),
            Source::Json(pointer) => match self.json()?.pointer(pointer) {
                Some(Value::String(text)) => Ok(text.clone()),
                Some(value) => Ok(value.to_string()),
                None => Err(format!("there is no {pointer}")),
            },
        }
    }
}
