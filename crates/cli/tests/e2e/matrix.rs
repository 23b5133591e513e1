//! Every scenario over every combination of serving mode and protocol version.

use super::{
    harness::{Cluster, Mode, Setup, run_scenarios},
    scenarios,
};

macro_rules! combinations {
    ($($name:ident: $mode:expr, $version:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let cluster = Cluster::start(Setup::new($mode, $version)).await;
            run_scenarios(cluster, scenarios::all()).await;
        })*
    };
}

combinations! {
    bidi_v5: Mode::Bidi, 5;
    bidi_v6: Mode::Bidi, 6;
    bidi_v7: Mode::Bidi, 7;
    request_response_v5: Mode::RequestResponse, 5;
    request_response_v6: Mode::RequestResponse, 6;
    request_response_v7: Mode::RequestResponse, 7;
    http1_v6: Mode::Http1, 6;
    lambda_v7: Mode::Lambda, 7;
}
