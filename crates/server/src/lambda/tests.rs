//! Addresses, signatures and events.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, Uri};

use super::{
    credentials::{Credentials, assume_role, assumed},
    event,
    function::Function,
    sign::Signing,
    zstd,
};

#[test]
fn addresses() {
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:greeter:prod";
    let role = "arn:aws:iam::123456789012:role/path/invoker";
    for role in [None, Some(role)] {
        let function = Function::parse(arn, role).expect("an ARN");
        assert_eq!(function.arn(), arn);
        let uri: Uri = format!("{function}invoke/S/h").parse().expect("a URI");
        assert_eq!(Function::of(&uri).as_ref(), Some(&function), "{uri}");
        let path = uri.path().strip_prefix(function.path().trim_end_matches('/'));
        assert_eq!(path, Some("/invoke/S/h"));
    }
    for (arn, role, part) in [
        ("", None, "is not the ARN"),
        ("arn:aws:lambda:r:1:function:f", None, "names no version"),
        ("arn:aws:lambda:r:1:layer:f:1", None, "is not the ARN"),
        ("arn:aws:lambda:r/x:1:function:f:1", None, "is not the ARN"),
        ("arn:aws:lambda::1:function:f:1", None, "is not the ARN"),
        (arn, Some("role"), "is not the ARN of a role"),
    ] {
        let error = Function::parse(arn, role).expect_err(arn).to_string();
        assert!(error.contains(part), "{arn}: {error}");
    }
    for uri in ["http://a/1/f:1/", "lambda://r/1", "lambda://r/1/f:1/role-%20/"] {
        assert_eq!(Function::of(&uri.parse().expect("a URI")), None, "{uri}");
    }
}

/// `get-vanilla` of the published suite for signature version 4.
#[test]
fn signatures() {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
    };
    let signing = Signing {
        method: "GET",
        host: "example.amazonaws.com",
        path: "/",
        body: b"",
        region: "us-east-1",
        service: "service",
        time: "20150830T123600Z",
    };
    let expected = [
        ("x-amz-date", "20150830T123600Z".to_owned()),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
                .to_owned(),
        ),
    ];
    assert_eq!(signing.headers(&credentials), expected);
    let shown = format!("{credentials:?}");
    assert!(!shown.contains("wJalr"), "{shown}");

    let of_role = Credentials { session_token: Some("token".to_owned()), ..credentials };
    let headers = signing.headers(&of_role);
    assert_eq!(headers[1], ("x-amz-security-token", "token".to_owned()));
    assert!(headers[2].1.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
}

#[test]
fn roles() {
    let body = assume_role("arn:aws:iam::1:role/a b");
    assert!(body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b&"), "{body}");
    let answer = "<R><Credentials>\n<AccessKeyId>A</AccessKeyId> <SecretAccessKey>B</SecretAccessKey>\
        <SessionToken>C</SessionToken></Credentials></R>";
    let credentials = assumed(answer).expect("credentials");
    assert_eq!(credentials.access_key_id, "A");
    assert_eq!(credentials.session_token.as_deref(), Some("C"));
    assert_eq!(assumed("<Error/>"), None);
}

#[test]
fn events() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("a/b"));
    headers.insert("host", HeaderValue::from_static("nowhere"));
    let event = event::encode("POST", "/invoke/S/h", &headers, b"\x00hi");
    let event: serde_json::Value = serde_json::from_slice(&event).expect("JSON");
    let expected = serde_json::json!({
        "path": "/invoke/S/h", "httpMethod": "POST", "headers": {"content-type": "a/b"},
        "body": "AGhp", "isBase64Encoded": true,
    });
    assert_eq!(event, expected);

    let answer = br#"{"statusCode":200,"headers":{"Content-Type":"x/y","content-length":"9"},
        "body":"AGhp","isBase64Encoded":true}"#;
    let response = event::decode(answer).expect("a response");
    assert_eq!(response.headers()["content-type"], "x/y");
    assert!(!response.headers().contains_key("content-length"));
    assert_eq!(response.body().as_ref(), b"\x00hi");
    let plain = event::decode(br#"{"statusCode":415,"body":"no"}"#).expect("a response");
    assert_eq!((plain.status().as_u16(), plain.body().as_ref()), (415, b"no".as_slice()));
    for wrong in [
        "",
        "null",
        "{}",
        r#"{"statusCode":7}"#,
        r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#,
    ] {
        assert!(event::decode(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn bodies_are_packed_when_they_must_be() {
    let mut headers = HeaderMap::new();
    let small = zstd::fit(Bytes::from_static(b"small"), 100, &mut headers).expect("it fits");
    assert_eq!((&small[..], headers.get("content-encoding")), (b"small".as_slice(), None));
    assert_eq!(headers["accept-encoding"], "zstd");

    let large = Bytes::from(vec![b'a'; 100_000]);
    let packed = zstd::fit(large.clone(), 1_000, &mut headers).expect("it fits when packed");
    assert!(packed.len() <= 1_000);
    assert_eq!(headers["content-encoding"], "zstd");
    let response = Response::builder().header("content-encoding", "zstd").body(packed);
    let unpacked = zstd::unpack(response.expect("a response")).expect("it can be unpacked");
    assert_eq!(unpacked.body(), &large);
    assert!(!unpacked.headers().contains_key("content-encoding"));

    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let error = zstd::fit(noise.into(), 1_000, &mut headers).expect_err("it does not fit");
    assert!(error.contains("takes 1000 at most"), "{error}");
    let broken = Response::builder().header("content-encoding", "zstd").body(Bytes::from("no"));
    assert!(zstd::unpack(broken.expect("a response")).is_err());
}
