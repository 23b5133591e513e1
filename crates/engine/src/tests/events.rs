//! Journal events: failed attempts and pauses, each once, and gone with the journal.

use expect_test::expect;

use super::{check, check_after};
use crate::event::{EVENTS_FIRST, EVENTS_LATEST, kept};

#[test]
fn a_failed_attempt_is_an_event() {
    check(
        "send S/h #1; #1 error(500,no); events #1; tick 1000; failed #1 gone; events #1
         tick 1000; #1 run(1) error(500,no); events #1; tick 2000; #1 propose!(1,v) out(v) end; events #1
         purge #1; events #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) events[0(@0 after 0 500:no RT0007)] start(#1/2 v7 [Input] retries 1 over 104) end(#1/2) retry(#1/2 @1230) events[0(@0 after 0 500:no RT0007) 1(@1000 after 0 500:gone RT0010)]
            start(#1/3 v7 [Input] retries 2 over 1230) end(#1/3) retry(#1/3 @2121) events[0(@0 after 0 500:no RT0007) 1(@1000 after 0 500:gone RT0010) 2(@2000 after 1 500:no RT0007)] start(#1/4 v7 [Input Run] retries 1 over 121) ack(#1/4 1) end(#1/4) completed(#1 v) events[0(@0 after 0 500:no RT0007) 1(@1000 after 0 500:gone RT0010) 2(@2000 after 1 500:no RT0007)]
            reply(r2 done) events[]
        "#]],
    );
}

#[test]
fn what_repeats_itself_is_stored_once() {
    check(
        "send S/h #1; #1 error(500,a); tick 1000; #1 error(500,b); tick 1000; #1 error(500,a)
         tick 1000; #1 error(501,a); tick 2000; #1 run(1) error(500,a); events #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104) end(#1/2) retry(#1/2 @1230) start(#1/3 v7 [Input] retries 2 over 1230) end(#1/3) retry(#1/3 @2485)
            start(#1/4 v7 [Input] retries 3 over 2485) end(#1/4) retry(#1/4 @3888) start(#1/5 v7 [Input] retries 4 over 3888) end(#1/5) retry(#1/5 @5120) events[0(@0 after 0 500:a RT0007) 1(@1000 after 0 500:b RT0007) 2(@3000 after 0 501:a RT0007) 3(@5000 after 1 500:a RT0007)]
        "#]],
    );
}

#[test]
fn a_pause_is_an_event() {
    check(
        "with max=2; send S/h #1; #1 error(500,no); tick 1000; #1 error(500,no); events #1
         resume #1; #1 error(500,no,pause); events #1
         send S/h #2; pause #2; #2 suspend(s17,s1); events #2
         send S/h #3; #3 error(500,no); pause #3; events #3",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104) end(#1/2) events[0(@0 after 0 500:no RT0007) 1(@1000 after 0 paused by no)]
            start(#1/3 v7 [Input]) reply(r2 done) end(#1/3) events[0(@0 after 0 500:no RT0007) 1(@1000 after 0 paused by no) 2(@1000 after 0 paused by no)]
            start(#2/1 v7 [Input]) reply(r3 accepted #2) close(#2/1) reply(r4 accept) end(#2/1) events[0(@1000 after 0 paused)]
            start(#3/1 v7 [Input]) reply(r5 accepted #3) end(#3/1) retry(#3/1 @1103) reply(r6 accept) events[0(@1000 after 0 500:no RT0007) 1(@1000 after 0 paused by no)]
        "#]],
    );
}

#[test]
fn an_error_that_becomes_the_result_is_none() {
    check(
        "with max=2 kill; send S/h #1; #1 error(500,a); tick 1000; #1 error(500,b); events #1
         send S/h #2; #2 error(500,no,fail); events #2",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104) end(#1/2) completed(#1 500:b) events[0(@0 after 0 500:a RT0007)]
            start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#2/1) completed(#2 500:no) events[]
        "#]],
    );
}

#[test]
fn events_go_with_the_journal() {
    check(
        "with journal=0; send S/h #1; #1 error(500,no); events #1; tick 1000; #1 out(v) end; events #1
         with journal=100; send S/h #2; #2 error(500,no); tick 1000; #2 out(v) end; events #2; tick 100; events #2
         with journal=90000; send S/h #3; #3 error(500,no); tick 1000; #3 out(v) end; purge-journal #3; events #3
         send S/h #4; #4 error(500,no); tick 1000; #4 out(v) end; restart #4 0; events #a",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) events[0(@0 after 0 500:no RT0007)] start(#1/2 v7 [Input] retries 1 over 104) end(#1/2) completed(#1 v) events[]
            start(#2/1 v7 [Input]) reply(r2 accepted #2) end(#2/1) retry(#2/1 @1120) start(#2/2 v7 [Input] retries 1 over 120) end(#2/2) completed(#2 v) events[0(@1000 after 0 500:no RT0007)] events[]
            start(#3/1 v7 [Input]) reply(r3 accepted #3) end(#3/1) retry(#3/1 @2203) start(#3/2 v7 [Input] retries 1 over 103) end(#3/2) completed(#3 v) reply(r4 done) events[]
            start(#4/1 v7 [Input]) reply(r5 accepted #4) end(#4/1) retry(#4/1 @3211) start(#4/2 v7 [Input] retries 1 over 111) end(#4/2) completed(#4 v) start(#a/1 v7 [Input]) reply(r6 accepted #a) events[]
        "#]],
    );
}

#[test]
fn the_first_and_the_latest_are_kept() {
    let mut script = "send S/h #1\n".to_owned();
    for number in 0..40 {
        script += &format!("#1 error(500,e{number}); tick 2000\n");
    }
    check_after(
        &script,
        "events #1",
        expect![[r#"
        events[0(@0 after 0 500:e0 RT0007) 1(@2000 after 0 500:e1 RT0007) 2(@4000 after 0 500:e2 RT0007) 3(@6000 after 0 500:e3 RT0007) 4(@8000 after 0 500:e4 RT0007) 5(@10000 after 0 500:e5 RT0007) 6(@12000 after 0 500:e6 RT0007) 7(@14000 after 0 500:e7 RT0007) 8(@16000 after 0 500:e8 RT0007) 9(@18000 after 0 500:e9 RT0007) 10(@20000 after 0 500:e10 RT0007) 11(@22000 after 0 500:e11 RT0007) 12(@24000 after 0 500:e12 RT0007) 13(@26000 after 0 500:e13 RT0007) 14(@28000 after 0 500:e14 RT0007) 15(@30000 after 0 500:e15 RT0007) 24(@48000 after 0 500:e24 RT0007) 25(@50000 after 0 500:e25 RT0007) 26(@52000 after 0 500:e26 RT0007) 27(@54000 after 0 500:e27 RT0007) 28(@56000 after 0 500:e28 RT0007) 29(@58000 after 0 500:e29 RT0007) 30(@60000 after 0 500:e30 RT0007) 31(@62000 after 0 500:e31 RT0007) 32(@64000 after 0 500:e32 RT0007) 33(@66000 after 0 500:e33 RT0007) 34(@68000 after 0 500:e34 RT0007) 35(@70000 after 0 500:e35 RT0007) 36(@72000 after 0 500:e36 RT0007) 37(@74000 after 0 500:e37 RT0007) 38(@76000 after 0 500:e38 RT0007) 39(@78000 after 0 500:e39 RT0007)]
    "#]],
    );
}

#[test]
fn what_is_kept_is_bounded_and_ordered() {
    for total in 0..200 {
        let numbers: Vec<u32> = kept(total).collect();
        let bound = (EVENTS_FIRST + EVENTS_LATEST).min(total);
        assert_eq!(numbers.len(), bound as usize, "{total}");
        assert!(numbers.is_sorted_by(|a, b| a < b), "{total}: {numbers:?}");
        assert!(numbers.last().is_none_or(|last| last + 1 == total), "{total}: {numbers:?}");
    }
}
