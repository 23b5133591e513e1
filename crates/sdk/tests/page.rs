//! The page of the example, clicked by a browser that is no more than a client of HTTP.

use std::time::{Duration, Instant};

use reveille::Embedded;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[allow(dead_code)]
#[path = "../examples/approval_page.rs"]
mod approval_page;

use approval_page::{Approval, Inbox, pages};

struct Browser(std::net::SocketAddr);

impl Browser {
    async fn open(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.0).await.expect("it listens");
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    /// Opens the page until it shows, or no longer shows, a text.
    async fn look_for(&self, text: &str, shown: bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let page = self.open("GET", "/").await;
            assert!(page.starts_with("HTTP/1.1 200"), "{page}");
            if page.contains(text) == shown {
                return page;
            }
            assert!(Instant::now() < deadline, "{text:?} in: {page}");
            tokio::task::yield_now().await;
        }
    }
}

async fn start(directory: &std::path::Path) -> (Embedded, Browser) {
    let engine = Embedded::open(directory).bind(Approval).bind(Inbox).start().await;
    let engine = engine.expect("it starts");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let browser = Browser(listener.local_addr().expect("bound"));
    let pages = pages(&engine);
    tokio::spawn(async move { axum::serve(listener, pages).await });
    (engine, browser)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_waits_for_a_click_over_restarts() {
    let directory = tempfile::tempdir().expect("a directory");
    let (engine, browser) = start(directory.path()).await;
    assert!(browser.open("GET", "/ask?what=%3Ctea%3E").await.starts_with("HTTP/1.1 303"));
    browser.look_for("&lt;tea>", true).await;
    engine.stop().await;

    let (engine, browser) = start(directory.path()).await;
    let page = browser.look_for("&lt;tea>", true).await;
    let (_, form) = page.split_once("formaction=\"").expect("a button");
    let (action, _) = form.split_once('"').expect("its end");
    for _ in 0..2 {
        let answer = browser.open("POST", action).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "a second click does no harm: {answer}");
    }
    browser.look_for("&lt;tea>", false).await;
    engine.stop().await;
}
