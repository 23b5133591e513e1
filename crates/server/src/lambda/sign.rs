//! Signatures of requests to AWS, version 4.
//!
//! Source of the rules: "Signature Version 4 signing process" in the AWS General Reference. Checked with
//! a vector of its published test suite.

use hmac::{Hmac, KeyInit, Mac};
use reveille_protocol::text::{hex, percent};
use sha2::{Digest, Sha256};

use super::credentials::Credentials;

/// What is signed: a request without query.
pub(super) struct Signing<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// As it is sent: percent-encoded.
    pub path: &'a str,
    pub body: &'a [u8],
    pub region: &'a str,
    pub service: &'a str,
    /// `20260131T120000Z`.
    pub time: &'a str,
}

impl Signing<'_> {
    /// The headers that make the request valid; `host` is sent anyway.
    pub fn headers(&self, credentials: &Credentials) -> Vec<(&'static str, String)> {
        let mut headers = vec![("x-amz-date", self.time.to_owned())];
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        let authorization = self.authorization(credentials, &headers);
        headers.push(("authorization", authorization));
        headers
    }

    fn authorization(&self, credentials: &Credentials, more: &[(&str, String)]) -> String {
        // Sorted by name: `host` comes before `x-amz-…`.
        let mut canonical = format!("host:{}\n", self.host);
        let mut names = "host".to_owned();
        for (name, value) in more {
            canonical += &format!("{name}:{value}\n");
            names += &format!(";{name}");
        }
        // The path is encoded once more, as all services but S3 have it.
        let path = self.path.split('/').map(percent).collect::<Vec<_>>().join("/");
        let body = hex(&Sha256::digest(self.body));
        let request = format!("{}\n{path}\n\n{canonical}\n{names}\n{body}", self.method);
        let date = self.time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let digest = hex(&Sha256::digest(request.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", self.time);
        let secret = format!("AWS4{}", credentials.secret_access_key);
        let parts = [date, self.region, self.service, "aws4_request"];
        let key = parts.iter().fold(secret.into_bytes(), |key, part| mac(&key, part.as_bytes()));
        let signature = hex(&mac(&key, text.as_bytes()));
        let id = &credentials.access_key_id;
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any size");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
