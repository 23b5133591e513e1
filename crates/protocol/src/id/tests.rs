//! Tests of the text forms.

use crate::id::{AwakeableId, DeploymentId, InvocationId, SubscriptionId};

/// The documented sample: 24 bytes and their text.
const SAMPLE_BYTES: [u8; 24] = [
    0x17, 0x2a, 0xd7, 0x4d, 0x92, 0x29, 0xe5, 0x95, 0xfa, 0xc1, 0xca, 0x9e, 0xdc, 0x49, 0x3b, 0x65,
    0x64, 0xfe, 0x3f, 0xed, 0x63, 0x99, 0x60, 0x96,
];
const SAMPLE_TEXT: &str = "inv_1cRT5cilGy9x4zKZGLFAqnxAEHQWck6tmy";

fn reason<T, E: ToString>(result: Result<T, E>) -> String {
    result.err().map_or("ok".to_owned(), |error| error.to_string())
}

#[test]
fn invocation_sample() {
    let id = InvocationId::from_bytes(SAMPLE_BYTES);
    assert_eq!(id.to_string(), SAMPLE_TEXT);
    assert_eq!(format!("{id:?}"), SAMPLE_TEXT);
    assert_eq!(SAMPLE_TEXT.parse(), Ok(id));
    assert_eq!(id.partition_key(), 0x95e5_2992_4dd7_2a17);
    assert_eq!(id.unique(), 0x9660_9963_ed3f_fe64_653b_49dc_9eca_c1fa);
    assert_eq!(InvocationId::from_parts(id.partition_key(), id.unique()), id);
}

#[test]
fn invocation_extremes() {
    let zeros = format!("inv_1{}", "0".repeat(33));
    let max = "inv_1lYGhA16ahyf7N42dgm5tFLK9N8MT7fHC7";
    assert_eq!(InvocationId::from_parts(0, 0).to_string(), zeros);
    assert_eq!(InvocationId::from_parts(u64::MAX, u128::MAX).to_string(), max);
    assert_eq!(max.parse(), Ok(InvocationId::from_parts(u64::MAX, u128::MAX)));
}

#[test]
fn invocation_reasons() {
    let digits = "0".repeat(33);
    let table = [
        (SAMPLE_TEXT.to_owned(), "ok"),
        (String::new(), "bad length"),
        ("foo".to_owned(), "bad format"),
        (format!("sign_1{digits}"), "bad format"),
        (format!("inv1{digits}"), "bad format"),
        ("inv_".to_owned(), "bad length"),
        ("inv_1".to_owned(), "bad length"),
        (format!("inv_1{digits}0"), "bad length"),
        (format!("inv_1{}", &digits[1..]), "bad length"),
        (format!("inv_2{digits}"), "unrecognized codec version"),
        ("inv_é".to_owned(), "unrecognized codec version"),
        (format!("inv_1{}-", &digits[1..]), "bad format"),
        (format!("inv_1{}é", &digits[2..]), "bad format"),
        // The partition key is 2^64, then the unique part is 2^128.
        (format!("inv_1lYGhA16ahyg{}", &digits[11..]), "bad format"),
        (format!("inv_1{}7N42dgm5tFLK9N8MT7fHC8", &digits[22..]), "bad format"),
        (format!("inv_1{}", "Z".repeat(33)), "bad format"),
    ];
    for (text, expected) in table {
        assert_eq!(reason(text.parse::<InvocationId>()), expected, "{text}");
    }
}

#[test]
fn deployments() {
    for id in [DeploymentId(0), DeploymentId(61), DeploymentId(62), DeploymentId(u128::MAX)] {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    assert_eq!(DeploymentId(62).to_string(), format!("dp_1{}10", "0".repeat(20)));
    assert_eq!(format!("{:?}", DeploymentId(u128::MAX)), "dp_17N42dgm5tFLK9N8MT7fHC7");
    let table = [
        ("", "bad length"),
        ("dp", "bad format"),
        (SAMPLE_TEXT, "bad format"),
        ("dp_1", "bad length"),
        ("dp_2", "unrecognized codec version"),
        ("dp_17N42dgm5tFLK9N8MT7fHC8", "bad format"),
        ("dp_17N42dgm5tFLK9N8MT7fHC7", "ok"),
    ];
    for (text, expected) in table {
        assert_eq!(reason(text.parse::<DeploymentId>()), expected, "{text}");
    }
}

fn awakeable(index: u32) -> AwakeableId {
    let invocation = InvocationId::from_bytes(SAMPLE_BYTES);
    AwakeableId { invocation, secret: *b"secret-secret-16", index }
}

#[test]
fn awakeables() {
    let text = "sign_1FyrXTZIp5ZX6wcqe3Ek7ZWT-P-1jmWCWc2VjcmV0LXNlY3JldC0xNgAAABE";
    let id = awakeable(17);
    assert_eq!(id.to_string(), text);
    let legacy = text.replace("sign_1", "prom_1");
    for form in [text.to_owned(), format!("{text}="), legacy.clone(), format!("{legacy}=")] {
        assert_eq!(form.parse(), Ok(id), "{form}");
    }
    assert_eq!(awakeable(u32::MAX).to_string().parse(), Ok(awakeable(u32::MAX)));
    assert_eq!(
        format!("{id:?}"),
        format!("AwakeableId {{ invocation: {SAMPLE_TEXT}, index: 17, .. }}")
    );
}

#[test]
fn awakeable_reasons() {
    let text = awakeable(17).to_string();
    let encoded = &text[6..];
    let table = [
        ("foo".to_owned(), "bad format"),
        (String::new(), "bad length"),
        ("sign_".to_owned(), "bad length"),
        ("prom_".to_owned(), "bad length"),
        ("prom_1".to_owned(), "bad length"),
        ("prom_1abc".to_owned(), "bad length"),
        ("sign_1".to_owned(), "id doesn't match the expected type"),
        ("sign_1abc".to_owned(), "id doesn't match the expected type"),
        (format!("{text}A"), "id doesn't match the expected type"),
        (format!("{text}=="), "id doesn't match the expected type"),
        (text[..text.len() - 1].to_owned(), "id doesn't match the expected type"),
        (text.replace("WT-P", "WT+P"), "id doesn't match the expected type"),
        (format!("{}!", &text[..text.len() - 1]), "id doesn't match the expected type"),
        // Ids without a secret.
        (
            "sign_1FyrXTZIp5ZX6wcqe3Ek7ZWT-P-1jmWCWAAAAEQ".to_owned(),
            "id doesn't match the expected type",
        ),
        (
            "prom_1NMyOAvDK2CcBjUH4Rmb7eGBp0DNNDnmsAAAAAQ".to_owned(),
            "id doesn't match the expected type",
        ),
        (SAMPLE_TEXT.to_owned(), "id doesn't match the expected type"),
        (format!("sign_2{encoded}"), "unrecognized codec version"),
        (format!("xyz_1{encoded}"), "unrecognized resource type: xyz"),
        ("a_b_c".to_owned(), "unrecognized resource type: a"),
    ];
    for (text, expected) in table {
        assert_eq!(reason(text.parse::<AwakeableId>()), expected, "{text}");
    }
    for index in [0, 1, 5, 16] {
        let text = awakeable(index).to_string();
        let expected = "id doesn't match the expected type";
        assert_eq!(reason(text.parse::<AwakeableId>()), expected, "index {index}");
    }
}

#[test]
fn subscriptions() {
    for (id, text) in [
        (SubscriptionId(0), format!("sub_1{}", "0".repeat(22))),
        (SubscriptionId(u128::MAX), "sub_17N42dgm5tFLK9N8MT7fHC7".to_owned()),
    ] {
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
    }
    for (text, expected) in [
        ("", "bad length"),
        ("foo", "bad format"),
        ("dp_17N42dgm5tFLK9N8MT7fHC7", "bad format"),
        ("sub_1", "bad length"),
        ("sub_27N42dgm5tFLK9N8MT7fHC7", "unrecognized codec version"),
        ("sub_17N42dgm5tFLK9N8MT7fHC8", "bad format"),
    ] {
        assert_eq!(reason(text.parse::<SubscriptionId>()), expected, "{text}");
    }
}
