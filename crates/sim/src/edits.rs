//! State edits and restarts: what clients ask for, and what the model makes of the answers.
//!
//! - Owns: the edits that were asked for, and which of them a handler may find or must find; the check
//!   of a restarted journal.
//! - Does not own: the comparison with what handlers read ([`crate::state_model`]).
//! - Invariant: an edit is asked for once, so that it is applied at most once.

use reveille_engine::command::{Command, Millis, RequestId, ResumeOn, StateEdit};
use reveille_engine::effect::Reply;
use reveille_engine::identity;
use reveille_engine::keys::{self, Instance, tag};
use reveille_engine::message::Outcome;
use reveille_engine::state_edit::version_of;
use reveille_protocol::id::InvocationId;

use crate::life::{Life, LifeKey};
use crate::model::{Model, instance};
use crate::observer::Observer;
use crate::schema;
use crate::state_model::State;
use crate::trace::{Checked, invariant, violation};
use crate::world::World;

/// An edit that a client asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    service: String,
    key: String,
    entries: State,
    /// True when it may be dropped, because it names a version.
    versioned: bool,
    asked_at: Millis,
    accepted_at: Option<Millis>,
    refused: bool,
    ask: usize,
}

impl World {
    /// An operator replaces the state of a key, perhaps of the state as it was a moment ago.
    pub fn edit_state(&mut self) {
        let service = self.rng.pick(&["object", "object", "lazy", "flow"]).to_owned();
        let key = format!("k{}", self.rng.below(3));
        let instance = Instance { scope: None, service: &service, key: &key };
        let id = InvocationId::from_parts(identity::partition_key_of(&key), 0);
        let partition = identity::partition_of(id, self.partitions());
        let version = self.rng.one_in(3).then(|| {
            let (start, end) = keys::of_instance_range(tag::STATE, instance);
            let len = keys::instance_prefix_len(instance);
            let rows = self.observer.rows[usize::from(partition)].range(start..end);
            version_of(rows.map(|(key, value)| (&key[len..], value.as_ref())))
        });
        let mut entries = State::new();
        for _ in 0..self.rng.below(4) {
            let name = format!("v{}", self.rng.below(4));
            let value = format!("edited {:x}", self.rng.below(1 << 32));
            entries.insert(name.into(), value.into());
        }
        self.model.edits.push(Asked {
            service: service.clone(),
            key: key.clone(),
            entries: entries.clone(),
            versioned: version.is_some(),
            asked_at: self.now,
            accepted_at: None,
            refused: false,
            ask: self.asks.len(),
        });
        let edit = Box::new(StateEdit { scope: None, service, key, entries, version });
        self.ask_once(Command::ReplaceState { request: RequestId(0), edit }, id, 0);
    }

    /// An operator restarts an invocation, whatever state it is in.
    pub fn restart(&mut self, id: InvocationId) {
        let level = self.known.iter().find(|(known, _)| *known == id).map_or(0, |known| known.1);
        let from = self.rng.pick(&[0, 0, 1, 2, 2, 4, 7]);
        let known = ResumeOn::Deployment(schema::deployment(&mut self.rng));
        let deployment = self.rng.pick(&[ResumeOn::Keep, ResumeOn::Keep, ResumeOn::Latest, known]);
        let random = u128::from(self.rng.next()) << 64 | u128::from(self.rng.next());
        let request = RequestId(0);
        let command = Command::RestartAsNew { request, id, from, deployment, random };
        self.ask_once(command, id, level);
    }

    /// An edit was answered.
    pub fn on_edited(&mut self, ask: usize, reply: &Reply) {
        let now = self.now;
        if let Some(edit) = self.model.edits.iter_mut().find(|edit| edit.ask == ask) {
            match reply {
                Reply::Accept => edit.accepted_at = Some(now),
                _ => edit.refused = true,
            }
        }
    }

    /// A restart was accepted: the new invocation has the journal up to the entry that was named.
    pub fn on_restarted(&mut self, old: InvocationId, new: InvocationId, from: u32) -> Checked {
        let lives = self.observer.lives.get(&old).map(Vec::as_slice).unwrap_or_default();
        let Some(copy) = self.observer.last(new) else { return Ok(()) };
        let last = from as usize;
        let kept = |life: &Life| {
            copy.copied_entries > last && copy.journal[..=last] == life.journal[..=last]
        };
        let origin = &copy.record.restarted_from;
        if origin == old.as_bytes().as_slice()
            && lives.iter().filter(|life| life.journal.len() > last).any(kept)
        {
            return Ok(());
        }
        let text = format!("{new} does not continue {old} behind entry {from}");
        violation(invariant::REPLAY, text)
    }
}

impl Model {
    /// True when the output was copied from an invocation that a chain of restarts began with.
    pub fn is_copied_result(&self, observer: &Observer, life: &Life, outcome: &Outcome) -> bool {
        let mut next = Some(life);
        while let Some(life) = next.filter(|life| life.has_copied_output()) {
            let Some(origin) = keys::parse_id(&life.record.restarted_from) else { return false };
            if self.results.get(&origin).is_some_and(|results| results.contains(outcome)) {
                return true;
            }
            next = observer.last(origin);
        }
        false
    }

    /// The states that an exclusive handler may find; `None` when the one before it left it unclear
    /// and no edit made it clear again.
    pub fn states_before(&self, observer: &Observer, life: LifeKey) -> Option<Vec<State>> {
        let this = life_of(observer, life)?;
        let began_at = this.record.running_at().unwrap_or(u64::MAX);
        let before = observer.predecessors.get(&life);
        let before_life = before.and_then(|before| life_of(observer, *before));
        let of_key = |edit: &&Asked| {
            let (service, key) = instance(&this.record);
            !edit.refused && edit.service == service && edit.key == key
        };
        let may = |edit: &&Asked| {
            let earlier = before.is_some_and(|before| {
                edit.accepted_at.is_some_and(|accepted_at| accepted_at < before.1)
            });
            edit.asked_at <= began_at && !earlier
        };
        // It was asked for while the one before was at work, and accepted before this one existed.
        let must = |edit: &&Asked| {
            let before_began = before_life.map(|life| life.record.running_at().unwrap_or(u64::MAX));
            !edit.versioned
                && edit.accepted_at.is_some_and(|accepted_at| accepted_at < life.1)
                && before_began.is_none_or(|began| began < edit.asked_at)
        };
        let edits: Vec<&Asked> = self.edits.iter().filter(of_key).filter(may).collect();
        let found = |edit: &&Asked| edit.entries.clone();
        let Some(last) = edits.iter().copied().filter(must).max_by_key(|edit| edit.asked_at) else {
            let mut states = match before {
                None => vec![State::new()],
                Some(before) if self.is_killed(before.0) => return None,
                Some(before) => self.end_views.get(before)?.clone(),
            };
            states.extend(edits.iter().map(found));
            return Some(states);
        };
        let later = |edit: &&&Asked| {
            edit.accepted_at.is_none_or(|accepted_at| accepted_at >= last.asked_at)
        };
        Some(edits.iter().filter(later).map(found).collect())
    }
}

/// The life with that name.
pub fn life_of(observer: &Observer, life: LifeKey) -> Option<&Life> {
    observer.lives.get(&life.0)?.iter().find(|found| found.created_at == life.1)
}
