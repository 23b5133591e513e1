//! Recorded streams of real deployments, decoded and encoded again, byte for byte.
//!
//! The fixtures in `tests/frames/` were recorded against published SDKs. Frame lines are
//! `hex: header | payload` (`out header | payload` in the shared-core file).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use reveille_protocol::frame::{Frame, FrameDecoder, HEADER_LEN, MessageType};
use reveille_protocol::message::InputCommand;

const PAYLOAD_LEN_MAX: usize = 1 << 20;

struct Line {
    file: String,
    number: usize,
    bytes: Vec<u8>,
}

fn lines() -> Vec<Line> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_str().unwrap();
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let frame = line.strip_prefix("    hex: ").or_else(|| line.strip_prefix("out "));
            let Some((header, payload)) = frame.and_then(|frame| frame.split_once(" |")) else {
                continue;
            };
            let bytes = unhex(&format!("{header}{}", payload.trim()));
            lines.push(Line { file: file.to_owned(), number: index + 1, bytes });
        }
    }
    lines
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    assert_eq!(out.len(), frame.encoded_len());
    out.to_vec()
}

/// Frames that do not come back byte for byte: file, header and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("x-custom-type.v7.rr.txt", "fc01000000000000", "custom command, not in the table"),
    ("x-known-entries-zero.v7.rr.txt", "000000000000004e", "known_entries written as explicit 0"),
    ("x-reserved-flags-set.v7.bidi.txt", "800c7fff00000004", "reserved flags, ignored on receipt"),
    ("x-unknown-control-00ff.v7.bidi.txt", "00ff000000000000", "control code not in the table"),
    ("x-unknown-control-0100.v7.bidi.txt", "0100000000000000", "control code not in the table"),
    ("x-unknown-notification-8015.v7.bidi.txt", "8015000000000004", "code not in the table"),
    ("x-unknown-type.v7.rr.txt", "0415000000000000", "command code not in the table"),
];

/// The stand-in server of the recordings wrote an empty input as an explicit empty `content`, which
/// proto3 omits. Both forms decode to the same message.
fn has_explicit_empty_input(frame: &Frame) -> bool {
    frame.ty == MessageType::INPUT_COMMAND && frame.payload.ends_with(&[0x72, 0x02, 0x0a, 0x00])
}

#[test]
fn every_recorded_frame_round_trips() {
    let mut exceptions = Vec::new();
    let lines = lines();
    for Line { file, number, bytes } in &lines {
        let at = format!("{file}:{number}");
        let mut decoder = FrameDecoder::new(PAYLOAD_LEN_MAX);
        decoder.push(Bytes::from(bytes.clone()));
        let frame = decoder.next().unwrap().unwrap_or_else(|| panic!("{at}: incomplete"));
        assert!(decoder.is_empty(), "{at}: bytes left over");

        let again = frame.canonical().unwrap_or_else(|error| panic!("{at}: {error}"));
        match again {
            Some(again) if encoded(&again) == *bytes => {}
            Some(again) if has_explicit_empty_input(&frame) => {
                let input: InputCommand = frame.decode().unwrap();
                assert_eq!(again.decode::<InputCommand>().unwrap(), input, "{at}");
                assert!(again.payload.ends_with(&[0x72, 0x00]), "{at}");
            }
            _ => exceptions.push((file.clone(), hex(&bytes[..HEADER_LEN]))),
        }
    }
    assert!(lines.len() >= 1250, "only {} recorded frames found", lines.len());
    let expected: Vec<_> =
        EXCEPTIONS.iter().map(|(file, header, _)| (file.to_string(), header.to_string())).collect();
    assert_eq!(exceptions, expected);
}

#[test]
fn chunk_borders_do_not_matter() {
    let lines = lines();
    let stream: Bytes = lines.iter().flat_map(|line| line.bytes.clone()).collect();
    let expected = decode_in_chunks(&stream, stream.len());
    assert_eq!(expected.len(), lines.len());
    for chunk_len in [1, 2, 3, 7, 8, 9, 64, 1000, 16_384] {
        assert!(decode_in_chunks(&stream, chunk_len) == expected, "chunks of {chunk_len} bytes");
    }
}

fn decode_in_chunks(stream: &Bytes, chunk_len: usize) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(PAYLOAD_LEN_MAX);
    let mut frames = Vec::new();
    for start in (0..stream.len()).step_by(chunk_len) {
        decoder.push(stream.slice(start..stream.len().min(start + chunk_len)));
        while let Some(frame) = decoder.next().unwrap() {
            frames.push(frame);
        }
    }
    assert!(decoder.is_empty());
    frames
}
