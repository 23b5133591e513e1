//! Ids of invocations and awakeables that are malformed or name nothing.

use super::{JSON, Row, check, cluster, row};
use crate::harness::{id_bytes, sign_id};

const TYPE: &str = "id doesn't match the expected type";

const ROWS: &[Row] = &[
    row("GET /restate/attach/foo", 400, "bad invocation id 'foo': bad format"),
    row("GET /restate/output/foo", 400, "bad invocation id 'foo': bad format"),
    row("GET /restate/invocation/foo/output", 400, "bad invocation id 'foo': bad format"),
    row("GET /restate/output/inv_1", 400, "bad invocation id 'inv_1': bad length"),
    row(
        "GET /restate/output/inv_10000000000000000000000000000000000",
        400,
        "bad invocation id 'inv_10000000000000000000000000000000000': bad length",
    ),
    row(
        "GET /restate/output/inv_2000000000000000000000000000000000",
        400,
        "bad invocation id 'inv_2000000000000000000000000000000000': unrecognized codec version",
    ),
    row("GET /restate/output/inv_1000000000000000000000000000000000", 404, "invocation not found"),
    row("POST /restate/awakeables/foo/resolve", 400, "bad awakeable id 'foo': bad format"),
    row("POST /restate/a/foo/resolve", 400, "bad awakeable id 'foo': bad format"),
    row("POST /restate/awakeables/foo/reject", 400, "bad awakeable id 'foo': bad format"),
    row("POST /restate/awakeables/prom_/resolve", 400, "bad awakeable id 'prom_': bad length"),
    row("POST /restate/awakeables/prom_1/resolve", 400, "bad awakeable id 'prom_1': bad length"),
    row(
        "POST /restate/awakeables/prom_1abc/resolve",
        400,
        "bad awakeable id 'prom_1abc': bad length",
    ),
    row(
        "POST /restate/awakeables/sign_1/resolve",
        400,
        "bad awakeable id 'sign_1': id doesn't match the expected type",
    ),
    row(
        "POST /restate/awakeables/sign_1abc/resolve",
        400,
        "bad awakeable id 'sign_1abc': id doesn't match the expected type",
    ),
    row(
        "POST /restate/awakeables/inv_1000000000000000000000000000000000/resolve",
        400,
        "bad awakeable id 'inv_1000000000000000000000000000000000': \
         id doesn't match the expected type",
    ),
    row(
        "POST /restate/awakeables/sign_2abc/reject",
        400,
        "bad awakeable id 'sign_2abc': unrecognized codec version",
    ),
    row(
        "POST /restate/awakeables/xyz_1abc/resolve",
        400,
        "bad awakeable id 'xyz_1abc': unrecognized resource type: xyz",
    ),
    row("POST /reveille/waits/foo/resolve", 400, "bad awakeable id 'foo': bad format"),
];

#[tokio::test]
async fn malformed_ids() {
    let cluster = cluster().await;
    check(&cluster, ROWS).await;

    let unknown = format!("/restate/attach/inv_1{}", "0".repeat(33));
    let answer = cluster.ingress.get(&unknown).send().await.expect(404);
    assert_eq!(answer.text(), r#"{"code":404,"message":"not found","source":"invocation"}"#);
    assert_eq!(answer.header("x-restate-id"), format!("inv_1{}", "0".repeat(33)));
}

#[tokio::test]
async fn awakeables_that_are_none() {
    let cluster = cluster().await;
    let (invocation, wait) = cluster.ask("approval/ask", "ids").await;
    let resolve = async |id: &str| {
        let path = format!("/restate/awakeables/{id}/resolve");
        cluster.ingress.post(&path).json("forged").send().await
    };
    // A well-formed id of nothing is unknown (the peer says 202).
    let answer = resolve(&sign_id(&[7; 44])).await.expect(404);
    assert_eq!(answer.json()["outcome"], "unknown", "{}", answer.text());

    // An awakeable URL must not be able to cancel, which is what index 1 means.
    let mut cancel = id_bytes(&wait);
    cancel[40..].copy_from_slice(&1_u32.to_be_bytes());
    let cancel = sign_id(&cancel);
    let answer = resolve(&cancel).await.expect(400);
    assert_eq!(answer.json()["message"], format!("bad awakeable id '{cancel}': {TYPE}"));

    let illegal = format!("{}!", &wait[..wait.len() - 1]);
    let answer = resolve(&illegal).await.expect(400);
    assert_eq!(answer.json()["message"], format!("bad awakeable id '{illegal}': {TYPE}"));

    cluster.output(&invocation).await.expect(470);
    // What follows the verb is ignored.
    let path = format!("/restate/awakeables/{wait}/resolve/extra");
    let answer = cluster.ingress.post(&path).bytes(r#""real""#).header(JSON.0, JSON.1);
    answer.send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "real");
}
