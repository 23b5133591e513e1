//! A process with its engine is killed at random moments, and nothing is lost or done twice.
//!
//! Without arguments the program is the test; with a directory it is the process that is killed. The seed
//! is printed, and `KILL_SEED` repeats its moments.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::Request;
use reveille::{
    BoxError, Context, Embedded, HandlerResult, ObjectContext, SharedWorkflowContext,
    WorkflowContext,
};

/// Workflows, over so many accounts.
const WORKFLOWS: usize = 40;
const ACCOUNTS: usize = 3;
const KILLS: usize = 15;
/// A workflow sleeps so often, for so long.
const NAPS: u32 = 15;
const NAP: Duration = Duration::from_millis(100);
/// The longest life of a process that is killed: less than a workflow sleeps.
const LIFE_MS_MAX: u64 = 400;
/// The longest life of the last process.
const PATIENCE: Duration = Duration::from_secs(60);

struct Payment {
    log: PathBuf,
}

#[reveille::workflow]
impl Payment {
    async fn run(&self, ctx: &WorkflowContext, number: usize) -> HandlerResult<usize> {
        let (id, answer) = ctx.awakeable::<usize>();
        let line = format!("{number}\n");
        ctx.run_sync("log", || {
            let file = OpenOptions::new().append(true).create(true).open(&self.log);
            Ok(file?.write_all(line.as_bytes())?)
        })
        .await?;
        ClerkClient::new(ctx).answer((id, number)).send().await?;
        let account = AccountClient::new(ctx, format!("a{}", number % ACCOUNTS));
        account.add(1).call().await?;
        for _ in 0..NAPS {
            ctx.sleep(NAP).await?;
        }
        let answer = answer.await?;
        ctx.promise("checked").resolve(&answer).await?;
        Ok(answer)
    }

    #[shared]
    async fn checked(&self, ctx: &SharedWorkflowContext) -> HandlerResult<usize> {
        Ok(ctx.promise::<usize>("checked").await?)
    }
}

struct Clerk;

#[reveille::service]
impl Clerk {
    async fn answer(&self, ctx: &Context, (id, number): (String, usize)) -> HandlerResult<()> {
        ctx.sleep(Duration::from_millis(20)).await?;
        ctx.resolve_awakeable(&id, &(number * 2));
        Ok(())
    }
}

struct Account;

#[reveille::object]
impl Account {
    async fn add(&self, ctx: &ObjectContext, amount: u64) -> HandlerResult<u64> {
        let sum = ctx.get::<u64>("sum").await?.unwrap_or(0) + amount;
        ctx.set("sum", &sum);
        Ok(sum)
    }
}

fn main() -> Result<(), BoxError> {
    match std::env::var_os("KILL_DIRECTORY") {
        Some(directory) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(live(Path::new(&directory)))
        }
        None => kill(),
    }
}

/// The process: begins whatever was not begun, and says the results when all have ended.
async fn live(directory: &Path) -> Result<(), BoxError> {
    let engine = Embedded::open(directory.join("data"))
        .bind(Payment { log: directory.join("log") })
        .bind(Clerk)
        .bind(Account)
        .start()
        .await?;
    for number in 0..WORKFLOWS {
        let path = format!("/Payment/w{number}/run/send");
        let (status, text) = send(&engine, "POST", &path, number.to_string()).await?;
        if !matches!(status, 200 | 202) {
            return Err(format!("{path}: {status} {text}").into());
        }
    }
    let mut results = Vec::new();
    for number in 0..WORKFLOWS {
        let path = format!("/restate/workflow/Payment/w{number}/attach");
        results.push(send(&engine, "GET", &path, String::new()).await?);
        let path = format!("/Payment/w{number}/checked");
        results.push(send(&engine, "POST", &path, String::new()).await?);
    }
    for account in 0..ACCOUNTS {
        let path = format!("/Account/a{account}/add");
        results.push(send(&engine, "POST", &path, "0".to_owned()).await?);
    }
    let lines: String =
        results.into_iter().map(|(status, text)| format!("{status} {text}\n")).collect();
    std::io::stdout().write_all(lines.as_bytes())?;
    engine.stop().await;
    Ok(())
}

async fn send(
    engine: &Embedded,
    method: &str,
    path: &str,
    body: String,
) -> Result<(u16, String), BoxError> {
    let request = Request::builder().method(method).uri(path);
    let request = match body.is_empty() {
        true => request,
        false => request.header("content-type", "application/json"),
    };
    let response = engine.request(request.body(Bytes::from(body))?).await;
    Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
}

/// The test: kills the process again and again, lets the last one end, and looks at what it says.
#[expect(clippy::print_stdout, reason = "a failure is repeated with its seed")]
fn kill() -> Result<(), BoxError> {
    let seed = match std::env::var("KILL_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64,
    };
    println!("KILL_SEED={seed}");
    let directory = tempfile::tempdir()?;
    let mut random = seed;
    let mut killed = 0;
    for _ in 0..KILLS {
        // A linear congruential generator; its upper bits are good enough for moments.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Duration::from_millis((random >> 33) % LIFE_MS_MAX);
        let mut process = start(directory.path())?;
        if ended_within(&mut process, life)?.is_none() {
            process.kill()?;
            process.wait()?;
            killed += 1;
        }
    }
    assert!(killed > 0, "every process ended before it could be killed");
    let mut process = start(directory.path())?;
    let Some(said) = ended_within(&mut process, PATIENCE)? else {
        process.kill()?;
        return Err(format!("the last process did not end within {PATIENCE:?}").into());
    };
    let mut expected = Vec::new();
    for number in 0..WORKFLOWS {
        expected.extend([format!("200 {}", number * 2), format!("200 {}", number * 2)]);
    }
    for account in 0..ACCOUNTS {
        expected.push(format!("200 {}", (account..WORKFLOWS).step_by(ACCOUNTS).count()));
    }
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "after {killed} kills");
    let log = std::fs::read_to_string(directory.path().join("log"))?;
    let mut logged = BTreeMap::<usize, usize>::new();
    for line in log.lines() {
        *logged.entry(line.parse()?).or_default() += 1;
    }
    assert_eq!(logged.len(), WORKFLOWS, "each step was executed: {logged:?}");
    let most = logged.values().max().copied().unwrap_or(0);
    assert!(most <= killed + 1, "a step was executed again without a kill: {logged:?}");
    println!("{killed} kills, nothing lost, nothing done twice");
    Ok(())
}

fn start(directory: &Path) -> Result<Child, BoxError> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.env("KILL_DIRECTORY", directory).stdout(Stdio::piped());
    Ok(command.spawn()?)
}

/// What a process has said when it ends in time.
fn ended_within(process: &mut Child, time: Duration) -> Result<Option<String>, BoxError> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = process.try_wait()? {
            let mut said = String::new();
            if let Some(mut output) = process.stdout.take() {
                output.read_to_string(&mut said)?;
            }
            if !status.success() {
                return Err(format!("the process failed: {status}").into());
            }
            return Ok(Some(said));
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(None);
        }
        // Pacing: the process is looked at until it has ended or its time is over.
        std::thread::sleep((deadline - now).min(Duration::from_millis(5)));
    }
}
