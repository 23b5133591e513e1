//! The arguments of `cargo xtask bench`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail, ensure};

use super::scenario::{Scenario, Trial};

/// What is measured, of whom, for how long, and where it goes.
#[derive(Debug, PartialEq)]
pub struct Options {
    pub scenarios: Vec<Scenario>,
    pub trials: Vec<Trial>,
    pub connections: Vec<usize>,
    /// Of each load.
    pub duration: Duration,
    /// Keys of the scenario *counter*.
    pub keys: u64,
    /// Handlers that the trial *park* parks.
    pub count: usize,
    /// Calls of one key that the trial *queue* queues.
    pub queued: usize,
    /// Delayed sends of the trial *timers*, one number after the other.
    pub timers: Vec<usize>,
    /// When they are due, counted from the first; by default found from how fast sends are taken.
    pub due_in: Option<Duration>,
    /// Invocations that the trial *growth* keeps, in ascending order.
    pub counts: Vec<usize>,
    /// Calls per second that the trial *tail* offers; by default a part of what the server can answer.
    pub rate: Option<f64>,
    /// How often each server has its turn.
    pub rounds: usize,
    /// Command line of the server in place of our own, with placeholders.
    pub server: Option<String>,
    /// Command line of a server to compare with.
    pub against: Option<String>,
    /// What the servers are called in reports.
    pub names: Vec<String>,
    pub count_flushes: bool,
    pub json: Option<Destination>,
    /// Where the picture of the table goes.
    pub plot: Option<PathBuf>,
}

/// Where a report goes.
#[derive(Debug, PartialEq)]
pub enum Destination {
    /// To the standard output, in place of the tables.
    Output,
    File(PathBuf),
}

impl Options {
    /// Parses the arguments behind `bench`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            scenarios: Vec::new(),
            trials: Vec::new(),
            connections: vec![1, 16, 64],
            duration: Duration::from_secs(3),
            keys: 1000,
            count: 100_000,
            queued: 100_000,
            timers: vec![5000],
            due_in: None,
            counts: vec![1000, 10_000, 100_000],
            rate: None,
            rounds: 0,
            server: None,
            against: None,
            names: Vec::new(),
            count_flushes: false,
            json: None,
            plot: None,
        };
        let mut arguments = arguments.iter().map(String::as_str).peekable();
        while let Some(argument) = arguments.next() {
            match argument {
                "--count-flushes" => options.count_flushes = true,
                "--json" => {
                    let file = arguments.next_if(|next| next.ends_with(".json"));
                    let file = file.map(|file| Destination::File(file.into()));
                    options.json = Some(file.unwrap_or(Destination::Output));
                }
                flag if flag.starts_with("--") => {
                    let value =
                        arguments.next().with_context(|| format!("{flag} needs a value"))?;
                    options.set(flag, value).with_context(|| format!("{flag} {value}"))?;
                }
                name => options.choose(name)?,
            }
        }
        options.complete()?;
        Ok(options)
    }

    /// Returns the largest number of connections, which the trials use.
    pub fn connections_max(&self) -> usize {
        self.connections.iter().copied().max().unwrap_or(1)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<()> {
        match flag {
            "--connections" => self.connections = numbers(value)?,
            "--seconds" => self.duration = Duration::try_from_secs_f64(value.parse()?)?,
            "--keys" => self.keys = positive(value)?,
            "--count" => self.count = positive(value)?,
            "--queued" => self.queued = positive(value)?,
            "--timers" => self.timers = numbers(value)?,
            "--due-in" => self.due_in = Some(Duration::try_from_secs_f64(value.parse()?)?),
            "--counts" => self.counts = numbers(value)?,
            "--rate" => self.rate = Some(f64::from(positive::<u32>(value)?)),
            "--rounds" => self.rounds = positive(value)?,
            "--server" => self.server = Some(value.to_owned()),
            "--against" => self.against = Some(value.to_owned()),
            "--plot" => self.plot = Some(value.into()),
            "--names" => self.names = value.split(',').map(str::to_owned).collect(),
            _ => bail!("bench has no such flag"),
        }
        Ok(())
    }

    fn choose(&mut self, name: &str) -> Result<()> {
        if matches!(name, "all" | "everything") {
            self.scenarios.extend(Scenario::ALL);
            self.trials.extend(Trial::ALL.into_iter().filter(|_| name == "everything"));
        } else if let Some(scenario) = Scenario::named(name) {
            self.scenarios.push(scenario);
        } else if let Some(trial) = Trial::named(name) {
            self.trials.push(trial);
        } else {
            let scenarios = Scenario::ALL.map(Scenario::name).join(", ");
            let trials = Trial::ALL.map(Trial::name).join(", ");
            bail!("bench knows {scenarios}, {trials}, all, everything, embedded; not {name:?}");
        }
        Ok(())
    }

    /// Fills in what depends on other arguments.
    fn complete(&mut self) -> Result<()> {
        if self.scenarios.is_empty() && self.trials.is_empty() {
            self.scenarios.extend(Scenario::ALL);
        }
        let has_picture = self.plot.is_none() || !self.scenarios.is_empty();
        ensure!(has_picture, "--plot shows scenarios of the table, and none was asked for");
        ensure!(self.counts.is_sorted(), "--counts takes numbers in ascending order");
        if self.rounds == 0 {
            self.rounds = if self.against.is_some() { 2 } else { 1 };
        }
        let servers = 1 + usize::from(self.against.is_some());
        if self.names.is_empty() {
            let first = if self.server.is_some() { "server" } else { "reveille" };
            self.names = [first, "against"].into_iter().take(servers).map(str::to_owned).collect();
        }
        let is_named = self.names.len() == servers && !self.names.iter().any(String::is_empty);
        ensure!(is_named, "--names takes a name for each of the {servers} servers");
        Ok(())
    }
}

fn positive<T: FromStr + Default + PartialEq>(text: &str) -> Result<T> {
    let number = text.parse::<T>().ok().filter(|number| *number != T::default());
    number.context("takes numbers from 1 on")
}

fn numbers<T: FromStr + Default + PartialEq>(text: &str) -> Result<Vec<T>> {
    text.split(',').map(positive).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str) -> Result<Options> {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn without_arguments_the_table_is_measured_once() {
        let options = parse("").expect("nothing is needed");
        assert_eq!(options.scenarios, Scenario::ALL);
        assert_eq!((options.rounds, options.names), (1, vec!["reveille".to_owned()]));
    }

    #[test]
    fn scenarios_are_collected() {
        let options = parse("greet --connections 1,128 counter-hot --keys 7").expect("valid");
        assert_eq!(options.scenarios, [Scenario::Greet, Scenario::CounterHot]);
        assert_eq!((options.connections, options.keys), (vec![1, 128], 7));
    }

    #[test]
    fn trials_do_without_the_table() {
        for (arguments, scenarios, trials) in [
            ("park --count 9", 0, vec![Trial::Park]),
            ("queue --queued 9", 0, vec![Trial::Queue]),
            ("timers greet idle", 1, vec![Trial::Timers, Trial::Idle]),
            ("growth --counts 5,50", 0, vec![Trial::Growth]),
            ("all", Scenario::ALL.len(), vec![]),
            ("everything", Scenario::ALL.len(), Trial::ALL.to_vec()),
        ] {
            let options = parse(arguments).expect(arguments);
            assert_eq!((options.scenarios.len(), options.trials), (scenarios, trials));
        }
    }

    #[test]
    fn another_server_means_two_rounds_unless_told() {
        for (arguments, rounds, names) in [
            ("--against peer", 2, "reveille,against"),
            ("--against peer --server mine --rounds 5", 5, "server,against"),
            ("--against peer --names new,old", 2, "new,old"),
            ("--server mine", 1, "server"),
        ] {
            let options = parse(arguments).expect(arguments);
            assert_eq!((options.rounds, options.names.join(",")), (rounds, names.to_owned()));
        }
    }

    #[test]
    fn json_goes_to_the_output_unless_a_file_is_named() {
        let file = Destination::File("a.json".into());
        for (arguments, json) in [
            ("greet", None),
            ("--json greet", Some(Destination::Output)),
            ("greet --json", Some(Destination::Output)),
            ("--json a.json greet", Some(file)),
        ] {
            let options = parse(arguments).expect(arguments);
            assert_eq!(options.json, json, "{arguments}");
        }
    }

    #[test]
    fn a_picture_needs_a_file() {
        let options = parse("greet --plot a.svg").expect("valid");
        assert_eq!(options.plot, Some("a.svg".into()));
        assert!(parse("greet --plot").is_err());
        assert!(parse("park --plot a.svg").is_err(), "park is no scenario of the table");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for arguments in [
            "gret",
            "--connections",
            "--connections 0",
            "--connections 1,",
            "--seconds -1",
            "--seconds x",
            "--keys 0",
            "--count 0",
            "--queued 0",
            "--timers 5,0",
            "--due-in -1",
            "--counts 10,5",
            "--rate 0",
            "--rounds 0",
            "--rond 1",
            "--names a,b",
            "--against peer --names a",
            "--against peer --names a,",
        ] {
            assert!(parse(arguments).is_err(), "{arguments}");
        }
    }
}
