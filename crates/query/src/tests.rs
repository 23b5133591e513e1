//! Queries over a store whose rows are known, in both forms, within limits.

mod corrupt;
mod dialect;
mod entries;
mod fixture;
mod peer;
mod rows;

use std::time::{Duration, Instant};

use reveille_engine::keys::{self, tag};
use serde_json::{Value, json};

use crate::{Format, Limits, QueryError, World, run};
use fixture::{Counting, id, world};

const LIMITS: Limits = Limits { time: Duration::from_secs(20), answer_bytes: 8 << 20 };

/// Runs a query for JSON and returns its rows.
fn query(world: &World, text: &str) -> Result<Value, QueryError> {
    let mut answer = Vec::new();
    run(world, text, Format::Json, LIMITS, |piece| {
        answer.extend(piece);
        Ok(())
    })?;
    let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    Ok(answer["rows"].clone())
}

#[test]
fn conditions_on_keys_narrow_what_is_read() {
    let (store, world) = Counting::over(&world(2_000));
    let rows = [
        (format!("select target from sys_invocation where id = '{}'", id(77)), 1, 2),
        (format!("select target from sys_invocation where id in ('{}','{}')", id(5), id(6)), 2, 4),
        ("select target from sys_invocation where id = 'no id'".to_owned(), 0, 0),
        (format!("select \"index\" from sys_journal where id = '{}'", id(77)), 2, 4),
        (
            "select value from state where service_name = 'Count' and service_key = 'k1'"
                .to_owned(),
            3,
            6,
        ),
        ("select id from sys_invocation_status limit 3".to_owned(), 3, 300),
        (
            format!(
                "select id from sys_invocation_status where partition_key = {}",
                1_u64 << 63 | 77
            ),
            1,
            2,
        ),
        (format!("select 1 from sys_journal where partition_key = {}", 78), 2, 4),
        ("select key from state where partition_key = 5".to_owned(), 0, 4),
        (format!("select kind from sys_wait where invocation_id = '{}'", id(8)), 1, 2),
        (format!("select kind from sys_wait where invocation_id = '{}'", id(7)), 0, 1),
        ("select count(1) from sys_invocation_state".to_owned(), 1, 1_200),
    ];
    for (text, found, read_max) in rows {
        store.reset();
        let rows = query(&world, &text).expect(&text);
        assert_eq!(rows.as_array().map(Vec::len), Some(found), "{text}: {rows}");
        assert!(store.rows_read() <= read_max, "{text} read {} rows", store.rows_read());
    }
    store.reset();
    query(&world, "select count(1) from sys_invocation").expect("a count");
    assert!(store.rows_read() >= 2_000, "counting reads all: {}", store.rows_read());
}

#[test]
fn nothing_but_reading_is_allowed() {
    let world = world(0);
    for text in [
        "delete from sys_invocation",
        "update state set value = 'x'",
        "insert into state(key) values ('x')",
        "create table x(y)",
        "drop table state",
        "attach database '/tmp/x' as x",
        "pragma temp_store = MEMORY",
        "vacuum into '/tmp/x'",
        "select load_extension('x')",
        "begin",
        "",
        "-- nothing",
    ] {
        let error = query(&world, text).expect_err(text);
        let refused = matches!(error, QueryError::NotAQuery(_) | QueryError::Invalid(_));
        assert!(refused, "{text}: {error:?}");
    }
}

#[test]
fn mistakes_are_explained() {
    let world = world(0);
    for (text, part) in [
        ("selec 1", "syntax error"),
        ("select x from sys_invocation", "no such column: x"),
        ("select \"x\" from sys_invocation", "no such column: \"x\""),
        ("select hex(zeroblob(60000000))", "larger than 67108864 bytes"),
        ("select 1 from nosuch", "no such table: nosuch"),
        ("select 1; select 2", "only one query"),
        ("select 'open", "has no end"),
        ("select 1 /* open", "has no end"),
        ("select ago('soon')", "no span"),
    ] {
        let error = query(&world, text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_query_ends_in_time() {
    let world = world(0);
    let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) \
        select count(*) from n";
    let started = Instant::now();
    let error = run(&world, endless, Format::Json, limits, |_| Ok(())).expect_err("endless");
    assert!(error.to_string().contains("admin.query.timeout"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// What a table passes over is not seen by SQLite, which looks at the clock else.
#[test]
fn rows_that_are_passed_over_take_time_too() {
    let world = World { deadline: Some(Instant::now()), ..world(2_000) };
    let mut scan = crate::table::Scan::new(&world, None, keys::table(tag::INVOCATION));
    assert!(matches!(scan.next(), Some(Err(QueryError::Overdue))));
    let limits = Limits { time: Duration::ZERO, ..LIMITS };
    let text = "select id from sys_invocation_state";
    let error = run(&world, text, Format::Json, limits, |_| Ok(())).expect_err("no time");
    assert!(error.to_string().contains("admin.query.timeout"), "{error}");
}

#[test]
fn unknown_names_are_told_apart_from_mistakes() {
    let world = world(0);
    for (text, unknown) in
        [("select 1 from nosuch", true), ("select nosuch()", true), ("selec 1", false)]
    {
        let error = query(&world, text).expect_err(text);
        assert_eq!(matches!(error, QueryError::Unknown(_)), unknown, "{text}: {error:?}");
    }
}

#[test]
fn an_answer_has_a_bound() {
    let world = world(500);
    let limits = Limits { answer_bytes: 50_000, ..LIMITS };
    for format in [Format::Json, Format::Arrow] {
        let text = "select * from sys_invocation";
        let error = run(&world, text, format, limits, |_| Ok(())).expect_err("too large");
        assert!(error.to_string().contains("admin.query.answer-size-limit"), "{error}");
        run(&world, "select id from sys_invocation limit 3", format, limits, |_| Ok(()))
            .expect("a small answer");
    }
}

#[test]
fn a_client_that_left_ends_the_query() {
    let world = world(2_000);
    let mut pieces = 0;
    let ended = run(&world, "select * from sys_invocation", Format::Json, LIMITS, |_| {
        pieces += 1;
        Err(QueryError::Abandoned)
    });
    assert!(matches!(ended, Err(QueryError::Abandoned)), "{ended:?}");
    assert_eq!(pieces, 1);
}

#[test]
fn every_column_of_every_table_can_be_read() {
    let world = world(50);
    for table in crate::tables::ALL {
        let rows = query(&world, &format!("select * from {}", table.name)).expect(table.name);
        for row in rows.as_array().expect("rows") {
            for name in row.as_object().expect("a row").keys() {
                assert!(table.columns.iter().any(|(column, _)| column == name), "{name}");
            }
        }
        for (column, _) in table.columns {
            query(&world, &format!("select \"{column}\" from {}", table.name)).expect(column);
        }
    }
}

#[test]
fn secrets_of_awakeables_are_in_no_table() {
    let world = world(50);
    for table in crate::tables::ALL {
        let rows = query(&world, &format!("select * from {}", table.name)).expect(table.name);
        let text = rows.to_string();
        let raw = text.contains(&reveille_protocol::text::hex(fixture::SECRET.as_bytes()));
        assert!(!text.contains(fixture::SECRET) && !raw, "{}: {text}", table.name);
    }
}

#[test]
fn arrow_streams_have_the_declared_types() {
    let world = world(3);
    let batches = fixture::arrow(
        &world,
        "select id, created_at, journal_size, completion_retention, status, \
         suspended_waiting_for_signals, partition_key, id is not null as known \
         from sys_invocation_status order by id",
    );
    let schema = batches[0].schema();
    let types: Vec<String> =
        schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(
        types,
        [
            "LargeUtf8",
            "Timestamp(ms, \"+00:00\")",
            "UInt32",
            "Duration(ms)",
            "LargeUtf8",
            "List(UInt32)",
            "UInt64",
            "Boolean",
        ]
    );
    assert_eq!(batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 3);

    let counted = fixture::arrow(&world, "select count(1) as n, sum(1.5) as x, null as y");
    let types: Vec<String> =
        counted[0].schema().fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Int64", "Float64", "LargeUtf8"]);
    assert!(fixture::arrow(&world, "select id from sys_invocation where 1 = 2").is_empty());
}

#[test]
fn information_schema_tells_what_there_is() {
    let world = world(0);
    let text = "select count(1) as n from information_schema.columns where table_schema = 'public' \
        and table_name = 'sys_journal' and column_name in ('version', 'entry_json', 'appended_at')";
    assert_eq!(query(&world, text).expect("columns"), json!([{"n": 3}]));
    let text =
        "select table_type from information_schema.tables where table_name = 'sys_invocation'";
    assert_eq!(query(&world, text).expect("tables"), json!([{"table_type": "VIEW"}]));
}
