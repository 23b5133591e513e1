//! `cargo xtask bench`: what one server does with a low-cost endpoint and a low-cost load.
//!
//! - Owns: the command line, the order of events and what is printed.
//! - Does not own: the server process ([`process`]), the service under test ([`service`]), the load
//!   ([`load`]), the cost of the disk alone ([`floor`]).
//! - Invariant: endpoint and load generator stay the same for every server that is measured, so
//!   ratios between servers mean something; absolute figures depend on the machine.

mod connection;
mod floor;
mod load;
mod scenario;
mod service;
mod statistics;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use self::{
    load::{Measured, Target},
    scenario::Scenario,
};
use crate::{
    process::{self, Server},
    workspace,
};

/// How long each load runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(700);

struct Options {
    scenarios: Vec<Scenario>,
    connections: Vec<usize>,
    duration: Duration,
    /// Keys of the scenario *counter*.
    keys: u64,
    /// Command line of another server to measure, with placeholders.
    server: Option<String>,
    json: bool,
}

/// One row of the report.
struct Row {
    scenario: Scenario,
    connections: usize,
    measured: Measured,
    cpu: CpuTimes,
    resident_bytes: u64,
}

/// CPU time of the three parties.
#[derive(Clone, Copy)]
struct CpuTimes {
    server: Duration,
    endpoint: Duration,
    load: Duration,
}

impl CpuTimes {
    fn now(server: &Server) -> Result<Self> {
        let endpoint = process::own_cpu_time(Some(service::THREAD))?;
        let load = process::own_cpu_time(None)?.saturating_sub(endpoint);
        Ok(Self { server: server.cpu_time()?, endpoint, load })
    }

    fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            endpoint: self.endpoint.saturating_sub(before.endpoint),
            load: self.load.saturating_sub(before.load),
        }
    }
}

/// Starts server and endpoint, drives every scenario at every number of connections and reports.
pub fn run(arguments: &[String]) -> Result<()> {
    if let Some((name, rest)) = arguments.split_first()
        && name == "embedded"
    {
        // Its engine is part of the program that is measured.
        let features = ["--features", "embedded", "--bench", "embedded", "--"];
        let mut command = workspace::cargo(&["bench", "-p", "reveille"]);
        command.args(features).args(rest);
        return workspace::run(command);
    }
    let options = parse(arguments)?;
    if cfg!(debug_assertions) {
        // Endpoint and load generator must cost little, or they are what gets measured.
        let mut command = workspace::cargo(&["run", "--release", "-p", "xtask", "--", "bench"]);
        command.args(arguments);
        return workspace::run(command);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let service = service::start()?;
    let directory = process::data_directory()?;
    let floor = floor::fdatasync_p50(directory.path())?;
    let server = Server::start(options.server.as_deref(), directory.path())?;
    let rows = runtime.block_on(measure(&options, &server, &service))?;
    report(&options, floor, &rows);
    Ok(())
}

async fn measure(
    options: &Options,
    server: &Server,
    service: &service::Service,
) -> Result<Vec<Row>> {
    let setup_time_max = Duration::from_secs(30);
    tokio::time::timeout(setup_time_max, connection::register(server.admin, service.address))
        .await
        .context("the server did not accept the deployment in 30 s")??;
    let target =
        Target { ingress: server.ingress, channels: service.channels.clone(), keys: options.keys };
    let mut rows = Vec::new();
    for &scenario in &options.scenarios {
        for &connections in &options.connections {
            load::drive(&target, scenario, connections, WARM_UP).await?;
            let before = CpuTimes::now(server)?;
            let measured = load::drive(&target, scenario, connections, options.duration).await?;
            let cpu = CpuTimes::now(server)?.since(before);
            let resident_bytes = server.resident_bytes()?;
            rows.push(Row { scenario, connections, measured, cpu, resident_bytes });
        }
    }
    Ok(rows)
}

fn report(options: &Options, floor: Duration, rows: &[Row]) {
    if options.json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        println!("{}", json!({ "fdatasync_p50_us": micros(floor), "rows": rows }));
        return;
    }
    println!("floor: 4 KiB append + fdatasync p50 {:.0} us", micros(floor));
    println!("CPU in us per call: server, endpoint, load generator");
    println!(
        "{:<11} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "scenario", "conns", "calls/s", "p50 us", "p99 us", "server", "endpoint", "load", "RSS MiB"
    );
    for row in rows {
        println!(
            "{:<8} {:>5} {:>9.0} {:>9.0} {:>9.0} {:>9.1} {:>9.1} {:>9.1} {:>9.1}",
            row.scenario.name(),
            row.connections,
            row.measured.per_second(),
            micros(row.measured.quantile(0.50)),
            micros(row.measured.quantile(0.99)),
            row.us_per_call(row.cpu.server),
            row.us_per_call(row.cpu.endpoint),
            row.us_per_call(row.cpu.load),
            row.resident_bytes as f64 / f64::from(1 << 20),
        );
    }
}

impl Row {
    fn us_per_call(&self, time: Duration) -> f64 {
        micros(time) / self.measured.calls().max(1) as f64
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "scenario": self.scenario.name(),
            "connections": self.connections,
            "calls_per_second": self.measured.per_second(),
            "p50_us": micros(self.measured.quantile(0.50)),
            "p99_us": micros(self.measured.quantile(0.99)),
            "server_cpu_us_per_call": self.us_per_call(self.cpu.server),
            "endpoint_cpu_us_per_call": self.us_per_call(self.cpu.endpoint),
            "load_cpu_us_per_call": self.us_per_call(self.cpu.load),
            "resident_bytes": self.resident_bytes,
        })
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        scenarios: Scenario::ALL.to_vec(),
        connections: vec![1, 16, 64],
        duration: Duration::from_secs(3),
        keys: 1000,
        server: None,
        json: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--connections" => {
                let counts = value()?.split(',').map(str::parse::<usize>);
                options.connections = counts.collect::<Result<_, _>>().context("--connections")?;
            }
            "--seconds" => {
                let seconds = value()?.parse().context("--seconds takes a number")?;
                options.duration = Duration::try_from_secs_f64(seconds).context("--seconds")?;
            }
            "--keys" => {
                options.keys = value()?.parse().context("--keys takes a number")?;
            }
            "--server" => options.server = Some(value()?.clone()),
            "--json" => options.json = true,
            "all" => options.scenarios = Scenario::ALL.to_vec(),
            name => match Scenario::named(name) {
                Some(scenario) => options.scenarios = vec![scenario],
                None => {
                    let names = Scenario::ALL.map(Scenario::name).join(", ");
                    bail!("bench knows {names}, embedded, all; not {name:?}");
                }
            },
        }
    }
    if options.connections.contains(&0) || options.keys == 0 {
        bail!("--connections and --keys take numbers from 1 on");
    }
    Ok(options)
}
