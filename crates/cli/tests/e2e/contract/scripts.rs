//! The scripts of crate `reveille-contract` against the real binary.

use std::net::SocketAddr;

use reveille_contract::{Target, fixture::Fixture, run, scripts};

use crate::harness::{Cluster, Mode, Setup};

/// All cases of one run share the server, as those of users do.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_contract() {
    let scripts = scripts().expect("scripts that parse");
    let fixture = Fixture::start().await.expect("free ports");
    let cluster = Cluster::stopped(Setup::new(Mode::Bidi, 7));
    cluster.start_server().await;
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (ingress, admin) = (address(cluster.ports.ingress), address(cluster.ports.admin));
    let target = Target::prepare(&fixture, ingress, admin, false).await.expect("a server");
    let filter = std::env::var("CASE").unwrap_or_default();
    let report = run(&scripts, &target, &filter).await;
    let failures = report.failures();
    let (wrong, all) = (failures.len(), report.outcomes.len());
    assert!(wrong == 0, "{wrong} of {all} cases:\n{}\n{}", failures.join("\n"), cluster.logs());
}
