//! Randomness that is the same on every attempt of an invocation.
//!
//! - Owns: [`Random`], a generator whose output never changes between releases: invocations in flight
//!   depend on it.
//! - Invariant: the seed comes from the server (from the invocation id before v6), never from here.

use std::{
    panic::Location,
    sync::{Arc, MutexGuard},
};

use reveille_protocol::{message::Start, version::ServiceProtocolVersion};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::attempt::{Attempt, Core};

/// Gives random numbers of an invocation: the same ones, in the same order, on every attempt.
///
/// Good for ids and jitter, not for secrets: the seed is not one. Got from [`crate::Context::rand`].
pub struct Random<'a>(pub(crate) &'a Arc<Attempt>);

impl Random<'_> {
    #[track_caller]
    fn core(&self) -> MutexGuard<'_, Core> {
        let mut core = self.0.core();
        // Elsewhere numbers would be drawn that replay does not draw; the attempt fails then.
        let _ = self.0.check_place(&mut core, Location::caller());
        core
    }

    /// Returns any number.
    #[track_caller]
    pub fn u64(&self) -> u64 {
        self.core().random.next()
    }

    /// Returns a number from 0 up to 1, which is never reached.
    #[track_caller]
    pub fn f64(&self) -> f64 {
        // The low 53 bits, which such a number has room for, as another SDK takes them.
        let denominator = 1_u64 << 53;
        (self.u64() % denominator) as f64 / denominator as f64
    }

    /// Returns a number below `end`; 0 when `end` is 0.
    #[track_caller]
    pub fn below(&self, end: u64) -> u64 {
        // The bias is at most `end` in 2^64.
        ((u128::from(self.u64()) * u128::from(end)) >> 64) as u64
    }

    /// Fills a buffer.
    #[track_caller]
    pub fn fill(&self, buffer: &mut [u8]) {
        let mut core = self.core();
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&core.random.next().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Returns a UUID of version 4, good as an idempotency key.
    #[track_caller]
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// xoshiro256++, seeded with splitmix64.
pub(crate) struct Generator([u64; 4]);

impl Generator {
    pub fn new(start: &Start, version: ServiceProtocolVersion) -> Self {
        if version >= ServiceProtocolVersion::V6 {
            return Self::from_seed(start.random_seed);
        }
        let hash = Sha256::digest(&start.id);
        Self::from_seed(hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
    }

    fn from_seed(mut seed: u64) -> Self {
        Self([(); 4].map(|()| {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = seed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of a release are those of the next one. The UUID is one that another SDK was recorded
    /// to draw from this seed.
    #[test]
    fn numbers_never_change() {
        let start = Start { random_seed: 81_985_529_216_486_895, ..Start::default() };
        let mut generator = Generator::new(&start, ServiceProtocolVersion::V7);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&generator.next().to_le_bytes());
        bytes[8..].copy_from_slice(&generator.next().to_le_bytes());
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        assert_eq!(uuid.to_string(), "c5d16be9-10a3-42b2-9304-955b466240b5");
    }

    /// Before v6 the seed is that of other SDKs in Rust.
    #[test]
    fn seed_of_v5() {
        let start = Start { id: bytes::Bytes::from_static(&[1, 2, 3, 4]), ..Start::default() };
        let mut of_id = Generator::new(&start, ServiceProtocolVersion::V5);
        let mut of_seed = Generator::from_seed(11_485_488_876_873_154_323);
        assert_eq!(of_id.next(), of_seed.next());
    }
}
