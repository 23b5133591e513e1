//! Late echoes: frames and reports of old attempts, timers that were removed.

use expect_test::expect;

use super::check;

#[test]
fn frames_of_an_old_attempt_are_ignored() {
    check(
        "send S/h #1; failed #1 gone; #1/1 run(1); tick 500
         #1/1 run(1) out(late) end; show #1
         #1/3 out(early) end
         #1/2 out(ok) end; #1/2 run(9)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104)
            #1 Running [Input] failure(500 RT0010 gone)
            -
            end(#1/2) completed(#1 ok)
        "#]],
    );
}

/// Found by the simulator: attempt numbers began at 1 again when an id was used again.
#[test]
fn frames_and_reports_of_a_former_life_are_ignored() {
    check(
        "send W/k/run #1; kill #1; purge #1; tick 1; send W/k/run #1
         #1/1' run(1) out(old) end; failed #1/1' late; admitted #1/1'; retry #1/1'; expired #1/1'
         #1/1 out(new) end",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) abort(#1/1) completed(#1 409:killed) reply(r2 done) reply(r3 done) start(#1/1 v7 [Input]) reply(r4 accepted #1)
            -
            end(#1/1) completed(#1 new)
        "#]],
    );
}

#[test]
fn reports_of_an_old_attempt_are_ignored() {
    check(
        "send S/h #1; failed #1 gone; tick 500
         failed #1/1 late; idle #1/1; expired #1/1; admitted #1/1; retry #1/1; retry #1/2
         #1 suspend(s17,s1); failed #1/2 late; #1/2 out(late) end; idle #1/2; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 104)
            -
            end(#1/2) #1 Suspended [Input] wait(awakeable 17 @500 attempt 2) failure(500 RT0010 gone)
        "#]],
    );
}

#[test]
fn frames_behind_a_terminal_frame_are_dropped() {
    check(
        "send S/h #1; #1 suspend(s17,s1) run(1); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) #1 Suspended [Input] wait(awakeable 17 @0 attempt 1)
    "#]],
    );
    check(
        "send S/h #1; #1 error(500,no) run(1); show #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) #1 BackingOff [Input] failure(500 RT0007 no)
    "#]],
    );
    check(
        "send S/h #1; #1 out(a) end run(1)\nshow #1",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) completed(#1 a)
        #1 Completed [Input Output] pinned v7
    "#]],
    );
}

#[test]
fn a_resume_makes_the_retry_timer_late() {
    check(
        "send S/h #1; #1 error(500,no); resume #1
         tick 500; #1 error(500,no)
         retry #1/1; tick 500",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) retry(#1/1 @104) start(#1/2 v7 [Input] retries 1 over 0) reply(r2 done)
            end(#1/2) retry(#1/2 @730)
            start(#1/3 v7 [Input] retries 2 over 730)
        "#]],
    );
}

#[test]
fn late_timers_do_nothing() {
    check(
        "send S/h #1 at=+10; send S/h #2; #2 sleep(1,+20); tick 20; refire
         #1 out(a) end; #2 out(b) end; tick 60000; refire",
        expect![[r#"
            reply(r1 accepted #1 @10) start(#2/1 v7 [Input]) reply(r2 accepted #2) start(#1/1 v7 [Input]) forward(#2/1 Sleep!1)
            end(#1/1) completed(#1 a) end(#2/1) completed(#2 b)
        "#]],
    );
}

#[test]
fn commands_to_unknown_invocations_are_answered_or_ignored() {
    check(
        "cancel #9; kill #9; resume #9; purge #9
         #9 run(1); failed #9 x; idle #9; retry #9/1; admin #9 17 v; admin #9 go v; replace #9 17 v",
        expect![[r#"
            reply(r1 not found #9) reply(r2 not found #9) reply(r3 not found #9) reply(r4 not found #9)
            reply(r5 unknown) reply(r6 unknown) reply(r7 not found #9)
        "#]],
    );
}
