//! Fixed-width base-62 numbers, most significant digit first.

use std::fmt;

const ALPHABET: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Writes `number` with `DIGITS` digits, which the caller chooses wide enough.
pub(super) fn write<const DIGITS: usize>(
    f: &mut fmt::Formatter<'_>,
    mut number: u128,
) -> fmt::Result {
    let mut text = [b'0'; DIGITS];
    for digit in text.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    debug_assert_eq!(number, 0, "{DIGITS} digits are too few");
    text.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
}

/// Reads all of `digits`; `None` on an illegal digit or when the number exceeds 128 bits.
pub(super) fn read(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'z' => digit - b'a' + 10,
            b'A'..=b'Z' => digit - b'A' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(value.into())
    })
}
