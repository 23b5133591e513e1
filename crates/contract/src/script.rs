//! The shapes of a parsed script.

/// A file of cases.
#[derive(Debug)]
pub struct Script {
    /// Name of the file without its ending.
    pub name: String,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// What one row of the contract says, as requests and answers.
#[derive(Debug)]
pub struct Case {
    /// Section of the contract, such as `12.3`.
    pub section: String,
    /// What the row is about.
    pub name: String,
    /// Line it starts at.
    pub line: usize,
    pub(crate) steps: Vec<Step>,
}

/// A request and its answer.
#[derive(Debug)]
pub(crate) struct Step {
    pub line: usize,
    pub request: Request,
    /// True when the request is repeated until the answer fits.
    pub poll: bool,
    pub answer: Expected,
    /// What the peer answers instead, with the reason why ours differs.
    pub peer: Option<(Expected, String)>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// Where callers connect.
    Ingress,
    /// Where operators connect.
    Admin,
    /// The stand-in beside the server.
    Fixture,
}

/// A request, with variables not yet filled in.
#[derive(Debug)]
pub(crate) struct Request {
    pub listener: Listener,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What an answer must be like.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub status: u16,
    pub checks: Vec<Check>,
    pub lets: Vec<(String, Source)>,
}

/// One thing that must hold of an answer. Texts are patterns.
#[derive(Debug)]
pub(crate) enum Check {
    Header(String, String),
    NoHeader(String),
    Body(String),
    Ingress(String),
    Invocation(String),
    /// The code, if any, and the message.
    Admin(Option<String>, String),
    Text(String),
    Json(String, serde_json::Value),
    NoJson(String),
}

/// Where a variable comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Json(String),
    Header(String),
    Body,
}
