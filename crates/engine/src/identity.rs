//! Where an invocation lives and what it is called.
//!
//! - Owns: partition routing, derived ids and the secret part of `Start.id`.
//! - Invariant: idempotent targets (workflow runs, explicit idempotency keys, records of topics) always
//!   give the same id; the same id never gives the same secret twice, because the creation time is part of it.

use hmac::{Hmac, KeyInit, Mac};
use reveille_protocol::id::InvocationId;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use twox_hash::{XxHash3_64, XxHash3_128};

use crate::command::{Millis, Target};
use crate::subscription::Position;

/// Key of the store's keyed hash: 32 random bytes, made when the store is created.
#[derive(Clone)]
pub struct SecretKey(pub [u8; 32]);

/// Number of secret bytes in `Start.id` and in awakeable ids.
pub const SECRET_LEN: usize = 16;

impl SecretKey {
    /// Computes the secret of an invocation. Needs no storage; costs one HMAC-SHA-256.
    pub fn secret(&self, id: InvocationId, created_at: Millis) -> [u8; SECRET_LEN] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any size");
        mac.update(id.as_bytes());
        mac.update(&created_at.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let mut secret = [0; SECRET_LEN];
        secret.copy_from_slice(&digest[..SECRET_LEN]);
        secret
    }

    /// Compares a presented secret in constant time.
    pub fn verify(&self, id: InvocationId, created_at: Millis, presented: &[u8]) -> bool {
        self.secret(id, created_at).ct_eq(presented).into()
    }
}

/// Computes the seed of a handler's random numbers: stable over attempts, new for each creation.
pub fn random_seed(id: InvocationId, created_at: Millis) -> u64 {
    let mut bytes = [0; 32];
    bytes[..24].copy_from_slice(id.as_bytes());
    bytes[24..].copy_from_slice(&created_at.to_be_bytes());
    XxHash3_64::oneshot_with_seed(0x5eed, &bytes)
}

/// The partition that owns an invocation: the u64 key space is cut into equal ranges.
pub fn partition_of(id: InvocationId, partitions: u16) -> u16 {
    let scaled = (u128::from(id.partition_key()) * u128::from(partitions)) >> 64;
    u16::try_from(scaled).expect("a scaled key is below the number of partitions")
}

/// The routing key of everything that belongs to one object or workflow key.
pub fn partition_key_of(key: &str) -> u64 {
    XxHash3_64::oneshot(key.as_bytes())
}

/// The id of a workflow run: one per scope, workflow and key. Everything of a scope has one routing
/// key, so that it lives in one partition.
pub fn workflow_run_id(scope: Option<&str>, service: &str, key: &str) -> InvocationId {
    let unique = match scope {
        None => digest(&[b"run", service.as_bytes(), key.as_bytes()]),
        Some(scope) => {
            digest(&[b"scoped run", scope.as_bytes(), service.as_bytes(), key.as_bytes()])
        }
    };
    InvocationId::from_parts(partition_key_of(scope.unwrap_or(key)), unique)
}

/// The id that an explicit idempotency key gives to a target.
pub fn idempotent_id(target: &Target, idempotency_key: &str) -> InvocationId {
    let object_key = target.key.as_deref();
    let parts = [
        target.service.as_bytes(),
        object_key.map_or(b"-", |_| b"+"),
        object_key.unwrap_or("").as_bytes(),
        target.handler.as_bytes(),
        idempotency_key.as_bytes(),
    ];
    let unique = match &target.scope {
        None => digest(&[&[b"idempotent".as_slice()], &parts[..]].concat()),
        Some(scope) => digest(&[&[b"scoped".as_slice(), scope.as_bytes()], &parts[..]].concat()),
    };
    let partition_key = match target.routing_text() {
        Some(text) => partition_key_of(text),
        #[allow(clippy::cast_possible_truncation, reason = "the low half of a hash is a hash")]
        None => unique as u64,
    };
    InvocationId::from_parts(partition_key, unique)
}

impl Target {
    /// What decides where it lives: its scope, else its key; `None` where that is free.
    pub fn routing_text(&self) -> Option<&str> {
        self.scope.as_deref().or(self.key.as_deref())
    }
}

/// A fresh id: `random` decides everything but the time, which leads so that ids sort by age.
///
/// The routing text is that of the target ([`Target::routing_text`]). Without one, it is placed by `placement`: at random from the ingress, beside the caller when
/// they come from a handler, so that a call stays within one partition.
pub fn fresh_id(routing: Option<&str>, placement: u64, now: Millis, random: u128) -> InvocationId {
    let partition_key = routing.map_or(placement, partition_key_of);
    let mut unique = random.to_be_bytes();
    unique[..6].copy_from_slice(&now.to_be_bytes()[2..]);
    // The unique part is stored little-endian: read this way, its first six bytes are the time.
    InvocationId::from_parts(partition_key, u128::from_le_bytes(unique))
}

/// The id of a child that has neither workflow nor idempotency key: a function of its call command.
pub fn child_id(
    parent: InvocationId,
    parent_created_at: Millis,
    command_index: u32,
    routing: Option<&str>,
    now: Millis,
) -> InvocationId {
    let random = digest(&[
        b"child",
        parent.as_bytes(),
        &parent_created_at.to_be_bytes(),
        &command_index.to_be_bytes(),
    ]);
    fresh_id(routing, parent.partition_key(), now, random)
}

/// The id that a record of a topic gives to its invocation: a function of where the record stands.
/// `routing` is that of the target ([`Target::routing_text`]).
pub fn record_id(at: &Position, routing: Option<&str>) -> InvocationId {
    let unique = digest(&[
        b"record",
        &at.subscription.0.to_be_bytes(),
        at.topic.as_bytes(),
        &at.partition.to_be_bytes(),
        &at.offset.to_be_bytes(),
    ]);
    #[allow(clippy::cast_possible_truncation, reason = "the low half of a hash is a hash")]
    let partition_key = routing.map_or(unique as u64, partition_key_of);
    InvocationId::from_parts(partition_key, unique)
}

/// Hashes parts with their lengths, so that no two lists of parts collide by concatenation.
fn digest(parts: &[&[u8]]) -> u128 {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    XxHash3_128::oneshot(&bytes)
}
