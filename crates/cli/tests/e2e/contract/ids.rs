//! Awakeable ids that are forged from a real one.

use super::{JSON, cluster};
use crate::harness::{id_bytes, sign_id};

const TYPE: &str = "id doesn't match the expected type";

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
