//! Control of invocations: replies to statuses.

use reveille_engine::effect::Reply;
use reveille_protocol::id::{DeploymentId, InvocationId};

use super::Bench;
use crate::partition::Refused;

fn id() -> InvocationId {
    InvocationId::from_parts(7, 9)
}

fn error(status: u16, message: &str) -> String {
    format!("{status} {{\"message\":\"{message}\",\"restate_code\":null}}")
}

#[tokio::test]
async fn each_reply_has_its_status() {
    let bench = Bench::start().await;
    let id = id();
    let not_found = format!("The requested invocation '{id}' does not exist");
    let stopping = "the server is stopping, retry in a moment";
    for (reply, expected) in [
        (Ok(Reply::Done), "200".to_owned()),
        (Ok(Reply::Accept), "202".to_owned()),
        (Ok(Reply::Conflict("so it is".to_owned())), error(409, "so it is")),
        (Ok(Reply::Invalid("no such one".to_owned())), error(400, "no such one")),
        (Ok(Reply::TooEarly("not yet".to_owned())), error(425, "not yet")),
        (Ok(Reply::Gone("it was".to_owned())), error(410, "it was")),
        (Ok(Reply::Unsupported("never".to_owned())), error(422, "never")),
        (Ok(Reply::NotFound(id)), error(404, &not_found)),
        (Ok(Reply::Unavailable("later".to_owned())), error(503, "later")),
        (Ok(Reply::NotReady(id)), error(500, "unexpected answer, see the log")),
        (Err(Refused::Stopping), error(503, stopping)),
    ] {
        bench.partitions.reply(reply.clone());
        for verb in ["cancel", "kill", "pause", "resume", "purge", "purge-journal"] {
            let path = format!("/v3/invocations/{id}/{verb}");
            let answer = bench.send("PATCH", &path, "", "").await;
            assert_eq!(answer.line(), expected, "{verb} {reply:?}");
        }
        if !matches!(reply, Ok(Reply::Done | Reply::Accept)) {
            let path = format!("/v4/invocations/{id}/restart-as-new");
            let answer = bench.send("PATCH", &path, "", "").await;
            assert_eq!(answer.line(), expected, "restart-as-new {reply:?}");
        }
    }
}

#[tokio::test]
async fn each_verb_is_its_command() {
    let bench = Bench::start().await;
    bench.partitions.reply(Ok(Reply::Done));
    let id = id();
    for (method, path, command, status) in [
        ("PATCH", "/cancel", "Cancel", 200),
        ("PATCH", "/kill", "Kill", 200),
        ("PATCH", "/pause", "Pause", 200),
        ("PATCH", "/purge", "Purge", 200),
        ("PATCH", "/purge-journal", "PurgeJournal", 200),
        ("DELETE", "", "Cancel", 202),
        ("DELETE", "?mode=cancel", "Cancel", 202),
        ("DELETE", "?mode=Kill", "Kill", 202),
        ("DELETE", "?mode=purge", "Purge", 202),
    ] {
        let answer = bench.send(method, &format!("/invocations/{id}{path}"), "", "").await;
        assert_eq!(answer.line(), status.to_string(), "{path}");
        let expected = format!("{command} {{ request: RequestId(7), id: {id} }}");
        assert_eq!(bench.partitions.commands(), [expected], "{path}");
    }
}

#[tokio::test]
async fn a_resume_says_where() {
    let bench = Bench::start().await;
    bench.partitions.reply(Ok(Reply::Done));
    let (id, deployment) = (id(), DeploymentId(62));
    for (query, expected) in [
        ("", "Keep".to_owned()),
        ("?deployment=keep", "Keep".to_owned()),
        ("?deployment=latest", "Latest".to_owned()),
        (&format!("?deployment={deployment}"), format!("Deployment({deployment})")),
    ] {
        let answer = bench.send("PATCH", &format!("/invocations/{id}/resume{query}"), "", "").await;
        assert_eq!(answer.line(), "200", "{query}");
        let expected =
            format!("Resume {{ request: RequestId(7), id: {id}, deployment: {expected} }}");
        assert_eq!(bench.partitions.commands(), [expected], "{query}");
    }
}

#[tokio::test]
async fn a_restart_says_what_and_where() {
    let bench = Bench::start().await;
    let (id, new, deployment) = (id(), InvocationId::from_parts(7, 10), DeploymentId(62));
    bench.partitions.reply(Ok(Reply::Accepted { id: new, fresh: true, execution_time: None }));
    let mut random = std::collections::BTreeSet::new();
    for (query, expected) in [
        ("", "0, deployment: Latest".to_owned()),
        ("?from=3", "3, deployment: Latest".to_owned()),
        ("?from=0&deployment=keep", "0, deployment: Keep".to_owned()),
        ("?deployment=Latest", "0, deployment: Latest".to_owned()),
        (
            &format!("?deployment={deployment}&from=1"),
            format!("1, deployment: Deployment({deployment})"),
        ),
    ] {
        let path = format!("/invocations/{id}/restart-as-new{query}");
        let answer = bench.send("PATCH", &path, "", "").await;
        assert_eq!(answer.line(), format!("200 {{\"new_invocation_id\":\"{new}\"}}"), "{query}");
        let command = bench.partitions.commands().pop().expect("a command arrived");
        let expected =
            format!("RestartAsNew {{ request: RequestId(7), id: {id}, from: {expected}, random: ");
        assert!(command.starts_with(&expected), "{command}");
        random.insert(command[expected.len()..].to_owned());
    }
    assert_eq!(random.len(), 5, "ids of restarts are random: {random:?}");
}

#[tokio::test]
async fn malformed_requests_reach_no_partition() {
    let bench = Bench::start().await;
    let id = id();
    let field = |reason: &str| {
        error(400, &format!("The request field 'invocation_id' is invalid. Reason: {reason}"))
    };
    let query = |reason: &str| {
        error(400, &format!("The query parameter 'deployment' is invalid. Reason: {reason}"))
    };
    for (method, path, expected) in [
        ("PATCH", "foo/cancel".to_owned(), field("bad format")),
        ("PATCH", "inv_1abc/kill".to_owned(), field("bad length")),
        ("PATCH", "dp_10000000000000000000007/purge".to_owned(), field("bad format")),
        ("PATCH", "foo/purge-journal".to_owned(), field("bad format")),
        ("PATCH", format!("{id}/resume?deployment=newest"), query("bad format")),
        ("PATCH", format!("{id}/resume?deployment=dp_1abc"), query("bad length")),
        ("PATCH", "foo/restart-as-new".to_owned(), field("bad format")),
        ("PATCH", format!("{id}/restart-as-new?deployment=dp_1abc"), query("bad length")),
        (
            "PATCH",
            format!("{id}/restart-as-new?from=-1"),
            "400 Failed to deserialize query string: from: invalid digit found in string"
                .to_owned(),
        ),
        (
            "DELETE",
            format!("{id}?mode=stop"),
            "400 Failed to deserialize query string: mode: unknown variant `stop`, expected one \
             of `cancel`, `kill`, `purge`"
                .to_owned(),
        ),
        ("PATCH", format!("{id}/explode"), "404".to_owned()),
    ] {
        let answer = bench.send(method, &format!("/invocations/{path}"), "", "").await;
        assert_eq!(answer.line(), expected, "{path}");
    }
    assert!(bench.partitions.commands().is_empty());
}
