//! The dialect, token by token and in whole queries.

use serde_json::json;

use super::{query, world};
use crate::lexer::translate;

#[test]
fn words_of_others_become_ours() {
    let rows = [
        ("select 1", "select 1"),
        ("select 1 ; ; ", "select 1"),
        ("SELECT a == b", "SELECT a = b"),
        ("select '==' -- x == y\n", "select '=='"),
        ("select /* :: */ \"a::b\"", "select \"a::b\""),
        ("select a::text", "select CAST ( a AS TEXT )"),
        ("select t.a::bigint + 1", "select CAST ( t . a AS INTEGER ) + 1"),
        ("select (a + b)::float", "select CAST ( ( a + b ) AS REAL )"),
        ("select count(1)::int", "select CAST ( count ( 1 ) AS INTEGER )"),
        ("select '5'::int", "select CAST ( '5' AS INTEGER )"),
        ("a ilike 'x'", "a REGEXP 'x'"),
        ("a not ilike 'x'", "a not REGEXP 'x'"),
        ("from information_schema.columns c", "from information_schema_columns c"),
        ("select index, \"index\"", "select \"index\" , \"index\""),
        ("sj.index", "sj . \"index\""),
        ("first_value(id order by x)", "first_of ( id order by x )"),
        ("created_at > now() - INTERVAL '1 hour'", "created_at > ago ( '1 hour' )"),
        ("now() + interval '1 hour'", "hence ( '1 hour' )"),
        (
            "select 1 from (select * from t a limit 9) where a.b",
            "select 1 from ( select * from t a limit 9 ) AS a where a . b",
        ),
        (
            "from (select (select 1 from x) from t)",
            "from ( select ( select 1 from x ) from t ) AS t",
        ),
        (
            "from (select 1 from t as a) join (select 1 from b)",
            "from ( select 1 from t as a ) AS a join ( select 1 from b ) AS b",
        ),
        ("from (select 1 from t a) b", "from ( select 1 from t a ) b"),
        ("from (select 1 from t) as b", "from ( select 1 from t ) as b"),
        ("from (select 1 from t, u) where x", "from ( select 1 from t , u ) where x"),
        (
            "from (select 1 from t a left join u) where x",
            "from ( select 1 from t a left join u ) where x",
        ),
        ("a is distinct from (select 1 from t)", "a is distinct from ( select 1 from t )"),
        (
            "from (select 1 from t) join t on t.a = 1",
            "from ( select 1 from t ) join t on t . a = 1",
        ),
        ("where a in (select 1 from t)", "where a in ( select 1 from t )"),
        ("from (select 1)", "from ( select 1 )"),
        (
            "from (select 1 from (select 2 from t a))",
            "from ( select 1 from ( select 2 from t a ) AS a )",
        ),
        ("select 'it''s'", "select 'it''s'"),
        ("select 'ünï' as ü", "select 'ünï' as ü"),
    ];
    for (written, expected) in rows {
        let translated = translate(written).expect(written);
        assert_eq!(translated.text, expected, "{written}");
    }
}

#[test]
fn conditions_are_found() {
    let rows: [(&str, &[&str]); 8] = [
        ("select a is not null as b from t", &["b"]),
        ("select a, b from t where a = b", &[]),
        ("select a = 1 as x, c, d like 'y' as z from t", &["x", "z"]),
        ("select coalesce(a = 1, 2) as x from t", &[]),
        ("select case when a = 1 then 2 end as x from t", &[]),
        ("select (select 1 where a = b) as x from t", &[]),
        ("with t as (select a = 1 as c from u) select t.*, b is null as d from t", &["d"]),
        ("select a in (1, 2) as \"Q\" from t", &["q"]),
    ];
    for (text, expected) in rows {
        let found: Vec<String> = translate(text).expect(text).conditions.into_iter().collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn whole_queries() {
    let world = world(14);
    let rows = [
        ("select count(*) as n from sys_invocation where target ilike 'MAIL%'", json!([{"n": 14}])),
        ("select count(*) as n from sys_invocation where target like 'MAIL%'", json!([{"n": 0}])),
        (
            "select count(*) as n from sys_invocation where id = (select min(id) from sys_invocation) \
             and completed_at >= '2026-11-22 07:36:39' and '2026-11-22 07:36:39.99' >= completed_at \
             and completed_at between '2026-11-22' and '2026-11-23' \
             and completed_at in ('2026-11-22 07:36:39.990 UTC') \
             and not completed_at < '2026-11-22 07:36:39.99+00:00'",
            json!([{"n": 1}]),
        ),
        (
            "select count(*) as n from sys_invocation where created_at > now() - interval '1 day'",
            json!([{"n": 14}]),
        ),
        (
            "select count(*) as n from sys_invocation where created_at > now() - interval '1 s'",
            json!([{"n": 0}]),
        ),
        (
            "select status, count(1) as n, min(journal_size) as m, sum(retry_count) as r from \
             sys_invocation where status in ('ready', 'running', 'paused') group by status order by status",
            json!([{"status": "paused", "n": 2, "m": 2}, {"status": "ready", "n": 1, "m": 2, "r": 1},
                   {"status": "running", "n": 1, "m": 2, "r": 1}]),
        ),
        (
            "with x as (select status from sys_invocation) select max(status) as s from x",
            json!([{"s": "suspended"}]),
        ),
        ("select 2::text || 'x' as t, 1.5 as f, null as n", json!([{"t": "2x", "f": 1.5}])),
        ("select now() as t", json!([{"t": "2026-11-22T07:36:40.000Z"}])),
        ("select starts_with('abc', 'ab') = 1 as yes", json!([{"yes": true}])),
        ("select json_extract('{\"a\":[7]}', '$.a[0]') as x", json!([{"x": 7}])),
    ];
    for (text, expected) in rows {
        assert_eq!(query(&world, text).expect(text), expected, "{text}");
    }
}
