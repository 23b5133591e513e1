//! Tables and the text of others.

use expect_test::{Expect, expect};

use crate::operator::{
    table::{Cell, Table},
    terminal::printable,
};

fn check(width: Option<usize>, has_colour: bool, expected: Expect) {
    let mut table = Table::new(&["ID", "Target", "STATUS", "Details"]);
    let failure = "[500 Internal] the bank said no, and it said so at some length \u{1b}[31m";
    table.row([
        "inv_1aPtmmLAvNWU5bBJhxrlYyzCFYqOv1SdH9".into(),
        "Account/a-key-of-some-length/withdraw".into(),
        Cell::status("backing-off"),
        failure.into(),
    ]);
    table.row(["inv_1b".into(), "Greeter/greet".into(), Cell::status("running"), "".into()]);
    expected.assert_eq(&format!("{}\n", table.render(width, has_colour)));
}

#[test]
fn without_a_terminal_nothing_is_wrapped() {
    check(
        None,
        false,
        expect![[r#"
        ID                                      TARGET                                 STATUS       DETAILS
        inv_1aPtmmLAvNWU5bBJhxrlYyzCFYqOv1SdH9  Account/a-key-of-some-length/withdraw  backing-off  [500 Internal] the bank said no, and it said so at some length �[31m
        inv_1b                                  Greeter/greet                          running
    "#]],
    );
}

#[test]
fn a_narrow_terminal_wraps_text_and_no_ids() {
    check(
        Some(100),
        false,
        expect![[r#"
        ID                                      TARGET                   STATUS       DETAILS
        inv_1aPtmmLAvNWU5bBJhxrlYyzCFYqOv1SdH9  Account/a-key-of-some-l  backing-off  [500 Internal] the
                                                ength/withdraw                        bank said no, and it
                                                                                      said so at some length
                                                                                      �[31m
        inv_1b                                  Greeter/greet            running
    "#]],
    );
}

#[test]
fn statuses_have_colours_that_take_no_room() {
    check(
        Some(140),
        true,
        expect![[r#"
        ID                                      TARGET                                 STATUS       DETAILS
        inv_1aPtmmLAvNWU5bBJhxrlYyzCFYqOv1SdH9  Account/a-key-of-some-length/withdraw  [31mbacking-off[0m  [500 Internal] the bank said no, and it said so
                                                                                                    at some length �[31m
        inv_1b                                  Greeter/greet                          [32mrunning[0m
    "#]],
    );
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    for (text, expected) in [
        ("plain ü", "plain ü"),
        ("a\tb\nc", "a\tb\nc"),
        ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
        ("\r\u{9b}2J", "\u{fffd}\u{fffd}2J"),
        ("\u{202e}gnp.exe", "\u{fffd}gnp.exe"),
        ("\u{2061}red\u{2064}", "\u{fffd}red\u{fffd}"),
    ] {
        assert_eq!(printable(text), expected);
    }
}
