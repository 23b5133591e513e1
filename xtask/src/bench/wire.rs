//! The calls of one HTTP/2 connection (RFC 9113), without its socket.
//!
//! Written by hand, as [`super::connection`] is: many calls leave by one write and many answers come by
//! one read, and a call costs less than a microsecond, so that twice of what a server can answer is
//! offered without taking the processor away from it.
//!
//! - Owns: frames, streams and windows, and when each call that is in flight was due.
//! - Does not own: sockets, clocks, and what an answer counts as ([`super::flood`]).
//! - Invariant: no more calls are in flight than the server allows, and each is answered once.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use anyhow::{Result, bail, ensure};
use bytes::{Buf, BytesMut};

use super::fields::{self, Answer};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_LEN: usize = 9;
const WINDOW_DEFAULT: i64 = 65_535;
/// What the server may send before the window is opened again.
const RECEIVE_WINDOW: u32 = 1 << 24;
/// The body of every call.
const BODY: &[u8] = b"1";

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags of frames.
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED_OR_PRIORITY: u8 = 0x8 | 0x20;

/// Settings.
const HEADER_TABLE_SIZE: u16 = 1;
const STREAMS_MAX: u16 = 3;

/// One connection.
pub struct Wire {
    authority: String,
    path: &'static str,
    /// What is to be sent.
    out: Vec<u8>,
    /// What came and is not read yet.
    read: BytesMut,
    next_stream: u32,
    /// The stream of the first of `calls`.
    first_stream: u32,
    /// Those in flight, and between them `None` for those that are answered.
    calls: VecDeque<Option<Call>>,
    in_flight: usize,
    /// As the server says; nothing is sent before.
    in_flight_max: Option<usize>,
    /// Bytes of bodies that the server still takes.
    send_window: i64,
    /// Bytes that came since the window of this side was opened.
    received: u32,
}

struct Call {
    due: Instant,
    answer: Option<Answer>,
}

struct Head {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes.first_chunk::<HEAD_LEN>()?;
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        Some(Self { len, kind, flags, stream })
    }
}

impl Wire {
    /// Begins a connection; its first bytes are to be sent.
    pub fn new(server: SocketAddr, path: &'static str) -> Self {
        let mut wire = Self {
            authority: server.to_string(),
            path,
            out: PREFACE.to_vec(),
            read: BytesMut::with_capacity(1 << 16),
            next_stream: 1,
            first_stream: 1,
            calls: VecDeque::new(),
            in_flight: 0,
            in_flight_max: None,
            send_window: WINDOW_DEFAULT,
            received: 0,
        };
        wire.put_head(6, SETTINGS, 0, 0);
        wire.out.extend(HEADER_TABLE_SIZE.to_be_bytes());
        wire.out.extend(0_u32.to_be_bytes());
        wire.open_window(RECEIVE_WINDOW);
        wire
    }

    /// True once the server has said how many calls it takes.
    pub fn is_ready(&self) -> bool {
        self.in_flight_max.is_some()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What is to be sent; the sender removes what it has sent.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Where to put what comes, before [`Wire::receive`].
    pub fn incoming(&mut self) -> &mut BytesMut {
        &mut self.read
    }

    /// Makes a call; false if the server allows no more for now.
    pub fn call(&mut self, due: Instant) -> Result<bool> {
        let is_allowed = self.in_flight < self.in_flight_max.unwrap_or_default();
        if !is_allowed || self.send_window < BODY.len() as i64 {
            return Ok(false);
        }
        let stream = self.next_stream;
        let begin = self.out.len();
        self.put_head(0, HEADERS, END_HEADERS, stream);
        fields::put_call(&mut self.out, stream == 1, &self.authority, self.path)?;
        let len = self.out.len() - begin - HEAD_LEN;
        self.out[begin..begin + 3].copy_from_slice(&(len as u32).to_be_bytes()[1..]);
        self.put_head(BODY.len(), DATA, END_STREAM, stream);
        self.out.extend_from_slice(BODY);
        self.send_window -= BODY.len() as i64;
        self.next_stream += 2;
        self.calls.push_back(Some(Call { due, answer: None }));
        self.in_flight += 1;
        Ok(true)
    }

    /// Reads the frames that are there as a whole, and tells of each call that ended: when it was due,
    /// and its answer, unless it was reset.
    pub fn receive(&mut self, mut ended: impl FnMut(Instant, Option<Answer>)) -> Result<()> {
        let mut read = std::mem::take(&mut self.read);
        while let Some(head) = Head::parse(&read)
            && let Some(payload) = read.get(HEAD_LEN..HEAD_LEN + head.len)
        {
            if let Some(call) = self.take(&head, payload)? {
                ended(call.due, call.answer);
            }
            read.advance(HEAD_LEN + head.len);
        }
        self.read = read;
        Ok(())
    }

    /// Takes one frame; returns the call that it ends.
    fn take(&mut self, head: &Head, mut payload: &[u8]) -> Result<Option<Call>> {
        match head.kind {
            HEADERS => {
                let is_plain =
                    head.flags & END_HEADERS != 0 && head.flags & PADDED_OR_PRIORITY == 0;
                ensure!(is_plain, "headers in pieces, padded or with a priority are not read");
                let answer = fields::read_answer(payload)?;
                if let Some(call) = self.at(head.stream) {
                    call.answer = Some(answer);
                }
            }
            DATA => {
                self.received += head.len as u32;
                if self.received > RECEIVE_WINDOW / 2 {
                    let received = std::mem::take(&mut self.received);
                    self.open_window(received);
                }
            }
            RST_STREAM => {
                return Ok(self.end(head.stream).map(|call| Call { answer: None, ..call }));
            }
            SETTINGS if head.flags & ACK == 0 => self.take_settings(payload),
            PING if head.flags & ACK == 0 => {
                self.put_head(payload.len(), PING, ACK, 0);
                self.out.extend_from_slice(payload);
            }
            WINDOW_UPDATE if head.stream == 0 => {
                self.send_window += i64::from(payload.try_get_u32()?);
            }
            GOAWAY => bail!("the server ends the connection: {}", payload.escape_ascii()),
            CONTINUATION => bail!("headers in pieces are not read"),
            _ => {}
        }
        let ends = matches!(head.kind, HEADERS | DATA) && head.flags & END_STREAM != 0;
        Ok(if ends { self.end(head.stream) } else { None })
    }

    fn take_settings(&mut self, mut payload: &[u8]) {
        self.in_flight_max.get_or_insert(usize::MAX);
        while let (Ok(setting), Ok(value)) = (payload.try_get_u16(), payload.try_get_u32()) {
            if setting == STREAMS_MAX {
                self.in_flight_max = Some(value as usize);
            }
        }
        self.put_head(0, SETTINGS, ACK, 0);
    }

    fn at(&mut self, stream: u32) -> Option<&mut Call> {
        let place = stream.checked_sub(self.first_stream)? / 2;
        self.calls.get_mut(place as usize)?.as_mut()
    }

    fn end(&mut self, stream: u32) -> Option<Call> {
        let place = stream.checked_sub(self.first_stream)? / 2;
        let call = self.calls.get_mut(place as usize)?.take()?;
        self.in_flight -= 1;
        while let Some(None) = self.calls.front() {
            self.calls.pop_front();
            self.first_stream += 2;
        }
        Some(call)
    }

    fn open_window(&mut self, by: u32) {
        self.put_head(4, WINDOW_UPDATE, 0, 0);
        self.out.extend(by.to_be_bytes());
    }

    fn put_head(&mut self, len: usize, kind: u8, flags: u8, stream: u32) {
        self.out.extend_from_slice(&(len as u32).to_be_bytes()[1..]);
        self.out.extend([kind, flags]);
        self.out.extend(stream.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// Passes bytes as they may come, and returns what ended: when it was due, and its status.
    fn pass(wire: &mut Wire, begin: Instant, bytes: &[u8]) -> Vec<(u64, Option<u16>)> {
        let mut all = Vec::new();
        for piece in bytes.chunks(7) {
            wire.incoming().extend_from_slice(piece);
            let ended = |due: Instant, answer: Option<Answer>| {
                let status = answer.map(|answer| StatusCode::as_u16(&answer.status));
                all.push(((due - begin).as_secs(), status));
            };
            wire.receive(ended).expect("frames");
        }
        all
    }

    #[test]
    fn calls_and_answers_of_a_connection() {
        let begin = Instant::now();
        let due = |seconds| begin + Duration::from_secs(seconds);
        let mut wire = Wire::new("127.0.0.1:1".parse().expect("an address"), "/S/h");
        assert!(!wire.is_ready() && !wire.call(due(0)).expect("a call"), "before the settings");
        assert!(wire.outgoing().starts_with(PREFACE));

        let settings = frame(SETTINGS, 0, 0, &[0, STREAMS_MAX as u8, 0, 0, 0, 2]);
        assert_eq!(pass(&mut wire, begin, &settings), []);
        assert!(wire.is_ready());
        assert!(wire.outgoing().ends_with(&frame(SETTINGS, ACK, 0, b"")));
        let calls = [0, 1, 2].map(|seconds| wire.call(due(seconds)).expect("a call"));
        assert_eq!(calls, [true, true, false], "as many as the server allows");

        let mut answers = frame(HEADERS, END_HEADERS, 3, &[0x88]);
        answers.extend(frame(DATA, 0, 3, b"\"He"));
        answers.extend(frame(PING, 0, 0, b"12345678"));
        answers.extend(frame(DATA, END_STREAM, 3, b"llo\""));
        assert_eq!(pass(&mut wire, begin, &answers), [(1, Some(200))]);
        assert!(wire.outgoing().ends_with(&frame(PING, ACK, 0, b"12345678")));
        assert_eq!(wire.in_flight(), 1);

        wire.outgoing().clear();
        assert!(wire.call(due(3)).expect("a call"));
        let sent =
            [frame(HEADERS, END_HEADERS, 5, b"\x83\x86\xc0\xbf\xbe"), frame(DATA, 1, 5, BODY)];
        assert_eq!(*wire.outgoing(), sent.concat());
        let mut ends = frame(HEADERS, END_HEADERS | END_STREAM, 5, &[0x8d]);
        ends.extend(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
        // Reset once more, and after it was answered: neither counts again.
        ends.extend(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
        ends.extend(frame(RST_STREAM, 0, 5, &[0, 0, 0, 0]));
        assert_eq!(pass(&mut wire, begin, &ends), [(3, Some(404)), (0, None)]);
        assert_eq!(wire.in_flight(), 0);

        wire.incoming().extend_from_slice(&frame(GOAWAY, 0, 0, b"why"));
        let error = wire.receive(|_, _| panic!("nothing is in flight")).expect_err("its end");
        assert_eq!(error.to_string(), "the server ends the connection: why");
    }
}
