//! Free TCP ports that stay free while a process is down between kill and restart.
//!
//! Binding `:0` would hand out ephemeral ports, and any outgoing connection may take one of those
//! while the server is dead. So ports come from below the ephemeral range, each tried once.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

const PORT_FIRST: u16 = 10_000;
const PORT_COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns a port of 127.0.0.1 on which nobody listens and that this process never returned before.
pub fn free_port() -> u16 {
    let start = std::process::id() * 97 % u32::from(PORT_COUNT);
    for _ in 0..PORT_COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = (start + step) % u32::from(PORT_COUNT);
        let port = PORT_FIRST + u16::try_from(offset).expect("below 20000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {PORT_FIRST} on");
}
