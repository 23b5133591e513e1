//! Repository automation, started as `cargo xtask SUBCOMMAND`. One file per subcommand:
//! [`tidy`] (house rules), [`mod@test`] (every test, also `ci`) and [`mod@bench`] (load measurements),
//! [`instructions`] (what hot rules may cost), [`compare`] (the contract against the peer).
//!
//! Owns no product code; it only starts cargo and the binaries and reads the tree.

mod bench;
mod compare;
mod instructions;
mod process;
mod test;
mod tidy;
mod workspace;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask SUBCOMMAND
  tidy [--tighten]   check the house rules; --tighten lowers the ratchet to what the tree has
  test               run every test there is (fmt, clippy, tidy, instructions, tests, simulator)
  ci                 the same as test
  instructions [--update]
        counts the instructions of hot rules with callgrind and compares them with the figures in
        xtask/instructions.txt; --update writes the figures
  bench [greet|steps|counter|counter-hot|chain|answer|promise|all]...
        [--connections 1,16,64] [--seconds 3] [--keys 1000] [--count-flushes]
        [--json [FILE.json]] [--plot FILE.svg]
        [--server 'COMMAND with {data} {ingress} {ingress_port} {admin} {admin_port}']
        [--against 'COMMAND'] [--rounds 2] [--names A,B]
        drives a server, with --against two of them in turn, and prints medians and ratios
  bench [park|queue|timers|idle|growth|overload|tail|everything]... [--count 100000]
        [--queued 100000] [--timers 5000] [--due-in SECONDS] [--counts 1000,10000,100000]
        [--rate CALLS_PER_SECOND]
        the same for parked handlers, a crash and their answers; many calls of one key; timers
        due at once; an idle server; the cost per call while more and more invocations are kept;
        twice the calls that can be answered; the slowest calls beside other work
  bench embedded     the same for the engine in the process of its handlers
  compare --peer 'COMMAND' [--server 'COMMAND'] [--case TEXT]
        runs the scripts of the contract against both and prints what differs";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (subcommand, rest) = match arguments.split_first() {
        Some((first, rest)) => (first.as_str(), rest),
        None => ("help", &[][..]),
    };
    match subcommand {
        "tidy" => tidy::run(rest),
        "test" | "ci" => test::run(rest),
        "instructions" => instructions::run(rest),
        "bench" => bench::run(rest),
        "compare" => compare::run_command(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown subcommand {other:?}\n{USAGE}"),
    }
}
