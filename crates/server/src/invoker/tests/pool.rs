//! How many connections are opened, and which of them a request may be repeated on.

use h2::Reason;
use reveille_protocol::frame::MessageType;

use tokio::net::TcpListener;

use crate::invoker::pool::ConnectionTimes;

use super::support::{Deployment, Rig, Served, encoded, frame, start};

async fn finish(rig: &mut Rig, mut served: Served) {
    let end = encoded(&[frame(MessageType::END, 0)]);
    served.ok().send_data(end, true).expect("the stream is open");
    assert_eq!(rig.told().await, "frames of 3: End(0)");
    assert_eq!(served.read_all().await.last().map(String::as_str), Some("eof"));
}

#[tokio::test]
async fn one_connection_serves_attempts_in_turn() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    for _attempt in 0..5 {
        let _handle = rig.start(start());
        let served = deployment.served().await;
        finish(&mut rig, served).await;
    }
    assert_eq!(deployment.connections(), 1);
}

#[tokio::test]
async fn the_stream_above_the_limit_of_the_peer_opens_a_second_connection() {
    let mut deployment = Deployment::listen(100).await;
    let rig = Rig::new(&deployment.uri, false);
    let mut open = Vec::new();
    for count in 1..=101 {
        open.push((rig.start(start()), deployment.served().await));
        assert_eq!(deployment.connections(), if count <= 100 { 1 } else { 2 }, "{count}");
    }
}

#[tokio::test]
async fn a_burst_is_served_whatever_the_peer_allows() {
    for streams_max in [2, 40, 1000] {
        let mut deployment = Deployment::listen(streams_max).await;
        let mut rig = Rig::new(&deployment.uri, false);
        let handles: Vec<_> = (0..150).map(|_| rig.start(start())).collect();
        for _attempt in 0..150 {
            let served = deployment.served().await;
            finish(&mut rig, served).await;
        }
        drop(handles);
        assert_eq!(rig.rest().await, [""; 0]);
    }
}

/// Attempts that wait for days end no stream, so whoever is above the limit needs another connection.
#[tokio::test]
async fn a_burst_that_ends_nothing_is_served_whatever_the_peer_allows() {
    for streams_max in [2, 40] {
        let mut deployment = Deployment::listen(streams_max).await;
        let rig = Rig::new(&deployment.uri, false);
        let mut open = Vec::new();
        let handles: Vec<_> = (0..150).map(|_| rig.start(start())).collect();
        while open.len() < handles.len() {
            open.push(deployment.served().await);
        }
    }
}

#[tokio::test]
async fn a_peer_that_goes_away_gets_no_new_streams() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let _first = rig.start(start());
    let first = deployment.served().await;
    deployment.go_away();
    // Every one of these is served, however far the news has got.
    for _attempt in 0..5 {
        let _handle = rig.start(start());
        let served = deployment.served().await;
        finish(&mut rig, served).await;
    }
    finish(&mut rig, first).await;
    assert!(deployment.connections() >= 2);
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_more() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let _handle = rig.start(start());
    let mut refused = deployment.served().await;
    refused.respond.send_reset(Reason::REFUSED_STREAM);
    let mut served = deployment.served().await;
    assert_eq!((served.read().await, served.read().await), ("Start(10)".into(), "Input(3)".into()));
    finish(&mut rig, served).await;

    let _handle = rig.start(start());
    for _try in 0..2 {
        deployment.served().await.respond.send_reset(Reason::REFUSED_STREAM);
    }
    let told = rig.told().await;
    assert!(told.contains("RT0010") && told.contains("refused"), "{told}");
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn an_unused_connection_is_closed() {
    let mut deployment = Deployment::listen(100).await;
    let times = ConnectionTimes { ping_interval_ms: 20, idle_ms: 30, ..ConnectionTimes::default() };
    let mut rig = Rig::with_times(&deployment.uri, false, 100, times);
    for connections in 1..=2 {
        let _handle = rig.start(start());
        let served = deployment.served().await;
        finish(&mut rig, served).await;
        deployment.ended().await;
        assert_eq!(deployment.connections(), connections);
    }
}

#[tokio::test]
async fn a_connection_that_answers_no_pings_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}/", listener.local_addr().expect("an address"));
    let times =
        ConnectionTimes { ping_interval_ms: 20, ping_timeout_ms: 30, ..ConnectionTimes::default() };
    let mut rig = Rig::with_times(&uri, false, 100, times);
    let _handle = rig.start(start());
    let (socket, _) = listener.accept().await.expect("a connection");
    let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
    let _stream = connection.accept().await.expect("a stream").expect("a request");
    // Nobody polls the connection any more, but the socket stays open.
    let told = rig.told().await;
    assert!(told.contains("RT0010") && told.contains("the stream broke"), "{told}");
    drop(connection);
}
