//! `reveille subscriptions` and `reveille kafka-clusters`.

use expect_test::expect;

use crate::operator::tests::run;

const SUBSCRIPTION: &str = r#"{"id":"sub_1a","source":"kafka://c/t","sink":"service://S/h","options":{"group.id":"sub_1a"},"problems":[{"partition":1,"offset":7,"since":"2026-11-22T07:36:39.990Z","message":"the record has no key"}]}"#;

const CLUSTER: &str = r#"{"name":"c","properties":{"bootstrap.servers":"localhost:9092","sasl.password":"***"},"created_at":"2026-11-22T07:36:39.990000000Z","subscriptions":[]}"#;

#[test]
fn subscriptions() {
    let all = format!(r#"{{"subscriptions":[{SUBSCRIPTION}]}}"#);
    run("subscriptions list").on("GET /subscriptions", 200, &all).check(expect![[r#"
        > GET /subscriptions
        ID      SOURCE       SINK           PROBLEMS
        sub_1a  kafka://c/t  service://S/h  1
        exit 0
    "#]]);
    run("subscriptions list")
        .on("GET /subscriptions", 200, r#"{"subscriptions":[]}"#)
        .check(expect![[r#"
            > GET /subscriptions
            ! No subscriptions. `reveille subscriptions create kafka://CLUSTER/TOPIC service://SERVICE/HANDLER` makes one.
            exit 1
        "#]]);
    run("subscriptions describe sub_1a").on("GET /subscriptions/sub_1a", 200, SUBSCRIPTION).check(
        expect![[r#"
            > GET /subscriptions/sub_1a
            kafka://c/t to service://S/h
              group.id = sub_1a
            partition 1 at offset 7 waits since 2026-11-22T07:36:39.990Z: the record has no key
            exit 0
        "#]],
    );
    run("subscriptions create kafka://c/t service://S/h --option auto.offset.reset=earliest")
        .on("POST /subscriptions", 201, SUBSCRIPTION)
        .check(expect![[r#"
            > POST /subscriptions {"options":{"auto.offset.reset":"earliest"},"sink":"service://S/h","source":"kafka://c/t"}
            Created sub_1a: kafka://c/t to service://S/h.
            exit 0
        "#]]);
    run("subscriptions create kafka://c/t service://S/h")
        .on("POST /subscriptions", 400, r#"{"message":"Kafka cluster 'c' not found"}"#)
        .check(expect![[r#"
            > POST /subscriptions {"options":{},"sink":"service://S/h","source":"kafka://c/t"}
            ! reveille: Kafka cluster 'c' not found
            exit 1
        "#]]);
    run("subscriptions delete sub_1a sub_1b")
        .on("DELETE /subscriptions/sub_1a", 202, "")
        .on("DELETE /subscriptions/sub_1b", 202, "")
        .check(expect![[r#"
            > DELETE /subscriptions/sub_1a
            > DELETE /subscriptions/sub_1b
            Removed sub_1a, sub_1b.
            exit 0
        "#]]);
}

#[test]
fn clusters() {
    let all = format!(r#"{{"clusters":[{CLUSTER}]}}"#);
    run("kafka-clusters list").on("GET /kafka-clusters", 200, &all).check(expect![[r#"
        > GET /kafka-clusters
        NAME  BROKERS         CREATED
        c     localhost:9092  23m ago
        exit 0
    "#]]);
    run("kafka-clusters describe c")
        .on("GET /kafka-clusters/c?include_subscriptions=true", 200, CLUSTER)
        .check(expect![[r#"
            > GET /kafka-clusters/c?include_subscriptions=true
            c
              bootstrap.servers = localhost:9092
              sasl.password = ***
            exit 0
        "#]]);
    run("kafka-clusters create c bootstrap.servers=localhost:9092 sasl.password=p=q")
        .on("POST /kafka-clusters", 201, CLUSTER)
        .check(expect![[r#"
            > POST /kafka-clusters {"name":"c","properties":{"bootstrap.servers":"localhost:9092","sasl.password":"p=q"}}
            Created c.
            exit 0
        "#]]);
    run("kafka-clusters update c bootstrap.servers=localhost:9092")
        .on("PATCH /kafka-clusters/c", 200, CLUSTER)
        .check(expect![[r#"
            > PATCH /kafka-clusters/c {"properties":{"bootstrap.servers":"localhost:9092"}}
            Changed c.
            exit 0
        "#]]);
    run("kafka-clusters delete c --force")
        .on("DELETE /kafka-clusters/c?force=true", 202, "")
        .check(expect![[r#"
            > DELETE /kafka-clusters/c?force=true
            Removed c.
            exit 0
        "#]]);
    run("kafka-clusters create c nothing").check(expect![[r#"
        ! reveille: error: invalid value 'nothing' for '<NAME=VALUE>...': expected NAME=VALUE
        ! 
        ! For more information, try '--help'.
        ! : expected NAME=VALUE
        exit 1
    "#]]);
}
