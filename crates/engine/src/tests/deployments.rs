//! What new revisions mean for work that has started.

use expect_test::expect;

use super::check;

#[test]
fn a_handler_that_the_latest_revision_lacks_goes_on_where_it_started() {
    check(
        "send S/h #1; #1 run(1) suspend(1,s1); send S/h #2 at=+100
         with without=S former max=1; cancel #1; #1 error(500,no); show #1; tick 100",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) reply(r2 accepted #2 @100)
            start(#1/2 v7 [Input Run cancel]) reply(r3 accept) end(#1/2) #1 Paused [Input Run cancel] failure(500 RT0007 no) pinned v7 end(#2/1) retry(#2/1 @677)
        "#]],
    );
    check(
        "send S/h #1; #1 run(1) suspend(1,s1); with without=S; cancel #1; show #1",
        expect![[r#"
            start(#1/1 v7 [Input]) reply(r1 accepted #1) end(#1/1) end(#1/2) retry(#1/2 @521) reply(r2 accept) #1 BackingOff [Input Run cancel] failure(404 RT0018 the handler S/h is not registered, register its deployment) pinned v7
        "#]],
    );
}
