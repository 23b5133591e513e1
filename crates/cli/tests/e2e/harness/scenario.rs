//! Runs many scenarios against one cluster and reports every one that failed.
//!
//! `SCENARIO=text` in the environment runs only those whose name contains the text.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet, LocalSet, spawn_local},
};

use super::Cluster;

/// How many scenarios share the cluster at a time.
const CONCURRENT_SCENARIOS: usize = 8;

/// A scenario that takes longer has lost something.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(60);

// Scenarios stay on one thread: their futures poll async closures and need not be `Send`.
type Run = fn(Arc<Cluster>) -> Pin<Box<dyn Future<Output = ()>>>;

/// A named story that is told over a shared cluster; it panics when the story does not hold.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub run: Run,
}

/// Lists async functions over `Arc<Cluster>` as [`Scenario`]s, named by their paths.
#[macro_export]
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        /// Every scenario of this module.
        pub fn all() -> Vec<$crate::harness::Scenario> {
            vec![$($crate::harness::Scenario {
                name: concat!(module_path!(), "::", stringify!($name)),
                run: |cluster| Box::pin($name(cluster)),
            }),*]
        }
    };
}

/// Tells one story; shows the logs of the cluster when it panics.
pub async fn tell(cluster: &Cluster, what: &str, story: impl Future<Output = ()> + 'static) {
    let told = LocalSet::new().run_until(async { spawn_local(story).await }).await;
    if let Err(error) = told {
        println!("{}", cluster.logs());
        panic!("{what} of {}: {}", cluster.name(), panic_message(error));
    }
}

/// Runs the scenarios, a few at a time; panics with the names of all that failed.
pub async fn run_scenarios(cluster: Cluster, scenarios: Vec<Scenario>) {
    LocalSet::new().run_until(run_all(cluster, scenarios)).await;
}

async fn run_all(cluster: Cluster, scenarios: Vec<Scenario>) {
    let filter = std::env::var("SCENARIO").unwrap_or_default();
    let cluster = Arc::new(cluster);
    let slots = Arc::new(Semaphore::new(CONCURRENT_SCENARIOS));
    let mut running = JoinSet::new();
    for scenario in scenarios.into_iter().filter(|scenario| scenario.name.contains(&filter)) {
        let (cluster, slots) = (cluster.clone(), slots.clone());
        running.spawn_local(async move {
            let _slot = slots.acquire().await.expect("the semaphore is never closed");
            // A task of its own, so that a panic ends only this scenario.
            let task = spawn_local((scenario.run)(cluster));
            let abort = task.abort_handle();
            let outcome = match tokio::time::timeout(SCENARIO_TIMEOUT, task).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(panic_message(error)),
                Err(_) => {
                    abort.abort();
                    Some(format!("did not end in {SCENARIO_TIMEOUT:?}"))
                }
            };
            (scenario.name, outcome)
        });
    }
    let mut failures = Vec::new();
    let mut passed = 0;
    while let Some(outcome) = running.join_next().await {
        match outcome.expect("scenarios are caught one by one") {
            (_, None) => passed += 1,
            (name, Some(message)) => failures.push(format!("{name}: {message}")),
        }
    }
    println!("{}: {passed} scenarios passed, {} failed", cluster.name(), failures.len());
    if !failures.is_empty() {
        failures.sort();
        println!("{}", cluster.logs());
        panic!("{} of {}:\n{}", failures.len(), cluster.name(), failures.join("\n"));
    }
    assert!(passed > 0, "no scenario is called {filter:?}");
}

fn panic_message(error: JoinError) -> String {
    let panic = match error.try_into_panic() {
        Ok(panic) => panic,
        Err(error) => return error.to_string(),
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or("panicked".into(), |text| text.to_string()),
    }
}
