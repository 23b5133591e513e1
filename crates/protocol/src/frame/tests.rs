//! Tests of framing and of the message table.

use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameDecoder, FrameError, HEADER_LEN, MessageType};
use crate::message::{End, RunCommand, Value};

fn encoded(frame: &Frame) -> Bytes {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.freeze()
}

#[test]
fn headers() {
    let run = RunCommand { result_completion_id: 1, name: "side".into() };
    let run = Frame::message(MessageType::RUN_COMMAND, &run);
    let end = Frame::message(MessageType::END, &End {});
    let mut proposal = Frame::new(MessageType::PROPOSE_RUN_COMPLETION, Bytes::from_static(b"\x08"));
    proposal.ack_requested = true;
    let table: [(&Frame, &[u8]); 3] = [
        (&run, b"\x04\x11\0\0\0\0\0\x08\x58\x01\x62\x04side"),
        (&end, b"\0\x03\0\0\0\0\0\0"),
        (&proposal, b"\0\x05\x80\0\0\0\0\x01\x08"),
    ];
    for (frame, bytes) in table {
        assert_eq!(encoded(frame), bytes, "{}", frame.ty);
        let mut decoder = FrameDecoder::new(100);
        decoder.push(Bytes::from_static(b""));
        decoder.push(Bytes::copy_from_slice(bytes));
        assert_eq!(decoder.next(), Ok(Some(frame.clone())));
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.is_empty());
    }
}

#[test]
fn payload_is_a_slice_of_the_chunk() {
    let value = Value { content: Bytes::from(vec![7; 5000]) };
    let chunk = encoded(&Frame::message(MessageType::OUTPUT_COMMAND, &value));
    let range = chunk.as_ptr_range();
    let mut decoder = FrameDecoder::new(10_000);
    decoder.push(chunk.clone());
    let frame = decoder.next().unwrap().unwrap();
    let decoded: Value = frame.decode().unwrap();
    assert_eq!(decoded, value);
    assert!(range.contains(&frame.payload.as_ptr()));
    assert!(range.contains(&decoded.content.as_ptr()));
}

#[test]
fn length_limit() {
    let fits = encoded(&Frame::new(MessageType::END, Bytes::from_static(b"1234")));
    let mut decoder = FrameDecoder::new(4);
    decoder.push(fits);
    assert!(decoder.next().unwrap().is_some());

    // The header alone is enough to refuse, and the decoder never recovers.
    decoder.push(Bytes::from_static(b"\x04\x01\0\0\xff\xff\xff\xff"));
    let error = FrameError::TooLong { ty: MessageType::OUTPUT_COMMAND, len: 0xffff_ffff, max: 4 };
    assert_eq!(decoder.next(), Err(error.clone()));
    decoder.push(Bytes::from_static(b"\0\x03\0\0\0\0\0\0"));
    assert_eq!(decoder.next(), Err(error.clone()));
    assert!(!decoder.is_empty());
    let text = "Output (0x0401) frame of 4294967295 bytes exceeds the limit of 4 bytes";
    assert_eq!(error.to_string(), text);
}

#[test]
fn partial_frames_are_not_empty() {
    let bytes = encoded(&Frame::new(MessageType::END, Bytes::from_static(b"1234")));
    let mut decoder = FrameDecoder::new(4);
    assert!(decoder.is_empty());
    for end in 1..bytes.len() {
        decoder.push(bytes.slice(end - 1..end));
        assert_eq!(decoder.next(), Ok(None), "after {end} bytes");
        assert!(!decoder.is_empty(), "after {end} bytes");
    }
    decoder.push(bytes.slice(bytes.len() - 1..));
    assert!(decoder.next().unwrap().is_some());
    assert!(decoder.is_empty());
}

/// A decoder that copied the payload again for each chunk would move half a terabyte here.
#[test]
fn one_byte_chunks_cost_linear_time() {
    let payload = Bytes::from(vec![42; 1 << 20]);
    let frame = Frame::new(MessageType::OUTPUT_COMMAND, payload);
    let bytes = encoded(&frame);
    let mut decoder = FrameDecoder::new(1 << 20);
    let mut decoded = None;
    for start in 0..bytes.len() {
        decoder.push(bytes.slice(start..=start));
        decoded = decoder.next().unwrap();
        assert_eq!(decoded.is_some(), start + 1 == bytes.len());
    }
    assert!(decoded == Some(frame));
}

#[test]
fn undecodable_payload() {
    let frame = Frame::new(MessageType::RUN_COMMAND, Bytes::from_static(b"\x62\xff"));
    let error = frame.decode::<RunCommand>().unwrap_err();
    assert!(matches!(&error, FrameError::Decode { ty: MessageType::RUN_COMMAND, .. }), "{error}");
}

#[test]
fn message_table() {
    assert!(MessageType::ALL.is_sorted() && MessageType::ALL.len() == 42);
    let table = [
        (MessageType(0x0000), "Start (0x0000)", "control"),
        (MessageType(0x0007), "ProposeRunCompletionAck (0x0007)", "control"),
        (MessageType(0x01FF), "Unknown (0x01ff)", "control"),
        (MessageType(0x0200), "GetStateEphemeral (0x0200)", ""),
        (MessageType(0x0300), "GetStateEphemeral (0x0300)", ""),
        (MessageType(0x0400), "Input (0x0400)", "command"),
        (MessageType(0x040F), "Unknown (0x040f)", "command"),
        (MessageType(0x0411), "Run (0x0411)", "command"),
        (MessageType(0x7FFF), "Unknown (0x7fff)", "command"),
        (MessageType(0x8002), "GetLazyState (0x8002)", "notification"),
        (MessageType(0x800E), "CallInvocationId (0x800e)", "notification"),
        (MessageType(0xFBFF), "Signal (0xfbff)", "notification"),
        (MessageType(0xFC00), "Unknown (0xfc00)", ""),
    ];
    for (ty, text, range) in table {
        assert_eq!((ty.to_string(), format!("{ty:?}")), (text.to_owned(), text.to_owned()));
        assert_eq!(ty.is_control(), range == "control", "{ty}");
        assert_eq!(ty.is_command(), range == "command", "{ty}");
        assert_eq!(ty.is_notification(), range == "notification", "{ty}");
        assert_eq!(ty.is_known(), ty.name() != "Unknown", "{ty}");
    }
    assert_eq!(HEADER_LEN, 8);
}
