//! The wire format: a recorded exchange in, the start of an attempt out.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use reveille_protocol::frame::{Frame, FrameDecoder, MessageType};
use reveille_protocol::message::{InputCommand, Start, Value};

use crate::{REPETITIONS, counted};

/// Two attempts of a handler with a durable step and an awakeable, both directions.
const EXCHANGE: &str = include_str!("../../../protocol/tests/frames/awakeable.v7.bidi.txt");

/// Cuts a recorded exchange into frames, decodes the message of each and encodes it again.
pub fn decode_exchange() {
    let frames: Vec<Vec<u8>> = EXCHANGE.lines().filter_map(recorded_frame).collect();
    let stream = Bytes::from(frames.concat());
    for repetition in 0..=REPETITIONS {
        let decode = || decode_all(black_box(&stream));
        // The first time finds out what the processor can do, which is not counted.
        let decoded = if repetition == 0 { decode() } else { counted(decode) };
        assert_eq!(decoded.len(), frames.len());
    }
}

fn decode_all(stream: &Bytes) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(1 << 20);
    decoder.push(stream.clone());
    let mut messages = Vec::new();
    while let Some(frame) = decoder.next().expect("no frame is too long") {
        let message = frame.canonical().expect("every payload is sound");
        messages.push(message.expect("every type is known"));
    }
    messages
}

/// Makes `Start` and `Input` of a call without a journal, and writes them for the wire.
pub fn encode_start() {
    for repetition in 0..=REPETITIONS {
        let start = Start {
            id: Bytes::from_static(&[7; 40]),
            debug_id: "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz".to_owned(),
            known_entries: 1,
            random_seed: 0x0123_4567_89ab_cdef,
            ..Start::default()
        };
        let value = Value { content: Bytes::from_static(b"\"World\"") };
        let input = InputCommand { value: Some(value), ..InputCommand::default() };
        let encode = || encode_both(black_box(&start), black_box(&input));
        let encoded = if repetition == 0 { encode() } else { counted(encode) };
        assert!(encoded.len() > 100, "{} bytes", encoded.len());
    }
}

fn encode_both(start: &Start, input: &InputCommand) -> BytesMut {
    let mut out = BytesMut::new();
    Frame::message(MessageType::START, start).encode(&mut out);
    Frame::message(MessageType::INPUT_COMMAND, input).encode(&mut out);
    out
}

/// Reads a line of a recording: `hex: header | payload`.
fn recorded_frame(line: &str) -> Option<Vec<u8>> {
    let digits = line.strip_prefix("    hex: ")?.replace([' ', '|'], "");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("the recording is in hex");
    Some((0..digits.len()).step_by(2).map(byte).collect())
}
