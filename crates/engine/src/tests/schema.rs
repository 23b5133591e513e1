//! The schema of the scripts: service `S`, object `O`, workflow `W`, one deployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use reveille_protocol::id::DeploymentId;

use crate::rules::{Rule, Rules, parse_pattern};
use crate::schema::{
    DeploymentSchema, HandlerKind, HandlerOptions, HandlerSchema, InputRule, OnMaxAttempts,
    OutputRule, RetryPolicy, Schema, ServiceKind, ServiceSchema,
};

/// What a script can choose with the statement `with`.
#[derive(Clone)]
pub struct Options {
    pub protocol_version: u32,
    pub bidirectional: bool,
    pub deployment: u128,
    pub lazy_state: bool,
    pub idempotency_retention_ms: u64,
    pub workflow_retention_ms: u64,
    pub journal_retention_ms: u64,
    pub retry: RetryPolicy,
    pub without: Option<String>,
    pub missing: Option<String>,
    pub gone: bool,
    pub former: bool,
    pub rules: Arc<Rules>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            protocol_version: 7,
            bidirectional: true,
            deployment: 1,
            lazy_state: false,
            idempotency_retention_ms: 60_000,
            workflow_retention_ms: 90_000,
            journal_retention_ms: 90_000,
            retry: RetryPolicy {
                initial_interval_ms: 100,
                factor: 2.0,
                max_interval_ms: 1_000,
                max_attempts: None,
                on_max_attempts: OnMaxAttempts::Pause,
            },
            without: None,
            missing: None,
            gone: false,
            former: false,
            rules: Arc::default(),
        }
    }
}

impl Options {
    /// Reads the statement `rules`.
    pub fn set_rules(&mut self, words: &[&str]) {
        let rules = words.iter().map(|word| {
            let (disabled, word) =
                word.strip_prefix('-').map_or((false, *word), |word| (true, word));
            let (pattern, limit) = word.split_once('=').expect("a pattern and a limit");
            let concurrency = (limit != "!").then(|| limit.parse().expect("a limit"));
            let pattern = parse_pattern(pattern).expect("a pattern");
            (pattern, Rule { concurrency, disabled, ..Rule::default() })
        });
        self.rules = Arc::new(Rules { version: 1, by_pattern: rules.collect() });
    }

    /// Reads one word of the statement `with`.
    pub fn set(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<u32>().unwrap_or_else(|_| panic!("not a number: {word}"));
        match name {
            "v5" | "v6" | "v7" => self.protocol_version = name[1..].parse().expect("a version"),
            "bidi" => self.bidirectional = true,
            "rr" => self.bidirectional = false,
            "deployment" => self.deployment = number().into(),
            "gone" => self.gone = true,
            "lazy" => self.lazy_state = true,
            "idempotency" => self.idempotency_retention_ms = number().into(),
            "workflow" => self.workflow_retention_ms = number().into(),
            "journal" => self.journal_retention_ms = number().into(),
            "max" => self.retry.max_attempts = Some(number().into()),
            "kill" => self.retry.on_max_attempts = OnMaxAttempts::Kill,
            "missing" => self.missing = Some(value.to_owned()),
            "without" => self.without = Some(value.to_owned()),
            "former" => self.former = true,
            "all" => self.without = None,
            _ => panic!("unknown option {word}"),
        }
    }
}

/// Builds the schema.
pub fn build(options: &Options) -> Schema {
    let services = [
        ("S", ServiceKind::Service, &[("h", HandlerKind::Plain)][..]),
        ("T", ServiceKind::Service, &[("h", HandlerKind::Plain)]),
        (
            "O",
            ServiceKind::VirtualObject,
            &[("x", HandlerKind::Exclusive), ("s", HandlerKind::Shared)],
        ),
        ("W", ServiceKind::Workflow, &[("run", HandlerKind::Workflow), ("s", HandlerKind::Shared)]),
    ];
    let deployment = DeploymentSchema {
        id: DeploymentId(options.deployment),
        uri: "http://localhost:9080/".to_owned(),
        bidirectional: options.bidirectional,
        http1: false,
        protocol_version: options.protocol_version,
        headers: Vec::new(),
        services: names(options.missing.as_deref()),
        former: former(options),
    };
    let kept = services.into_iter().filter(|(name, ..)| options.without.as_deref() != Some(name));
    let mut deployments = BTreeMap::from([(deployment.id, deployment.clone())]);
    if !options.gone {
        let first = DeploymentSchema { id: DeploymentId(1), services: names(None), ..deployment };
        deployments.entry(first.id).or_insert(first);
    }
    Schema {
        services: kept
            .map(|(name, kind, handlers)| (name.to_owned(), service(options, name, kind, handlers)))
            .collect(),
        deployments,
        rules: Arc::clone(&options.rules),
    }
}

/// What is left of a service that is not registered any more, if anything is.
fn former(options: &Options) -> BTreeMap<String, BTreeMap<String, HandlerOptions>> {
    let names = options.without.iter().filter(|_| options.former);
    let handlers = || BTreeMap::from([("h".to_owned(), handler_options(options))]);
    names.map(|name| (name.clone(), handlers())).collect()
}

/// The services of a deployment, but for one.
fn names(missing: Option<&str>) -> Vec<String> {
    let all = ["O", "S", "T", "W"].into_iter().filter(|name| Some(*name) != missing);
    all.map(str::to_owned).collect()
}

fn service(
    options: &Options,
    name: &str,
    kind: ServiceKind,
    handlers: &[(&str, HandlerKind)],
) -> ServiceSchema {
    let handlers = handlers.iter().map(|(name, kind)| {
        let handler = HandlerSchema {
            name: (*name).to_owned(),
            kind: *kind,
            options: handler_options(options),
            input: InputRule { content_type: None, required: false },
            output: OutputRule { content_type: None, set_content_type_if_empty: false },
        };
        ((*name).to_owned(), handler)
    });
    ServiceSchema {
        name: name.to_owned(),
        kind,
        deployment: DeploymentId(options.deployment),
        revision: 1,
        handlers: handlers.collect(),
    }
}

fn handler_options(options: &Options) -> HandlerOptions {
    HandlerOptions {
        inactivity_timeout_ms: 60_000,
        abort_timeout_ms: 600_000,
        journal_retention_ms: options.journal_retention_ms,
        idempotency_retention_ms: options.idempotency_retention_ms,
        workflow_retention_ms: options.workflow_retention_ms,
        lazy_state: options.lazy_state,
        public: true,
        retry: options.retry.clone(),
    }
}
