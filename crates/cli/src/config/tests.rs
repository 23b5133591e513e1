//! Tables of settings: every layer, precedence, and the text of every error.

use super::{table::KEYS, *};

const DOCUMENT: &str = include_str!("../../../../docs/configuration.md");

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn shown(settings: &Settings) -> String {
    format!("{settings:?}")
}

/// Loads a file (when there is text), variables and flags written like a command line.
fn load_all(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> anyhow::Result<Loaded> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }
    let arguments = ["reveille"].iter().chain(flags);
    let mut flags = <Line as clap::Parser>::try_parse_from(arguments)?.flags;
    let directory = tempfile::tempdir()?;
    if !file.is_empty() {
        let path = directory.path().join("reveille.toml");
        std::fs::write(&path, file)?;
        flags.config_file = Some(path.display().to_string());
    }
    let loaded = load(Settings::default(), &flags, &pairs(variables));
    let prefix = format!("{}/", directory.path().display());
    loaded.map_err(|error| anyhow::anyhow!(format!("{error:#}").replace(&prefix, "")))
}

fn check_error(file: &str, variables: &[(&str, &str)], flags: &[&str], expected: &str) {
    let got = match load_all(file, variables, flags) {
        Ok(loaded) => format!("accepted: {loaded:?}"),
        Err(error) => format!("{error:#}"),
    };
    assert!(got.contains(expected), "\nexpected {expected}\n     got {got}");
}

#[test]
fn default_texts_give_the_default_settings() {
    let mut settings = Settings::default();
    for key in KEYS {
        (key.set)(&mut settings, key.default).expect(key.path);
        assert_eq!(shown(&settings), shown(&Settings::default()), "{}", key.path);
    }
}

/// The hash of a token, with its name.
const HASH: &str = "ci=sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

/// Every row: key, a text that is not its default, and how the changed setting is shown.
const CHANGES: &[(&str, &str, &str)] = &[
    ("base-dir", "/srv/x", "data_dir: \"/srv/x\""),
    ("default-num-partitions", "3", "partitions_new: Some(3),"),
    ("ingress.bind-address", "0.0.0.0:1", "ingress_address: 0.0.0.0:1,"),
    ("ingress.request-size-limit", "1MiB", "request_size_limit: 1048576,"),
    ("ingress.concurrent-requests-limit", "5", "concurrent_requests_max: 5,"),
    ("ingress.streams-per-connection", "5", "streams_per_connection: 5,"),
    ("ingress.tokens", HASH, "ingress: ListenerSecurity { tokens: [\"ci\"], cert_file: None,"),
    ("ingress.waits-without-token", "true", "waits_without_token: true,"),
    (
        "ingress.kafka-clusters",
        r#"{"main": {"bootstrap.servers": "a:1,b:1", "sasl.password": "secret"}}"#,
        r#"kafka_clusters: [KafkaClusterConfig { name: "main", properties: {"bootstrap.servers": "a:1,b:1", "sasl.password": "***"} }]"#,
    ),
    (
        "ingress.tls.cert-file",
        "c.pem",
        "tokens: [], cert_file: Some(\"c.pem\"), key_file: None }, w",
    ),
    ("ingress.tls.key-file", "k.pem", "cert_file: None, key_file: Some(\"k.pem\") }, waits"),
    ("admin.bind-address", "[::1]:2", "admin_address: [::1]:2,"),
    ("admin.tokens", HASH, "admin: ListenerSecurity { tokens: [\"ci\"], cert_file: None,"),
    (
        "admin.tls.cert-file",
        "c.pem",
        "admin: ListenerSecurity { tokens: [], cert_file: Some(\"c.pem\")",
    ),
    ("admin.tls.key-file", "k.pem", "cert_file: None, key_file: Some(\"k.pem\") } }"),
    ("request-identity-private-key-pem-file", "i.pem", "identity_key_file: Some(\"i.pem\")"),
    ("http-client.ca-file", "ca.pem", "ca_file: Some(\"ca.pem\")"),
    ("admin.query.timeout", "3s", "query_timeout_ms: 3000,"),
    ("admin.query.answer-size-limit", "1MiB", "query_answer_size_limit: 1048576,"),
    ("admin.query.memory-limit", "1MiB", "query_memory_limit: 1048576,"),
    ("worker.invoker.inactivity-timeout", "11s", "inactivity_timeout_ms: 11000,"),
    ("worker.invoker.abort-timeout", "12s", "abort_timeout_ms: 12000,"),
    ("worker.invoker.concurrent-invocations-limit", "5", "concurrent_attempts_max: 5,"),
    ("worker.invoker.message-size-limit", "2MB", "message_size_limit: 2000000,"),
    ("worker.protocol-version-max", "6", "protocol_version_max: 6,"),
    ("worker.cleanup-interval", "2s", "Settings"),
    ("default-retry-policy.initial-interval", "13ms", "initial_interval_ms: 13,"),
    ("default-retry-policy.exponentiation-factor", "1.5", "factor: 1.5,"),
    ("default-retry-policy.max-interval", "PT14S", "max_interval_ms: 14000,"),
    ("default-retry-policy.max-attempts", "unlimited", "max_attempts: None,"),
    ("default-retry-policy.on-max-attempts", "kill", "on_max_attempts: Kill"),
    ("default-idempotency-retention", "15s", "idempotency_retention_ms: 15000,"),
    ("default-workflow-completion-retention", "16s", "workflow_retention_ms: 16000,"),
    ("default-journal-retention", "17s", "journal_retention_ms: 17000,"),
    ("tracing.endpoint", "http://c:4318", "endpoint: Some(\"http://c:4318\")"),
    ("tracing.headers", "x-a=b, x-c=d=e", "headers: [\"x-a\", \"x-c\"]"),
    ("tracing.sampling-ratio", "0.25", "sampling_ratio: 0.25"),
    ("tracing.service-name", "waker", "service_name: \"waker\""),
    ("log-filter", "warn,hyper=off", "log_filter: \"warn,hyper=off\""),
    ("log-format", "json", "log_format: Json"),
];

#[test]
fn every_key_is_read_from_the_file_and_the_environment() {
    let listed: Vec<&str> = CHANGES.iter().map(|(path, ..)| *path).collect();
    assert_eq!(listed, KEYS.iter().map(|key| key.path).collect::<Vec<_>>());
    for ((path, text, expected), key) in CHANGES.iter().zip(KEYS) {
        let file = load_all(&format!("{path} = {text:?}"), &[], &[]).expect(path);
        assert!(shown(&file.settings).contains(expected), "file {path}: {:?}", file.settings);
        let variable = load_all("", &[(&key.variable(), text)], &[]).expect(path);
        assert_eq!(shown(&variable.settings), shown(&file.settings), "environment {path}");
    }
}

#[test]
fn layers_win_over_those_before_them() {
    let file = "base-dir = 'file'\nlog-filter = 'error'\n[ingress]\nbind-address = '[::1]:1'";
    let variable =
        &[("REVEILLE_BASE_DIR", "variable"), ("REVEILLE_LOG_FILTER", "warn"), ("A", "b")];
    let flags = &["--data-dir", "flag", "--admin-address", "localhost:3", "--partitions=2"];
    for (file, variable, flags, expected) in [
        ("", &[][..], &[][..], "./reveille-data 127.0.0.1:8080 127.0.0.1:9070 None info"),
        (file, &[][..], &[][..], "file [::1]:1 127.0.0.1:9070 None error"),
        (file, &variable[..], &[][..], "variable [::1]:1 127.0.0.1:9070 None warn"),
        (file, &variable[..], &flags[..], "flag [::1]:1 127.0.0.1:3 Some(2) warn"),
        ("", &[][..], &flags[..], "flag 127.0.0.1:8080 127.0.0.1:3 Some(2) info"),
    ] {
        let settings = load_all(file, variable, flags).expect(expected).settings;
        let Settings { server, data_dir, partitions_new, log_filter, .. } = settings;
        let (ingress, admin) = (server.ingress_address, server.admin_address);
        let data_dir = data_dir.display();
        assert_eq!(
            format!("{data_dir} {ingress} {admin} {partitions_new:?} {log_filter}"),
            expected
        );
    }
}

#[test]
fn the_variable_names_a_file_and_the_flag_wins() {
    let variables = pairs(&[("REVEILLE_CONFIG", "a.toml")]);
    let flags = Flags { config_file: Some("b.toml".to_owned()), ..Flags::default() };
    for (flags, variables, expected) in [
        (&Flags::default(), &[][..], None),
        (&Flags::default(), &variables[..], Some(("REVEILLE_CONFIG", "a.toml".to_owned()))),
        (&flags, &variables[..], Some(("--config-file", "b.toml".to_owned()))),
    ] {
        assert_eq!(file_path(flags, variables), expected);
    }
}

#[test]
fn variables_of_the_commands_are_no_settings() {
    let variables = COMMAND_VARIABLES.map(|name| (name.to_owned(), "x".to_owned()));
    load(Settings::default(), &Flags::default(), &variables).expect("settings");
    check_error("", &[("REVEILLE_ADMIN_URI", "x")], &[], "unknown environment variable");
}

#[test]
fn file_errors_name_the_line_and_a_remedy() {
    for (file, expected) in [
        ("a = ", "reveille.toml:1: "),
        ("\n\n[ingress]\nbind-address = 5 5", "reveille.toml:4: "),
        (
            "[ingress]\nbind-adress = 'x'",
            "reveille.toml:2: unknown key ingress.bind-adress: did you mean ingress.bind-address?",
        ),
        (
            "log_filter = 'info'",
            "reveille.toml:1: unknown key log_filter: did you mean log-filter?",
        ),
        (
            "message-size-limit = 1",
            "unknown key message-size-limit: did you mean worker.invoker.message-size-limit?",
        ),
        ("roles = ['worker']", "unknown key roles: docs/configuration.md lists them all"),
        ("[metadata]", "reveille.toml:1: unknown key metadata: docs/configuration.md lists them"),
        (
            "admin = '127.0.0.1:1'",
            "reveille.toml:1: admin is a section with keys such as admin.bind-address",
        ),
        (
            "[ingress]\ntokens = 'reveille_secret'",
            "reveille.toml:2: ingress.tokens = \"(not shown)\": expected none, or hashes",
        ),
        (
            "[ingress]\nkafka-clusters = '{\"a\": \"secret\"}'",
            "reveille.toml:2: ingress.kafka-clusters = \"(not shown)\": expected JSON such as",
        ),
        (
            "[tracing]\nheaders = 'secret'",
            "reveille.toml:2: tracing.headers = \"(not shown)\": expected headers such as",
        ),
        (
            "[tracing]\nsampling-ratio = 2",
            "reveille.toml:2: tracing.sampling-ratio = \"2\": expected a number from 0 to 1",
        ),
        ("[log-filter]\na = 1", "reveille.toml:1: log-filter is a single value such as \"info\""),
        (
            "[default-retry-policy]\nmax-attempts = -1",
            "reveille.toml:2: default-retry-policy.max-attempts = \"-1\": expected a whole number",
        ),
    ] {
        check_error(file, &[], &[], expected);
    }
}

#[test]
fn environment_and_flag_errors_name_the_place_and_a_remedy() {
    for (name, text, expected) in [
        (
            "REVEILLE_INGRESS_BIND_ADDRESS",
            "127.0.0.1:1",
            "unknown environment variable REVEILLE_INGRESS_BIND_ADDRESS: did you mean \
             REVEILLE_INGRESS__BIND_ADDRESS?",
        ),
        (
            "REVEILLE_CLUSTER_NAME",
            "x",
            "unknown environment variable REVEILLE_CLUSTER_NAME: docs/configuration.md lists",
        ),
        ("REVEILLE_BASE_DIR", "", "REVEILLE_BASE_DIR=: expected a directory"),
        (
            "REVEILLE_ADMIN__TOKENS",
            "reveille_secret",
            "REVEILLE_ADMIN__TOKENS=(not shown): expected none, or hashes with commas between them",
        ),
        (
            "REVEILLE_INGRESS__WAITS_WITHOUT_TOKEN",
            "yes",
            "REVEILLE_INGRESS__WAITS_WITHOUT_TOKEN=yes: expected true or false",
        ),
        (
            "REVEILLE_INGRESS__TLS__CERT_FILE",
            "",
            "REVEILLE_INGRESS__TLS__CERT_FILE=: expected a file, or none",
        ),
        ("REVEILLE_CONFIG", "/no/such/file", "cannot read /no/such/file, the settings file named"),
    ] {
        check_error("", &[(name, text)], &[], expected);
    }
    for (flag, text, expected) in [
        ("--ingress-address", "8080", "--ingress-address 8080: expected an address and a port"),
        ("--partitions", "0", "--partitions 0: expected a whole number from 1 to 4096"),
        ("--log-format", "xml", "--log-format xml: expected text or json"),
        ("--log-filter", "a=b=c", "--log-filter a=b=c: expected a log filter such as info"),
        ("--config-file", "/no/such", "cannot read /no/such, the settings file named by --config"),
    ] {
        check_error("", &[], &[flag, text], expected);
    }
}

#[test]
fn variables_of_the_peer_are_named_once() {
    for (variables, expected) in [
        (
            &[("RESTATE_INGRESS__BIND_ADDRESS", "x"), ("RESTATE_CLUSTER_NAME", "x"), ("B", "x")][..],
            &["RESTATE_INGRESS__BIND_ADDRESS is not read: rename it to \
               REVEILLE_INGRESS__BIND_ADDRESS"][..],
        ),
        (
            &[("RESTATE_CONFIG", "x")][..],
            &["RESTATE_CONFIG is not read: rename it to REVEILLE_CONFIG"][..],
        ),
        (&[("RESTATE_BASE_DIR", "x"), ("REVEILLE_BASE_DIR", "y")][..], &[][..]),
    ] {
        assert_eq!(
            load_all("", variables, &[]).map_or_else(
                |_| environment::warnings(&pairs(variables)),
                |loaded| loaded.warnings,
            ),
            expected
        );
    }
}

#[test]
fn durations() {
    for (text, expected) in [
        ("10s", Some(10_000)),
        ("500ms", Some(500)),
        ("1h 30m", Some(5_400_000)),
        ("1h30m", Some(5_400_000)),
        (" 2 days ", Some(172_800_000)),
        ("1.5s", Some(1_500)),
        ("1w", Some(604_800_000)),
        ("0", Some(0)),
        ("0s", Some(0)),
        ("PT10S", Some(10_000)),
        ("pt0.5s", Some(500)),
        ("P1DT2H", Some(93_600_000)),
        ("P2W", Some(1_209_600_000)),
        ("PT1M", Some(60_000)),
        ("", None),
        ("10", None),
        ("ten seconds", None),
        ("10 parsecs", None),
        ("-1s", None),
        ("1..5s", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("P1M", None),
        ("P1Y", None),
        ("P1H", None),
        ("PT1D", None),
        ("101 w 36500d", None),
        ("99999999999999999999999d", None),
    ] {
        assert_eq!(value::duration_ms(text).ok(), expected, "{text:?}");
    }
    let error = format!("{:#}", value::duration_ms("10").expect_err("no unit"));
    assert_eq!(
        error,
        "expected a duration such as 10s, 1h 30m, 500ms or PT10S: expected a unit such as ms, s, \
         m, h or d at byte 2"
    );
}

#[test]
fn sizes() {
    for (text, expected) in [
        ("32MiB", Some(32 << 20)),
        ("32 mib", Some(32 << 20)),
        ("500kB", Some(500_000)),
        ("1024", Some(1024)),
        ("0.5KiB", Some(512)),
        ("0", None),
        ("", None),
        ("32", Some(32)),
        ("32M", None),
        ("1GiB", None),
        ("-1MiB", None),
        ("MiB", None),
    ] {
        assert_eq!(value::size(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn the_document_lists_every_key_with_its_default_and_variable() {
    let rows: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with("| `")).collect();
    let mut rows = rows.into_iter();
    for key in KEYS {
        let row = rows.next().unwrap_or("nothing");
        let expected = format!("| `{}` | `{}` | ", key.path, key.default);
        assert!(row.starts_with(&expected), "expected {expected}..., got {row}");
    }
    assert_eq!(rows.next(), None, "a row without a key");
}
