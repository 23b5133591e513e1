use std::time::Instant;
use reveille_store::{*, embedded::*};
fn rss() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with("VmRSS")).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let dir = std::path::PathBuf::from(std::env::args().nth(2).unwrap());
    println!("rss before {} KiB", rss());
    let t = Instant::now();
    let store = EmbeddedStore::open(&dir, EmbeddedOptions::default()).unwrap();
    println!("open {:?} rss {} KiB", t.elapsed(), rss());
    let t = Instant::now();
    let leases: Vec<_> = (0..16).map(|p| store.acquire(PartitionId(p)).unwrap()).collect();
    println!("16 acquires {:?}", t.elapsed());
    let mut seqs: Vec<u64> = leases.iter().map(|l| l.last_seq).collect();
    let mut n: u64 = seqs.iter().sum::<u64>() * 1000;
    let mut batch = |p: usize, size: usize| { let mut b = Batch::default(); for i in 0..5u64 { n += 1; b.put([&[i as u8][..], &n.to_be_bytes()[..]].concat(), vec![p as u8; size]); } b };
    if mode == "bench" {
        for group in [1usize, 64] {
            let mut times = vec![];
            for round in 0..(if group == 1 { 3000 } else { 1000 }) {
                let batches: Vec<_> = (0..group).map(|i| ((i + round) % 16, batch(i % 16, 200))).collect();
                let commits: Vec<_> = batches.iter().map(|(p, b)| { seqs[*p] += 1; Commit { partition: PartitionId(*p as u16), epoch: leases[*p].epoch, seq: seqs[*p], batch: b } }).collect();
                let t = Instant::now();
                let r = store.commit(&commits);
                times.push(t.elapsed());
                assert!(r.iter().all(|r| r.is_ok()));
            }
            times.sort();
            println!("group {group}: p50 {:?} p90 {:?} p99 {:?} max {:?}", times[times.len()/2], times[times.len()*9/10], times[times.len()*99/100], times.last().unwrap());
        }
        println!("rss {} KiB", rss());
    } else {
        // fill until full
        let mut last = String::new();
        for round in 0..4000u64 {
            let p = (round % 16) as usize;
            let b = batch(p, 40_000);
            let r = store.commit(&[Commit { partition: PartitionId(p as u16), epoch: leases[p].epoch, seq: seqs[p] + 1, batch: &b }]).remove(0);
            if r.is_ok() { seqs[p] += 1; }
            let text = format!("{r:?}");
            if text != last { println!("round {round}: {text}, total {}, rows readable {:?}", seqs.iter().sum::<u64>(), store.scan(PartitionId(0), b"", b"\xff", 100000).map(|r| r.len())); last = text; }
            if r.is_err() && round % 40 == 0 {
                let ballast = dir.join("../ballast");
                if ballast.exists() { std::fs::remove_file(ballast).unwrap(); println!("round {round}: freed ballast"); }
                else { break; }
            }
        }
        for p in 0..16 {
            let rows = store.scan(PartitionId(p), b"", b"\xff", 1000000).map(|r| r.len());
            println!("p{p} seq {} rows {rows:?}", seqs[p as usize]);
        }
        drop(store);
        let store = EmbeddedStore::open(&dir, EmbeddedOptions::default()).unwrap();
        for p in 0..16 { let l = store.scan(PartitionId(p), b"", b"\xff", 1000000).unwrap().len() as u64; assert_eq!(l, seqs[p as usize]*5); }
        println!("reopened: all rows there");
    }
    let t = Instant::now();
    
    println!("drop {:?}", t.elapsed());
}

