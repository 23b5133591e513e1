//! Arbitrary input never panics, and what is accepted survives a round trip.
//!
//! These run a bounded number of random inputs under plain `cargo test`; `cargo bolero test` turns
//! the same targets into endless fuzzers.

use bytes::{Bytes, BytesMut};
use reveille_protocol::frame::{Frame, FrameDecoder, FrameError, MessageType};
use reveille_protocol::id::{AwakeableId, DeploymentId, InvocationId};
use reveille_protocol::manifest;
use reveille_protocol::version::ServiceProtocolVersion;

const PAYLOAD_LEN_MAX: usize = 512;

/// Decodes what it can; the result is the frames and whether the stream was refused.
fn decode_all<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(PAYLOAD_LEN_MAX);
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

#[test]
fn frame_decoder_does_not_depend_on_chunks() {
    bolero::check!().with_iterations(5000).with_type::<(u8, Vec<u8>)>().for_each(
        |(chunk_len, bytes)| {
            let whole = decode_all(std::iter::once(bytes.as_slice()));
            let chunked = decode_all(bytes.chunks(usize::from(*chunk_len).max(1)));
            assert_eq!(whole, chunked);
            let accepted = &whole.0;
            assert!(accepted.iter().all(|frame| frame.payload.len() <= PAYLOAD_LEN_MAX));
        },
    );
}

#[test]
fn frames_round_trip() {
    bolero::check!().with_iterations(3000).with_type::<Vec<(u16, bool, Vec<u8>)>>().for_each(
        |parts| {
            let mut stream = BytesMut::new();
            let mut frames = Vec::new();
            for (ty, ack_requested, payload) in parts {
                let payload =
                    Bytes::copy_from_slice(&payload[..payload.len().min(PAYLOAD_LEN_MAX)]);
                let frame = Frame { ty: MessageType(*ty), ack_requested: *ack_requested, payload };
                frame.encode(&mut stream);
                frames.push(frame);
            }
            assert_eq!(decode_all(stream.chunks(5)), (frames, None));
        },
    );
}

#[test]
fn message_decode_never_panics() {
    bolero::check!().with_iterations(3000).for_each(|payload: &[u8]| {
        let payload = Bytes::copy_from_slice(payload);
        for ty in MessageType::ALL {
            if let Ok(canonical) = Frame::new(*ty, payload.clone()).canonical() {
                let canonical = canonical.expect("the type is in the table");
                assert_eq!(canonical.canonical(), Ok(Some(canonical)));
            }
        }
    });
}

#[test]
fn id_parsing_never_panics() {
    let prefixes = ["", "inv_", "inv_1", "sign_", "sign_1", "prom_1", "dp_1"];
    bolero::check!().with_iterations(3000).with_type::<(u8, Vec<u8>)>().for_each(
        |(choice, bytes)| {
            let prefix = prefixes[usize::from(*choice) % prefixes.len()];
            let text = format!("{prefix}{}", String::from_utf8_lossy(bytes));
            if let Ok(id) = text.parse::<InvocationId>() {
                assert_eq!(id.to_string(), text);
            }
            if let Ok(id) = text.parse::<DeploymentId>() {
                assert_eq!(id.to_string(), text);
            }
            if let Ok(id) = text.parse::<AwakeableId>() {
                assert_eq!(id.to_string().parse(), Ok(id));
            }
        },
    );
}

#[test]
fn ids_round_trip() {
    bolero::check!().with_iterations(3000).with_type::<(u64, u128, [u8; 16], u32)>().for_each(
        |(partition_key, unique, secret, index)| {
            let invocation = InvocationId::from_parts(*partition_key, *unique);
            assert_eq!(
                (invocation.partition_key(), invocation.unique()),
                (*partition_key, *unique)
            );
            assert_eq!(InvocationId::from_bytes(*invocation.as_bytes()), invocation);
            assert_eq!(invocation.to_string().len(), 38);
            assert_eq!(invocation.to_string().parse(), Ok(invocation));
            let deployment = DeploymentId(*unique);
            assert_eq!(deployment.to_string().parse(), Ok(deployment));
            let awakeable = AwakeableId { invocation, secret: *secret, index: (*index).max(17) };
            assert_eq!(awakeable.to_string().len(), 65);
            assert_eq!(awakeable.to_string().parse(), Ok(awakeable));
        },
    );
}

#[test]
fn manifest_parsing_never_panics() {
    let content_type = "application/vnd.restate.endpointmanifest.v4+json";
    let sample = include_bytes!("manifests/typescript-v4.json");
    bolero::check!().with_iterations(3000).with_type::<Vec<(u16, u8)>>().for_each(|edits| {
        // Arbitrary bytes hardly ever are JSON, so a real manifest is damaged instead.
        let mut body = sample.to_vec();
        for (place, byte) in edits.iter().take(4) {
            let place = usize::from(*place) % body.len();
            body[place] = *byte;
        }
        if let Ok(parsed) = manifest::parse(content_type, &body) {
            assert!(parsed.min_protocol_version <= parsed.max_protocol_version);
            let again = serde_json::to_vec(&parsed).expect("a manifest is JSON");
            assert_eq!(manifest::parse(content_type, &again).expect("still valid"), parsed);
        }
    });
    bolero::check!().with_iterations(1000).for_each(|body: &[u8]| {
        let text = String::from_utf8_lossy(body);
        assert!(manifest::parse(&text, body).is_err() || text.contains("manifest"));
        assert!(manifest::parse(content_type, body).is_err() || body.starts_with(b"{"));
        assert!(ServiceProtocolVersion::from_content_type(&text).is_none() || text.contains(".v"));
    });
}
