//! Addresses and their normal form.

use crate::registry::DeploymentUri;

#[test]
fn addresses_have_one_normal_form() {
    for (text, expected) in [
        ("http://localhost:9080", "http://localhost:9080/"),
        ("http://localhost:9080/", "http://localhost:9080/"),
        ("http://localhost:9080///", "http://localhost:9080/"),
        ("HTTP://LocalHost:9080/", "http://localhost:9080/"),
        ("http://h/sub/path", "http://h/sub/path/"),
        ("http://h/Sub/path/?a=b&c", "http://h/Sub/path/"),
        ("http://h?a=b", "http://h/"),
        ("http://h/#part", "http://h/"),
        ("http://[::1]:9080", "http://[::1]:9080/"),
        (" http://h ", "http://h/"),
        ("https://H.example:9443/path", "https://h.example:9443/path/"),
        ("HTTPS://h", "https://h/"),
    ] {
        let uri = DeploymentUri::parse(text).map(|uri| uri.to_string());
        assert_eq!(uri.as_deref(), Ok(expected), "{text}");
        let again = DeploymentUri::parse(expected).map(|uri| uri.to_string());
        assert_eq!(again.as_deref(), Ok(expected), "{text} is stable");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for (text, expected) in [
        ("", "'' is not an absolute URI such as http://localhost:9080"),
        ("foo", "'foo' is not an absolute URI such as http://localhost:9080"),
        ("/path", "'/path' is not an absolute URI such as http://localhost:9080"),
        ("http://", "'http://' is not an absolute URI such as http://localhost:9080"),
        (
            "unix://h/",
            "deployments are called over http or https, not unix; put a proxy in front of one that \
             needs more",
        ),
        (
            "http://name:secret@h/",
            "credentials in the URI are not supported, send them as additional_headers",
        ),
    ] {
        let error = DeploymentUri::parse(text).expect_err(text).to_string();
        assert_eq!(error, expected, "{text}");
    }
}
