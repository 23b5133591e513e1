//! Awakeable ids cannot be forged: they carry a secret that no other interface shows.

use std::sync::Arc;

use serde_json::json;

use crate::{
    harness::{Cluster, id_bytes, sign_id},
    scenarios,
};

scenarios![
    id_is_the_public_one_and_a_secret,
    public_id_cannot_complete,
    wrong_secret_is_an_unknown_wait,
    handlers_need_the_secret_too,
    secrets_differ,
];

const PUBLIC_BYTES: usize = 24;
const SECRET_BYTES: usize = 16;

async fn id_is_the_public_one_and_a_secret(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "secret-shape").await;
    assert_eq!(wait.len(), "sign_1".len() + 59, "{wait}");
    let bytes = id_bytes(&wait);
    assert_eq!(bytes.len(), PUBLIC_BYTES + SECRET_BYTES + 4);
    assert_eq!(bytes[..PUBLIC_BYTES], public_bytes(&invocation));
    assert_eq!(bytes[PUBLIC_BYTES + SECRET_BYTES..], 17_u32.to_be_bytes());
    cluster.resolve(&wait, "done").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "done");
}

/// The 24 bytes behind `inv_1`: a u64 of 11 base-62 digits and a u128 of 22, little-endian.
fn public_bytes(invocation: &str) -> Vec<u8> {
    let digits = invocation.strip_prefix("inv_1").expect("an invocation id").as_bytes();
    assert_eq!(digits.len(), 33, "{invocation}");
    let value = |digits: &[u8]| {
        digits.iter().fold(0_u128, |value, digit| {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'z' => digit - b'a' + 10,
                b'A'..=b'Z' => digit - b'A' + 36,
                other => panic!("{other} is no base-62 digit"),
            };
            value * 62 + u128::from(digit)
        })
    };
    let route = u64::try_from(value(&digits[..11])).expect("11 digits hold a u64");
    [route.to_le_bytes().as_slice(), &value(&digits[11..]).to_le_bytes()].concat()
}

async fn public_id_cannot_complete(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "public-id").await;
    let index = 17_u32.to_be_bytes();
    // The id as an engine without secrets would build it: all of it is public.
    let forged = sign_id(&[public_bytes(&invocation).as_slice(), &index].concat());
    for path in ["/restate/awakeables", "/restate/a", "/reveille/waits"] {
        for verb in ["resolve", "reject"] {
            let call = cluster.ingress.post(&format!("{path}/{forged}/{verb}")).json("forged");
            let answer = call.send().await;
            assert!([400, 404].contains(&answer.status), "{}: {}", answer.what, answer.text());
        }
    }
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&wait, "real").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "real");
}

async fn wrong_secret_is_an_unknown_wait(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "wrong-secret").await;
    let mut wrong = id_bytes(&wait);
    wrong[PUBLIC_BYTES + 3] ^= 1;
    let mut unknown = id_bytes(&wait);
    unknown[PUBLIC_BYTES - 1] ^= 1;
    let mut bodies = Vec::new();
    for bytes in [wrong, unknown] {
        let id = sign_id(&bytes);
        for path in ["/restate/awakeables", "/reveille/waits"] {
            let call = cluster.ingress.post(&format!("{path}/{id}/resolve")).json("forged");
            let answer = call.send().await.expect(404);
            bodies.push(answer.text().replace(&id, "ID"));
        }
        cluster.ingress.get(&format!("/reveille/waits/{id}")).send().await.expect(404);
    }
    // A wrong secret is told nothing that an unknown id is not told.
    assert_eq!(bodies[..2], bodies[2..]);
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&wait, "right").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "right");
}

async fn handlers_need_the_secret_too(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "handler-secret").await;
    let mut wrong = id_bytes(&wait);
    wrong[PUBLIC_BYTES] ^= 0x80;
    cluster.call("reviewer/approve", json!({"id": sign_id(&wrong)})).await.expect(200);
    cluster.output(&invocation).await.expect(470);
    cluster.call("reviewer/approve", json!({"id": wait})).await.expect(200);
    assert_eq!(cluster.result(&invocation).await, "Looks good!");
}

async fn secrets_differ(cluster: Arc<Cluster>) {
    let (_, first) = cluster.ask("approval/ask", "secret-1").await;
    let (_, second) = cluster.ask("approval/ask", "secret-2").await;
    let secret = |wait: &str| id_bytes(wait)[PUBLIC_BYTES..PUBLIC_BYTES + SECRET_BYTES].to_vec();
    assert_ne!(secret(&first), secret(&second));
    for wait in [first, second] {
        cluster.resolve(&wait, "done").await.expect(202);
    }
}
