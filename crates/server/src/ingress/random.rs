//! Random numbers for fresh invocation ids.
//!
//! xoshiro256** per thread, seeded by the operating system: fast, and without collisions. Ids are
//! public, so they need not be secret; what must be is the awakeable's secret, which the engine
//! derives from a key.

use std::cell::Cell;

/// Returns a placement and the random part of a fresh id.
pub fn placement_and_random() -> (u64, u128) {
    STATE.with(|cell| {
        let mut state = cell.get();
        let placement = next(&mut state);
        let random = u128::from(next(&mut state)) << 64 | u128::from(next(&mut state));
        cell.set(state);
        (placement, random)
    })
}

thread_local! {
    static STATE: Cell<[u64; 4]> = Cell::new(seed());
}

/// Reads 256 random bits, once per thread.
fn seed() -> [u64; 4] {
    let mut state = [0; 4];
    for word in &mut state {
        // Without random bytes ids would collide, which is worse than not serving.
        *word = getrandom::u64().expect("the operating system provides random bytes");
    }
    // The all-zero state is the only one that the generator never leaves.
    state[0] |= u64::from(state == [0; 4]);
    state
}

fn next(state: &mut [u64; 4]) -> u64 {
    let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
    let shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = state[3].rotate_left(45);
    result
}
