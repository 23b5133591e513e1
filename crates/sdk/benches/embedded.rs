//! What a durable step costs when engine and handlers are one process.
//!
//! `cargo xtask bench embedded [--connections 1,64] [--seconds 3] [--json]`: so many handlers at the same
//! time, each doing empty steps one after the other. The time of a step is taken in the handler: from the
//! call of `ctx.run` to its durable result. The floor is one append and fdatasync in the same directory.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use reveille::{BoxError, Context, Embedded, HandlerResult};
use serde_json::json;

/// How long each load runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(700);
/// Steps of one invocation: a journal of the size that real ones have.
const STEPS: usize = 50;
const APPENDS: usize = 300;

#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    is_counting: AtomicBool,
    times: Mutex<Vec<Duration>>,
}

struct Steps(Arc<Load>);

#[reveille::service]
impl Steps {
    async fn go(&self, ctx: &Context) -> HandlerResult<()> {
        let mut times = Vec::with_capacity(STEPS);
        for _ in 0..STEPS {
            let begun = Instant::now();
            ctx.run_sync("step", || Ok(())).await?;
            times.push(begun.elapsed());
        }
        if self.0.is_counting.load(Ordering::Relaxed) {
            self.0.times.lock().unwrap_or_else(PoisonError::into_inner).extend(times);
        }
        Ok(())
    }
}

struct Options {
    concurrent: Vec<usize>,
    duration: Duration,
    json: bool,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let options = parse()?;
    // Not in memory, as the directory for temporary files often is: there a flush costs nothing.
    let directory = tempfile::tempdir_in(std::env::current_dir()?)?;
    let floor = floor_p50(directory.path())?;
    let load = Arc::new(Load::default());
    let engine =
        Embedded::open(directory.path().join("data")).bind(Steps(load.clone())).start().await?;
    let engine = Arc::new(engine);
    let mut rows = Vec::new();
    for &concurrent in &options.concurrent {
        let mut times = drive(&engine, &load, concurrent, options.duration).await?;
        times.sort_unstable();
        rows.push((concurrent, times));
    }
    report(&options, floor, &rows);
    if let Ok(engine) = Arc::try_unwrap(engine) {
        engine.stop().await;
    }
    Ok(())
}

/// Keeps so many handlers going, and returns the times of their steps.
async fn drive(
    engine: &Arc<Embedded>,
    load: &Arc<Load>,
    concurrent: usize,
    duration: Duration,
) -> Result<Vec<Duration>, BoxError> {
    load.is_over.store(false, Ordering::Relaxed);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..concurrent {
        let (engine, load) = (engine.clone(), load.clone());
        callers.spawn(async move {
            while !load.is_over.load(Ordering::Relaxed) {
                let request = Request::post("/Steps/go").body(Bytes::new());
                let response = engine.request(request.expect("a valid request")).await;
                assert_eq!(response.status(), 200, "{:?}", response.body());
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    load.is_counting.store(true, Ordering::Relaxed);
    tokio::time::sleep(duration).await;
    load.is_counting.store(false, Ordering::Relaxed);
    let times = std::mem::take(&mut *load.times.lock().unwrap_or_else(PoisonError::into_inner));
    load.is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended?;
    }
    Ok(times)
}

fn floor_p50(directory: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(directory.join("floor"))?;
    let page = [0x5a_u8; 4096];
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let begun = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[APPENDS / 2])
}

#[expect(clippy::print_stdout, reason = "this is its output")]
fn report(options: &Options, floor: Duration, rows: &[(usize, Vec<Duration>)]) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let at = |times: &[Duration], part: f64| {
        let place = (times.len() as f64 * part) as usize;
        times.get(place).copied().unwrap_or_default()
    };
    let per_second = |times: &[Duration]| times.len() as f64 / options.duration.as_secs_f64();
    if options.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(concurrent, times)| {
                json!({
                    "concurrent": concurrent,
                    "steps_per_second": per_second(times),
                    "p50_us": micros(at(times, 0.50)),
                    "p99_us": micros(at(times, 0.99)),
                })
            })
            .collect();
        println!("{}", json!({ "fdatasync_p50_us": micros(floor), "rows": rows }));
        return;
    }
    println!("floor: 4 KiB append + fdatasync p50 {:.0} us", micros(floor));
    println!(
        "{:>10} {:>9} {:>9} {:>9} {:>9}",
        "concurrent", "steps/s", "p50 us", "x floor", "p99 us"
    );
    for (concurrent, times) in rows {
        let p50 = at(times, 0.50);
        println!(
            "{concurrent:>10} {:>9.0} {:>9.0} {:>9.1} {:>9.0}",
            per_second(times),
            micros(p50),
            p50.as_secs_f64() / floor.as_secs_f64(),
            micros(at(times, 0.99)),
        );
    }
}

fn parse() -> Result<Options, BoxError> {
    let mut options =
        Options { concurrent: vec![1, 64], duration: Duration::from_secs(3), json: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--connections" => {
                let counts = value()?.split(',').map(str::parse).collect::<Result<_, _>>();
                options.concurrent = counts?;
            }
            "--seconds" => options.duration = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--json" => options.json = true,
            // What cargo hands to every benchmark.
            "--bench" => {}
            other => return Err(format!("unknown argument {other:?}").into()),
        }
    }
    Ok(options)
}
