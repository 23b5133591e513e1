//! Tests of manifest parsing.

use crate::manifest::{
    ACCEPT, HandlerType, InputPayload, Manifest, ManifestError, ProtocolMode,
    RetryPolicyOnMaxAttempts, ServiceType, parse,
};
use crate::version::ServiceProtocolVersion;

const V4: &str = "application/vnd.restate.endpointmanifest.v4+json";

fn parse_v4(body: &str) -> Result<Manifest, ManifestError> {
    parse(V4, body.as_bytes())
}

/// A manifest with one service and one handler, whose members are given.
fn one(service: &str, handler: &str) -> String {
    format!(
        r#"{{"minProtocolVersion":5,"maxProtocolVersion":7,
            "services":[{{{service},"handlers":[{{{handler}}}]}}]}}"#
    )
}

/// The recording broke off within the last handler of this manifest; its end was completed after the
/// pattern of the others.
#[test]
fn recorded_manifest() {
    let body = include_bytes!("../../tests/manifests/typescript-v4.json");
    let manifest = parse(V4, body).unwrap();
    assert_eq!(manifest.protocol_mode, None);
    assert_eq!((manifest.min_protocol_version, manifest.max_protocol_version), (5, 7));
    assert_eq!(manifest.highest_common_version(), Some(ServiceProtocolVersion::V7));
    let kinds: Vec<_> = manifest
        .services
        .iter()
        .map(|service| (service.name.as_str(), service.ty, service.handlers[0].ty))
        .collect();
    let expected = [
        ("Greeter", ServiceType::Service, None),
        ("Counter", ServiceType::VirtualObject, Some(HandlerType::Exclusive)),
        ("Wf", ServiceType::Workflow, Some(HandlerType::Workflow)),
    ];
    assert_eq!(kinds, expected);
    let greet = &manifest.services[0].handlers[0];
    let input = greet.input.as_ref().unwrap();
    assert_eq!(input.content_type.as_deref(), Some("application/json"));
    assert_eq!(input.required, Some(false));
    assert_eq!(greet.output.as_ref().unwrap().set_content_type_if_empty, Some(false));

    let again: serde_json::Value = serde_json::to_value(&manifest).unwrap();
    assert_eq!(again, serde_json::from_slice::<serde_json::Value>(body).unwrap());
}

#[test]
fn all_options() {
    let options = r#""documentation":"d","metadata":{"k":"v"},"inactivityTimeout":1,
        "abortTimeout":2,"journalRetention":3,"idempotencyRetention":4,
        "workflowCompletionRetention":5,"enableLazyState":true,
        "eagerStateKeysWhitelist":["a"],"ingressPrivate":true,"retryPolicyInitialInterval":6,
        "retryPolicyMaxInterval":7,"retryPolicyMaxAttempts":8,
        "retryPolicyExponentiationFactor":1.5,"retryPolicyOnMaxAttempts":"KILL","new":[1]"#;
    let body = format!(
        r#"{{"protocolMode":"BIDI_STREAM","minProtocolVersion":1,"maxProtocolVersion":2147483647,
            "lambdaCompression":"zstd","unknown":{{}},"services":[{{"name":"W","ty":"WORKFLOW",
            {options},"handlers":[{{"name":"run","ty":null,"input":null,{options}}}]}}]}}"#
    );
    let manifest = parse_v4(&body).unwrap();
    assert_eq!(manifest.protocol_mode, Some(ProtocolMode::BidiStream));
    let service = &manifest.services[0];
    let handler = &service.handlers[0];
    assert_eq!((handler.ty, &handler.input), (None, &None));
    assert_eq!(handler.effective_type(service.ty), Some(HandlerType::Workflow));
    for options in [&service.options, &handler.options] {
        let durations_ms = [
            options.inactivity_timeout_ms,
            options.abort_timeout_ms,
            options.journal_retention_ms,
            options.idempotency_retention_ms,
            options.workflow_completion_retention_ms,
            options.retry_policy_initial_interval_ms,
            options.retry_policy_max_interval_ms,
            options.retry_policy_max_attempts,
        ];
        assert_eq!(durations_ms, [1, 2, 3, 4, 5, 6, 7, 8].map(Some));
        assert_eq!(options.documentation.as_deref(), Some("d"));
        assert_eq!(options.metadata.as_ref().unwrap()["k"], "v");
        assert_eq!((options.enable_lazy_state, options.ingress_private), (Some(true), Some(true)));
        assert_eq!(options.eager_state_keys_whitelist, Some(vec!["a".to_owned()]));
        assert_eq!(options.retry_policy_exponentiation_factor, Some(1.5));
        assert_eq!(options.retry_policy_on_max_attempts, Some(RetryPolicyOnMaxAttempts::Kill));
    }
}

#[test]
fn void_input_is_not_missing_input() {
    let json = Some("application/json".to_owned());
    let table = [
        ("", None),
        (r#","input":null"#, None),
        (r#","input":{}"#, Some(InputPayload::default())),
        (r#","input":{"contentType":null}"#, Some(InputPayload::default())),
        (
            r#","input":{"required":true,"contentType":"application/json","jsonSchema":true}"#,
            Some(InputPayload {
                required: Some(true),
                content_type: json,
                json_schema: Some(serde_json::Value::Bool(true)),
            }),
        ),
    ];
    for (member, expected) in table {
        let body = one(r#""name":"S","ty":"SERVICE""#, &format!(r#""name":"h"{member}"#));
        assert_eq!(parse_v4(&body).unwrap().services[0].handlers[0].input, expected, "{member}");
    }
}

#[test]
fn content_types() {
    let body = br#"{"minProtocolVersion":5,"maxProtocolVersion":6,"services":[]}"#;
    for version in 1..=5 {
        let text = format!("application/vnd.restate.endpointmanifest.v{version}+json");
        assert!(parse(&text, body).is_ok(), "{text}");
        assert_eq!(ACCEPT.contains(&text), version <= 4, "{text}");
    }
    assert!(parse(&format!("{} ; charset=utf-8", V4.to_uppercase()), body).is_ok());
    assert_eq!(ACCEPT.split(", ").count(), 4);
    for text in ["", "application/json", "application/vnd.restate.endpointmanifest.v6+json"] {
        let error = parse(text, body).unwrap_err();
        assert!(matches!(error, ManifestError::ContentType(found) if found == text), "{text}");
    }
}

#[test]
fn names() {
    let both = ["a", "Z9", "_a", "_1b_", "a_b"];
    let service_only = ["a.b-c", "_a-", "x."];
    let neither = ["", "_", "__a", "1a", "-a", ".a", "a b", "é", "aé", "a/b", "a\\n"];
    let table = (both.iter().map(|name| (name, true, true)))
        .chain(service_only.iter().map(|name| (name, true, false)))
        .chain(neither.iter().map(|name| (name, false, false)));
    for (name, is_service, is_handler) in table {
        let service =
            parse_v4(&one(&format!(r#""name":"{name}","ty":"SERVICE""#), r#""name":"h""#));
        assert_eq!(service.is_ok(), is_service, "{name}: {service:?}");
        if let Err(error) = service {
            assert!(matches!(error, ManifestError::ServiceName(_)), "{error}");
        }
        let handler =
            parse_v4(&one(r#""name":"S","ty":"SERVICE""#, &format!(r#""name":"{name}""#)));
        assert_eq!(handler.is_ok(), is_handler, "{name}: {handler:?}");
        if let Err(error) = handler {
            assert!(matches!(error, ManifestError::HandlerName { .. }), "{error}");
        }
    }
}

#[test]
fn handler_types() {
    let error = |pair: &str| {
        Some(format!("invalid combination of service type and handler type '({pair})'"))
    };
    let table = [
        ("SERVICE", "null", None),
        ("SERVICE", r#""EXCLUSIVE""#, error("Service, Some(Exclusive)")),
        ("SERVICE", r#""SHARED""#, error("Service, Some(Shared)")),
        ("SERVICE", r#""WORKFLOW""#, error("Service, Some(Workflow)")),
        ("VIRTUAL_OBJECT", "null", None),
        ("VIRTUAL_OBJECT", r#""EXCLUSIVE""#, None),
        ("VIRTUAL_OBJECT", r#""SHARED""#, None),
        ("VIRTUAL_OBJECT", r#""WORKFLOW""#, error("VirtualObject, Some(Workflow)")),
        ("WORKFLOW", "null", None),
        ("WORKFLOW", r#""EXCLUSIVE""#, error("Workflow, Some(Exclusive)")),
        ("WORKFLOW", r#""SHARED""#, None),
        ("WORKFLOW", r#""WORKFLOW""#, None),
    ];
    for (service, handler, expected) in table {
        let service = format!(r#""name":"S","ty":"{service}""#);
        let body = one(&service, &format!(r#""name":"h","ty":{handler}"#));
        let found = parse_v4(&body).err().map(|error| error.to_string());
        assert_eq!(found, expected, "{service} {handler}");
    }
}

#[test]
fn refused_bodies() {
    let reserved = |name: &str| one(&format!(r#""name":"{name}","ty":"SERVICE""#), r#""name":"h""#);
    let range = |range: &str| {
        format!(r#"{{{range},"services":[]}}"#).replace('<', r#""minProtocolVersion":"#)
    };
    let negative = one(r#""name":"S","ty":"SERVICE","abortTimeout":-1"#, r#""name":"h""#);
    let unknown_enum = one(r#""name":"S","ty":"ACTOR""#, r#""name":"h""#);
    let table = [
        (reserved("restate"), "cannot insert/modify service 'restate' as it contains a reserved"),
        (reserved("openapi"), "cannot insert/modify service 'openapi' as it contains a reserved"),
        (reserved("reveille"), "cannot insert/modify service 'reveille' as it contains a reserved"),
        (range(r#"<7,"maxProtocolVersion":6"#), "invalid service protocol range [7, 6]"),
        (range(r#"<0,"maxProtocolVersion":6"#), "invalid service protocol range [0, 6]"),
        (range(r#"<5,"maxProtocolVersion":2147483648"#), "invalid service protocol range [5, 2"),
        (range("<5"), "missing field `maxProtocolVersion`"),
        (negative, "invalid value: integer `-1`"),
        (unknown_enum, "unknown variant `ACTOR`"),
        (String::new(), "EOF while parsing"),
        ("[]".to_owned(), "invalid length 0"),
        (format!("{}x", range(r#"<5,"maxProtocolVersion":6"#)), "trailing characters"),
    ];
    for (body, expected) in table {
        let found = parse_v4(&body).unwrap_err().to_string();
        assert!(found.starts_with(expected), "{body}: {found}");
    }
}

#[test]
fn last_duplicate_wins() {
    let body = r#"{"minProtocolVersion":5,"maxProtocolVersion":6,"services":[
        {"name":"A","ty":"SERVICE","handlers":[]},
        {"name":"B","ty":"SERVICE","handlers":[]},
        {"name":"A","ty":"WORKFLOW","handlers":[
            {"name":"x","ty":"SHARED"},{"name":"y","ty":"SHARED"},{"name":"x"}]}]}"#;
    let manifest = parse_v4(body).unwrap();
    let services: Vec<_> =
        manifest.services.iter().map(|service| (service.name.as_str(), service.ty)).collect();
    assert_eq!(services, [("B", ServiceType::Service), ("A", ServiceType::Workflow)]);
    let handlers: Vec<_> = manifest.services[1]
        .handlers
        .iter()
        .map(|handler| (handler.name.as_str(), handler.ty))
        .collect();
    assert_eq!(handlers, [("y", Some(HandlerType::Shared)), ("x", None)]);
}
