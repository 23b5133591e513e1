//! The words of the story, and the handler and the client against real sockets.

use super::{steps::Step, *};

fn scene() -> Scene {
    Scene {
        ingress: ([127, 0, 0, 1], 8080).into(),
        document: "the notes".to_owned(),
        invocation: "inv_1x".to_owned(),
    }
}

#[test]
fn the_story_says_what_to_do_and_what_happened() {
    let scene = scene();
    let step = |kind| Step { round: 1, kind, detail: String::new() };
    let steps = [step(StepKind::Ask), step(StepKind::Ask), step(StepKind::Finish)];
    let local = ([127, 0, 0, 1], 9070).into();
    for (text, parts) in [
        (
            story::opening(scene.ingress, local, ([127, 0, 0, 1], 9081).into(), Path::new("./d")),
            &["ingress http://localhost:8080,", "http://localhost:9070", ":9081,", "./d"][..],
        ),
        (
            story::invoked(&scene, 1, true, false),
            &["The handler was called", "a review of the notes", "inv_1x"],
        ),
        (
            story::invoked(&scene, 3, false, false),
            &["goes on exactly where it was", "in its 3rd process", "inv_1x"],
        ),
        (story::invoked(&scene, 3, false, true), &["has ended since", "inv_1x"]),
        (
            story::waiting(&scene, "sign_1y"),
            &[
                "curl localhost:8080/restate/awakeables/sign_1y/resolve --json '\"Looks good!\"'\n",
                "kill -9",
                "run the same command again",
            ],
        ),
        (
            story::answered("Published.", &steps, 2),
            &["Published.", "the review twice, and", "out once, over 2 processes."],
        ),
        (story::answered("x", &steps[1..], 1), &["the review once", "over 1 process."]),
        (
            story::second_answer(&scene, "sign_1y", 409, "{\"outcome\":\"conflict\"}\n"),
            &[
                "curl localhost:8080/reveille/waits/sign_1y/resolve --json '\"Wait, no!\"'\n",
                "status 409",
                "   {\"outcome\":\"conflict\"}\n",
            ],
        ),
        (story::interrupted(), &["still waits", "the same command again"]),
    ] {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!(text.lines().all(|line| line.len() <= 110), "a long line in:\n{text}");
    }
}

#[test]
fn addresses_are_reachable() {
    for (bound, expected) in [
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("192.0.2.1:80", "192.0.2.1:80"),
    ] {
        let bound: SocketAddr = bound.parse().expect("an address");
        assert_eq!(reachable(bound).to_string(), expected);
    }
}

#[tokio::test]
async fn the_handlers_are_served_and_keep_their_port() {
    let directory = tempfile::tempdir().expect("a directory");
    let stage = Stage::set(directory.path()).expect("a stage");
    let address = stage.endpoint_address;
    let client = Client::at(address).expect("an address");
    let discovered = client.get("/discover").await.expect("an answer");
    let manifest: Value =
        serde_json::from_slice(&discovered.success().expect("a manifest")).expect("JSON");
    assert_eq!(manifest["services"][0]["name"], approval::SERVICE);
    assert_eq!(manifest["services"][0]["handlers"][0]["name"], approval::HANDLER);
    let missing = client.get("/nowhere").await.expect("an answer");
    assert_eq!(missing.status, 404);
    assert_eq!((stage.memory.round, stage.memory.processes), (1, 1));

    // The port is free again when the task of the endpoint has ended.
    stage.endpoint.abort();
    let Stage { endpoint, .. } = stage;
    assert!(endpoint.await.expect_err("aborted").is_cancelled());
    let again = Stage::set(directory.path()).expect("a second stage");
    assert_eq!(again.endpoint_address, address);
    assert_eq!((again.memory.round, again.memory.processes), (1, 2));
    again.clear();
}
