//! Header blocks of HTTP/2 (RFC 7541), as far as calls and their answers need them.
//!
//! - Owns: the block of a call, which costs five bytes from the second one on, as with other clients,
//!   and what matters of an answer: its status, and whether it says when to try again.
//! - Invariant: the server was told to keep no table ([`super::wire`]), so a block is read by itself.

use anyhow::{Context, Result, bail, ensure};
use http::StatusCode;

/// Places in the static table.
const AUTHORITY: u8 = 1;
const METHOD_POST: u8 = 3;
const PATH: u8 = 4;
const SCHEME_HTTP: u8 = 6;
const STATUS: usize = 8;
/// The statuses that stand there with their value, from [`STATUS`] on.
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
const CONTENT_TYPE: u8 = 31;
const RETRY_AFTER: usize = 53;
const STATIC_LEN: usize = 61;

/// Bits in front of an index or a length.
const INDEXED: u8 = 0x80;
const LITERAL_INDEXED: u8 = 0x40;
const TABLE_SIZE: u8 = 0x20;
const HUFFMAN: u8 = 0x80;

/// What matters of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub has_retry_after: bool,
}

/// Appends the block of a POST with a JSON body. The first one of a connection fills the table of the
/// server, later ones refer to it.
pub fn put_call(block: &mut Vec<u8>, is_first: bool, authority: &str, path: &str) -> Result<()> {
    block.extend([INDEXED | METHOD_POST, INDEXED | SCHEME_HTTP]);
    if !is_first {
        // The newest stands at 62.
        block.extend([INDEXED | 64, INDEXED | 63, INDEXED | 62]);
        return Ok(());
    }
    let fields = [(PATH, path), (AUTHORITY, authority), (CONTENT_TYPE, "application/json")];
    for (name, value) in fields {
        ensure!(value.len() < 0x7f, "{value} is too long for a length of one byte");
        block.extend([LITERAL_INDEXED | name, value.len() as u8]);
        block.extend_from_slice(value.as_bytes());
    }
    Ok(())
}

/// Reads the block of an answer.
pub fn read_answer(mut block: &[u8]) -> Result<Answer> {
    let (mut status, mut has_retry_after) = (None, false);
    while let Some(&first) = block.first() {
        if first & INDEXED != 0 {
            let index = take_number(&mut block, 7)?;
            ensure!((1..=STATIC_LEN).contains(&index), "an index into a table that is not kept");
            let known = index.checked_sub(STATUS).and_then(|place| STATUSES.get(place));
            status = known.copied().or(status);
        } else if first & LITERAL_INDEXED == 0 && first & TABLE_SIZE != 0 {
            take_number(&mut block, 5)?;
        } else {
            let index = take_number(&mut block, if first & LITERAL_INDEXED != 0 { 6 } else { 4 })?;
            if index == 0 {
                take_text(&mut block)?;
            }
            let (value, is_huffman) = take_text(&mut block)?;
            match index {
                STATUS => status = Some(read_status(value, is_huffman)?),
                RETRY_AFTER => has_retry_after = true,
                _ => {}
            }
        }
    }
    let status = StatusCode::from_u16(status.context("an answer has no status")?)?;
    Ok(Answer { status, has_retry_after })
}

/// Takes a number whose first byte has so many bits for it.
fn take_number(block: &mut &[u8], bits: u32) -> Result<usize> {
    let mask = (1_usize << bits) - 1;
    let mut number = usize::from(take_byte(block)?) & mask;
    if number < mask {
        return Ok(number);
    }
    for shift in [0, 7, 14] {
        let byte = usize::from(take_byte(block)?);
        number += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    bail!("a number in a header block is too large")
}

/// Takes a text as it stands there; true if it is in Huffman's code.
fn take_text<'b>(block: &mut &'b [u8]) -> Result<(&'b [u8], bool)> {
    let is_huffman = block.first().is_some_and(|first| first & HUFFMAN != 0);
    let len = take_number(block, 7)?;
    ensure!(len <= block.len(), "a header block ends within a text");
    let (text, rest) = block.split_at(len);
    *block = rest;
    Ok((text, is_huffman))
}

fn take_byte(block: &mut &[u8]) -> Result<u8> {
    let (first, rest) = block.split_first().context("a header block ends early")?;
    *block = rest;
    Ok(*first)
}

/// Reads three digits.
fn read_status(text: &[u8], is_huffman: bool) -> Result<u16> {
    if !is_huffman {
        return std::str::from_utf8(text)?.parse().context("a status is no number");
    }
    let mut bits = text.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    ensure!(text.len() <= 3, "a status of more than three digits");
    bits <<= 64 - 8 * text.len();
    let mut status = 0;
    for _ in 0..3 {
        // 0, 1 and 2 have five bits, from 00000 on; the others six, from 011001 on.
        let (digit, len) = match (bits >> 59, bits >> 58) {
            (short @ 0..=2, _) => (short, 5),
            (_, long @ 0x19..=0x1f) => (long - 0x19 + 3, 6),
            _ => bail!("a status is no number"),
        };
        status = status * 10 + digit as u16;
        bits <<= len;
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_answers() {
        let status = |status, has_retry_after| {
            Some(Answer { status: StatusCode::from_u16(status).unwrap(), has_retry_after })
        };
        let rows: [(&[u8], Option<Answer>); 10] = [
            (&[0x88], status(200, false)),
            // A new size of the table, then 503 as text and `retry-after: 1`.
            (b"\x20\x48\x03503\x0f\x26\x011", status(503, true)),
            // RFC 7541, C.6.1: 302 in Huffman's code, `cache-control: private`.
            (b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b", status(302, false)),
            // 429 and 503 in Huffman's code.
            (&[0x48, 0x83, 0x68, 0x4f, 0xff], status(429, false)),
            (&[0x08, 0x83, 0x6c, 0x0c, 0xff], status(503, false)),
            // A name that is in no table.
            (b"\x8d\x40\x01a\x01b", status(404, false)),
            (&[0xbe], None),
            (&[0x61], None),
            (b"\x48\x0350", None),
            (b"\x48\x03abc", None),
        ];
        for (block, expected) in rows {
            assert_eq!(read_answer(block).ok(), expected, "{block:x?}");
        }
    }

    #[test]
    fn later_calls_refer_to_the_first() {
        let mut block = Vec::new();
        put_call(&mut block, true, "a:1", "/S/h").unwrap();
        assert_eq!(block, b"\x83\x86\x44\x04/S/h\x41\x03a:1\x5f\x10application/json");
        block.clear();
        put_call(&mut block, false, "a:1", "/S/h").unwrap();
        assert_eq!(block, [0x83, 0x86, 0xc0, 0xbf, 0xbe]);
        assert!(put_call(&mut block, true, &"a".repeat(127), "/S/h").is_err());
    }
}
