//! K/V state.

use expect_test::expect;

use super::check;

#[test]
fn lazy_reads_are_answered_at_once() {
    check(
        "with lazy; invoke O/k/x #1
         #1 get(1,a) set(a,1) get(2,a) set(b,2) keys(3)
         #1 clear(a) get(4,a) keys(5); state O/k
         #1 clearall keys(6); state O/k",
        expect![[r#"
            start(#1/1 v7 [Input] partial) park(r1 #1)
            forward(#1/1 GetLazyState!1) forward(#1/1 GetLazyState!2=1) forward(#1/1 GetLazyStateKeys!3={a,b})
            forward(#1/1 GetLazyState!4) forward(#1/1 GetLazyStateKeys!5={b}) {b=2}
            forward(#1/1 GetLazyStateKeys!6={}) {}
        "#]],
    );
}

#[test]
fn the_map_of_an_attempt_includes_what_earlier_attempts_wrote() {
    check(
        "send O/k/x #1; #1 set(a,1) eager(a,1) eagerkeys
         #1 error(500,no); tick 200
         #1 set(b,) out(ok) end; send O/k/s #2; send O/k2/s #3",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            end(#1/1) retry(#1/1 @113) start(#1/2 v7 [Input SetState GetEagerState GetEagerStateKeys] retries 1 over 113 a=1)
            end(#1/2) completed(#1 ok) start(#2/1 v7 [Input] a=1 b=) reply(r2 accepted #2) start(#3/1 v7 [Input]) reply(r3 accepted #3)
        "#]],
    );
}

#[test]
fn shared_handlers_read_what_is_committed_and_write_nothing() {
    check(
        "send O/k/x #1; send O/k/s #2; #1 set(a,1)
         #2 get(1,a)
         #2 set(a,2); state O/k",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) start(#2/1 v7 [Input]) reply(r2 accepted #2)
            forward(#2/1 GetLazyState!1=1)
            abort(#2/1) end(#2/1) retry(#2/1 @106) {a=1}
        "#]],
    );
}

#[test]
fn state_writes_survive_a_kill() {
    check(
        "send O/k/x #1; #1 set(a,1)\nkill #1; state O/k",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) completed(#1 409:killed) reply(r2 done) {a=1}
    "#]],
    );
}

#[test]
fn plain_services_have_no_state() {
    check(
        "send S/h #1\n#1 get(1,a)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send S/h #1\n#1 keys(1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send S/h #1\n#1 set(a,1)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send S/h #1\n#1 clear(a)",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
    check(
        "send S/h #1\n#1 clearall",
        expect![[r#"
        start(#1/1 v7 [Input]) reply(r1 accepted #1)
        abort(#1/1) end(#1/1) retry(#1/1 @104)
    "#]],
    );
}

#[test]
fn workflow_state_belongs_to_the_run() {
    check(
        "send W/k/run #1; #1 set(a,1)
         send W/k/s #2; #2 get(1,a)
         #2 clear(a)",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1)
            start(#2/1 v7 [Input] a=1) reply(r2 accepted #2) forward(#2/1 GetLazyState!1=1)
            abort(#2/1) end(#2/1) retry(#2/1 @106)
        "#]],
    );
}
