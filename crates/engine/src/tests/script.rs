//! The script language: statements are separated by `;` or lines, words by spaces.
//!
//! | statement | what happens |
//! |---|---|
//! | `with v6 rr max=3` | options of the schema (`schema.rs`) |
//! | `partitions 2` | more than one partition, before anything else |
//! | `invoke S/h #1`, `send O/k/x #2` | an ingress call or send; `ik=`, `at=+ms`, `p1` may follow |
//! | | a target in a scope is `s@O/k/x`; `lk=a/b` is a limit key |
//! | `rules s=2 s/*=1 -x=3 y=!` | replaces the rules; `-` disables, `!` is without limit |
//! | `#1 run(1) end` | frames from the current attempt of `#1`; `#1/1` is attempt 1 (`frame.rs`),
//! | | `#1/1'` that of a former life of the id |
//! | `failed #1 text`, `idle #1`, `expired #1`, `admitted #1` | what the invoker reports |
//! | `tick 500`, `pass 500`, `refire`, `retry #1/1` | the clock: with, without what is due; late echoes |
//! | `resolve #1.17 v`, `reject`, `describe` | an awakeable; `?` for a wrong secret, `key=` |
//! | `mint #1.17 $a` | keeps the id of an awakeable for later |
//! | `admin #1 name v`, `replace #1 17 v` | an administrator's answer; `!500:no` is a failure |
//! | `decide W/k name v` | an administrator's answer to a promise of a workflow |
//! | `cancel #1`, `kill`, `pause`, `resume`, `purge`, `purge-journal` | an operator |
//! | `resume #1 latest`, `resume #1 2` | on the latest deployment, on that one |
//! | `attach #1`, `output` | the ingress |
//! | `restart #1 0`, `restart #1 2 latest` | as new, up to that entry, on that deployment |
//! | `edit O/k a=1 b=2`, `edit O/k v a=1` | replaces the state; `v` if it is as the last `state` showed |
//! | `take S/h #1 0@5 after=4 sub=2` | a record of a topic: partition and offset, what was sent before |
//! | `forget 2`, `offsets` | forgets a subscription; what was taken for which |
//! | `recover` | a restart |
//! | `deliver`, `hand 0 1 2` | all messages between partitions; one of them, by from, to, number |
//! | `show #1`, `state O/k`, `outbox` | the record and journal; the state; what is to be delivered |
//! | `events #1`, `times #1` | its journal events; when it was scheduled, queued, first started |

use bytes::Bytes;
use prost::Message as _;
use reveille_protocol::frame::Frame;
use reveille_protocol::id::{AwakeableId, DeploymentId, InvocationId};
use reveille_protocol::message::{InputCommand, Value};

use crate::command::{
    AttemptFailure, AttemptId, Command, Invoke, PromiseTarget, ResumeOn, Source, StateEdit, Target,
    WaitName, WaitTarget,
};
use crate::identity;
use crate::keys::{self, Instance, tag};
use crate::message::Outcome;
use crate::state_edit;

use super::world::{BEGINNING, Partition, SECRET_KEY, World};
use super::{frame, schema, show, subscriptions};

/// Runs one statement.
pub fn statement(world: &mut World, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (verb, words) = words.split_first().expect("a statement has a verb");
    match *verb {
        "with" => {
            words.iter().for_each(|word| world.options.set(word));
            world.schema = schema::build(&world.options);
        }
        "partitions" => {
            let len: usize = words[0].parse().expect("a number");
            world.partitions = std::iter::repeat_with(Partition::default).take(len).collect();
        }
        "invoke" | "send" => invoke(world, *verb == "invoke", words),
        "tick" => world.tick(words[0].parse().expect("milliseconds")),
        "pass" => world.now += words[0].parse::<u64>().expect("milliseconds"),
        "refire" => refire(world),
        "rules" => set_rules(world, words),
        "take" => subscriptions::take(world, words),
        "forget" => subscriptions::forget(world, words),
        "offsets" => subscriptions::offsets(world),
        "recover" => recover(world),
        "deliver" => world.deliver(),
        "hand" => {
            let numbers: Vec<u64> =
                words.iter().map(|word| word.parse().expect("a number")).collect();
            let found = world
                .mail
                .iter()
                .find(|(from, to, seq, _)| [u64::from(*from), u64::from(*to), *seq] == numbers[..]);
            let (from, to, seq, message) = found.expect("such a message").clone();
            world.apply(to, Command::Deliver { from, seq, message });
        }
        "state" => state(world, words[0]),
        "outbox" => outbox(world),
        "show" => {
            let id = world.id(words[0]);
            let shown = show::record(world, id);
            world.output.push(shown);
        }
        "mint" => {
            let id = awakeable(world, words[0]);
            world.minted.insert(words[1].to_owned(), id);
        }
        "resolve" | "reject" | "describe" | "admin" | "replace" | "decide" => {
            wait(world, verb, words);
        }
        "edit" => edit(world, words),
        "events" | "times" => {
            let id = world.id(words[0]);
            let shown =
                if *verb == "events" { show::events(world, id) } else { show::times(world, id) };
            world.output.push(shown);
        }
        "cancel" | "kill" | "pause" | "resume" | "purge" | "purge-journal" | "attach"
        | "output" | "restart" => operate(world, verb, words),
        "failed" | "idle" | "expired" | "admitted" | "retry" => report(world, verb, words),
        verb if verb.starts_with('#') => {
            let (id, attempt) = attempt(world, verb);
            let frames: Vec<Frame> = words.iter().map(|word| frame::parse(world, word)).collect();
            world.remember_tree(id, attempt, &frames);
            world.apply_to(id, Command::Frames { id, attempt, frames });
        }
        verb => panic!("unknown statement {verb}"),
    }
}

/// Lets every timer go off again that was due at some time.
fn refire(world: &mut World) {
    for key in world.timers_seen.clone() {
        let timer = keys::parse_timer(&key).expect("a timer");
        if timer.due <= world.now {
            world.apply_to(timer.id, Command::TimerDue { key });
        }
    }
}

/// A value, or `!500:text` for a failure.
pub fn outcome(text: &str) -> Outcome {
    match text.strip_prefix('!') {
        Some(failure) => {
            let (code, message) = failure.split_once(':').expect("a code and a text");
            Outcome::failure(code.parse().expect("a code"), message)
        }
        None => Outcome::Success(Bytes::copy_from_slice(text.as_bytes())),
    }
}

/// `S/h`, or `O/key/h`, with `scope@` in front.
pub fn target(text: &str) -> Target {
    let (scope, text) = split_scope(text);
    let parts: Vec<&str> = text.split('/').collect();
    let (key, handler) = match parts[1..] {
        [handler] => (None, handler),
        [key, handler] => (Some(key.to_owned()), handler),
        _ => panic!("not a target: {text}"),
    };
    let scope = scope.map(str::to_owned);
    Target { scope, service: parts[0].to_owned(), key, handler: handler.to_owned() }
}

fn split_scope(text: &str) -> (Option<&str>, &str) {
    text.split_once('@').map_or((None, text), |(scope, text)| (Some(scope), text))
}

/// `#1.17`, `#1.17?` with a wrong secret, or a minted `$a`.
pub fn awakeable(world: &World, text: &str) -> AwakeableId {
    if text.starts_with('$') {
        return world.minted[text];
    }
    let (alias, index) = text.split_once('.').expect("an invocation and an index");
    let invocation = world.id(alias);
    let created_at = world.record(invocation).map_or(0, |record| record.created_at);
    let mut secret = SECRET_KEY.secret(invocation, created_at);
    if text.ends_with('?') {
        secret[15] ^= 1;
    }
    let index = index.trim_end_matches('?').parse().expect("an index");
    AwakeableId { invocation, secret, index }
}

fn invoke(world: &mut World, waits: bool, words: &[&str]) {
    let target = target(words[0]);
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let idempotency_key = option("ik=").map(str::to_owned);
    let start_at = option("at=+").map(|ms| world.now + ms.parse::<u64>().expect("milliseconds"));
    let placement = if words.contains(&"p1") { u64::MAX } else { 0 };
    let request = world.request();
    let id = match (&target.key, &idempotency_key) {
        (Some(key), _) if target.handler == "run" => {
            identity::workflow_run_id(target.scope.as_deref(), &target.service, key)
        }
        (_, Some(key)) => identity::idempotent_id(&target, key),
        (_, None) => {
            let random = request.0.into();
            identity::fresh_id(target.routing_text(), placement, world.now, random)
        }
    };
    world.name(id, words[1]);
    let value = Some(Value { content: "in".into() });
    let input = InputCommand { headers: Vec::new(), value, name: String::new() };
    let derived = idempotency_key.is_some() || target.handler == "run";
    let invoke = Invoke {
        id,
        fresh: !derived,
        target,
        input: input.encode_to_vec().into(),
        idempotency_key,
        limit_key: option("lk=").map(str::to_owned),
        start_at,
        caller: None,
        source: Source::Ingress,
        trace: None,
    };
    world.apply_to(id, Command::Invoke { request, invoke: Box::new(invoke), wait: waits });
}

fn recover(world: &mut World) {
    let (start, end) = keys::table(tag::IN_FLIGHT);
    let in_flight =
        world.partitions.iter().flat_map(|rows| rows.0.range(start.clone()..end.clone()));
    let ids: Vec<_> = in_flight.filter_map(|(key, _)| keys::parse_id(&key[1..])).collect();
    world.retries.clear();
    for id in ids {
        world.apply_to(id, Command::Recover { id });
    }
    admit(world);
}

fn set_rules(world: &mut World, words: &[&str]) {
    world.options.set_rules(words);
    world.schema = schema::build(&world.options);
    admit(world);
}

/// Looks who may run that queues for units.
fn admit(world: &mut World) {
    for partition in 0..world.partitions_len() {
        world.apply(partition, Command::Admit { from: Bytes::new() });
    }
}

fn state(world: &mut World, text: &str) {
    let (scope, text) = split_scope(text);
    let (service, key) = text.split_once('/').expect("a service and a key");
    let instance = Instance { scope, service, key };
    let (start, end) = keys::of_instance_range(tag::STATE, instance);
    let len = keys::instance_prefix_len(instance);
    let rows = world.partitions.iter().flat_map(|rows| rows.0.range(start.clone()..end.clone()));
    let seen = rows.clone().map(|(key, value)| (&key[len..], value.as_ref()));
    let version = state_edit::version_of(seen);
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let shown: Vec<_> = rows.map(|(k, v)| format!("{}={}", show(&k[len..]), show(v))).collect();
    world.output.push(format!("{{{}}}", shown.join(" ")));
    world.state_seen = version;
}

/// Replaces the state of a key.
fn edit(world: &mut World, words: &[&str]) {
    let (scope, text) = split_scope(words[0]);
    let (service, key) = text.split_once('/').expect("a service and a key");
    let versioned = words.get(1) == Some(&"v");
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let entries = words[1..].iter().filter_map(|word| word.split_once('='));
    let edit = StateEdit {
        scope: scope.map(str::to_owned),
        service: service.to_owned(),
        key: key.to_owned(),
        entries: entries.map(|(name, value)| (bytes(name), bytes(value))).collect(),
        version: versioned.then_some(world.state_seen),
    };
    let request = world.request();
    let id = InvocationId::from_parts(identity::partition_key_of(scope.unwrap_or(key)), 0);
    world.apply_to(id, Command::ReplaceState { request, edit: Box::new(edit) });
}

fn outbox(world: &mut World) {
    let (start, end) = keys::table(tag::OUTBOX);
    let mut shown = Vec::new();
    for (from, rows) in world.partitions.iter().enumerate() {
        for (key, _) in rows.0.range(start.clone()..end.clone()) {
            let (to, seq) = keys::parse_outbox(key).expect("a key of the outbox");
            shown.push(format!("p{from}-p{to}-{seq}"));
        }
    }
    world.output.push(format!("outbox({})", shown.join(" ")));
}

fn wait(world: &mut World, verb: &str, words: &[&str]) {
    let request = world.request();
    let idempotency_key = words.iter().find_map(|word| word.strip_prefix("key="));
    let idempotency_key = idempotency_key.map(str::to_owned);
    let value = words.get(1).copied().unwrap_or_default();
    let (id, command) = match verb {
        "describe" => {
            let wait = awakeable(world, words[0]);
            (wait.invocation, Command::DescribeWait { request, wait })
        }
        "admin" | "replace" => {
            let id = world.id(words[0]);
            let name =
                words[1].parse().map_or(WaitName::Name(words[1].to_owned()), WaitName::Index);
            let completion = outcome(words[2]);
            let command = if verb == "replace" {
                Command::ReplaceWait { request, id, name, completion }
            } else {
                let wait = WaitTarget::Admin(id, name);
                Command::CompleteWait { request, wait, completion, idempotency_key }
            };
            (id, command)
        }
        "decide" => {
            let (scope, text) = split_scope(words[0]);
            let (service, key) = text.split_once('/').expect("a workflow and a key");
            let promise = PromiseTarget {
                scope: scope.map(str::to_owned),
                service: service.to_owned(),
                key: key.to_owned(),
                name: words[1].to_owned(),
            };
            let wait = WaitTarget::Promise(Box::new(promise));
            let completion = outcome(words[2]);
            (
                wait.invocation(),
                Command::CompleteWait { request, wait, completion, idempotency_key },
            )
        }
        _ => {
            let wait = WaitTarget::Awakeable(awakeable(world, words[0]));
            let completion = match verb {
                "reject" => Outcome::failure(500, value),
                _ => outcome(value),
            };
            let id = wait.invocation();
            (id, Command::CompleteWait { request, wait, completion, idempotency_key })
        }
    };
    world.apply_to(id, command);
}

fn operate(world: &mut World, verb: &str, words: &[&str]) {
    let request = world.request();
    let id = world.ids.get(words[0]).copied();
    let id = id.unwrap_or_else(|| InvocationId::from_parts(0, 999));
    world.name(id, words[0]);
    let on = |at: usize| {
        words.get(at).map_or(ResumeOn::Keep, |word| match *word {
            "latest" => ResumeOn::Latest,
            word => ResumeOn::Deployment(DeploymentId(word.parse().expect("a number"))),
        })
    };
    let command = match verb {
        "restart" => Command::RestartAsNew {
            request,
            id,
            from: words[1].parse().expect("a number"),
            deployment: on(2),
            random: request.0.into(),
        },
        "cancel" => Command::Cancel { request, id },
        "kill" => Command::Kill { request, id },
        "pause" => Command::Pause { request, id },
        "resume" => Command::Resume { request, id, deployment: on(1) },
        "purge" => Command::Purge { request, id },
        "purge-journal" => Command::PurgeJournal { request, id },
        "attach" => Command::Attach { request, id },
        _ => Command::Output { request, id },
    };
    world.apply_to(id, command);
}

fn report(world: &mut World, verb: &str, words: &[&str]) {
    let (id, attempt) = attempt(world, words[0]);
    let command = match verb {
        "idle" => Command::AttemptIdle { id, attempt, expired: false },
        "expired" => Command::AttemptIdle { id, attempt, expired: true },
        "admitted" => Command::AttemptAdmitted { id, attempt },
        "retry" => Command::RetryDue { id, attempt },
        _ => {
            let message = words[1..].join(" ");
            let failure = AttemptFailure { code: 500, message, doc_code: "RT0010" };
            Command::AttemptFailed { id, attempt, failure }
        }
    };
    world.apply_to(id, command);
}

/// `#1` is its current attempt, `#1/2` the second.
fn attempt(world: &World, text: &str) -> (InvocationId, AttemptId) {
    let (alias, number) = text.split_once('/').unwrap_or((text, ""));
    let id = world.id(alias);
    let mut attempt =
        world.attempts.get(&id).copied().unwrap_or(AttemptId { created_at: world.now, number: 1 });
    if let Some(record) = world.record(id) {
        attempt.created_at = record.created_at;
    }
    if let Some(number) = number.strip_suffix('\'') {
        attempt.created_at -= 1;
        attempt.number = number.parse().expect("a number");
    } else if !number.is_empty() {
        attempt.number = number.parse().expect("a number");
    }
    (id, attempt)
}

/// `+500` is relative to now, `500` to the beginning.
pub fn time(world: &World, text: &str) -> u64 {
    match text.strip_prefix('+') {
        Some(ms) => world.now + ms.parse::<u64>().expect("milliseconds"),
        None => BEGINNING + text.parse::<u64>().expect("milliseconds"),
    }
}
