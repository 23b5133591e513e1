//! Every scenario over every combination of SDK, serving mode and protocol version.

use super::{
    harness::{Cluster, Mode, Sdk, Setup, run_scenarios},
    scenarios,
};

macro_rules! combinations {
    ($($name:ident: $sdk:ident, $mode:ident, $version:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let setup = Setup::new(Mode::$mode, $version).sdk(Sdk::$sdk);
            let cluster = Cluster::start(setup).await;
            run_scenarios(cluster, scenarios::of(Sdk::$sdk)).await;
        })*
    };
}

combinations! {
    bidi_v5: TypeScript, Bidi, 5;
    bidi_v6: TypeScript, Bidi, 6;
    bidi_v7: TypeScript, Bidi, 7;
    request_response_v5: TypeScript, RequestResponse, 5;
    request_response_v6: TypeScript, RequestResponse, 6;
    request_response_v7: TypeScript, RequestResponse, 7;
    http1_v6: TypeScript, Http1, 6;
    lambda_v7: TypeScript, Lambda, 7;
    python_bidi_v5: Python, Bidi, 5;
    python_bidi_v6: Python, Bidi, 6;
    python_bidi_v7: Python, Bidi, 7;
    python_request_response_v5: Python, RequestResponse, 5;
    python_request_response_v6: Python, RequestResponse, 6;
    python_request_response_v7: Python, RequestResponse, 7;
    python_http1_v7: Python, Http1, 7;
    rust_bidi_v5: Rust, Bidi, 5;
    rust_bidi_v6: Rust, Bidi, 6;
    rust_bidi_v7: Rust, Bidi, 7;
    rust_request_response_v5: Rust, RequestResponse, 5;
    rust_request_response_v6: Rust, RequestResponse, 6;
    rust_request_response_v7: Rust, RequestResponse, 7;
    rust_http1_v7: Rust, Http1, 7;
    reveille_bidi_v5: Reveille, Bidi, 5;
    reveille_bidi_v6: Reveille, Bidi, 6;
    reveille_bidi_v7: Reveille, Bidi, 7;
    reveille_request_response_v5: Reveille, RequestResponse, 5;
    reveille_request_response_v6: Reveille, RequestResponse, 6;
    reveille_request_response_v7: Reveille, RequestResponse, 7;
    reveille_http1_v7: Reveille, Http1, 7;
    reveille_lambda_v7: Reveille, Lambda, 7;
}
