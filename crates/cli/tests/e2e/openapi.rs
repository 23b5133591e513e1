//! The documents in OpenAPI of a running server, before a validator that is not ours.
//!
//! - Owns: which documents are fetched: that of the admin API and those of all programs, per SDK.
//! - Does not own: whether they are true; that is what the tests of the admin API look at.

use std::{fs, process::Command};

use serde_json::Value;

use super::harness::{Cluster, Mode, Sdk, Setup, python};

/// Validates the documents that are named, and says which one is wrong.
const VALIDATE: &str = "
import json, sys
from openapi_spec_validator import validate
for name in sys.argv[1:]:
    try:
        with open(name) as file:
            validate(json.load(file))
    except Exception as error:
        sys.exit(f'{name}: {error}')
";

/// Runs the validator; what it says of the first document that is wrong.
fn validate(files: &[String]) -> Result<(), String> {
    let output = Command::new(python::python()).args(["-c", VALIDATE]).args(files).output();
    let output = output.expect("run the validator");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[tokio::test]
async fn documents_are_valid() {
    for sdk in [Sdk::TypeScript, Sdk::Python, Sdk::Rust] {
        let cluster = Cluster::start(Setup::new(Mode::Bidi, 7).sdk(sdk)).await;
        let services = cluster.admin.get("/services").send().await.expect(200).json();
        let services = services["services"].as_array().expect("a list").clone();
        let names = services.iter().map(|service| service["name"].as_str().expect("a name"));
        let services = names.map(|name| format!("/services/{name}/openapi"));
        let paths: Vec<String> = std::iter::once("/openapi".to_owned()).chain(services).collect();
        assert!(paths.len() > 5, "the programs have several services: {paths:?}");
        let mut files = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let document = cluster.admin.get(path).send().await.expect(200);
            let file = cluster.log(&format!("openapi-{number}"));
            fs::write(&file, document.text()).expect("write a document");
            files.push(file.to_str().expect("a readable path").to_owned());
        }
        if let Err(said) = validate(&files) {
            panic!("{paths:?}: {said}");
        }
        // It does look: an operation without answers is refused.
        let mut document: Value = cluster.admin.get("/openapi").send().await.expect(200).json();
        document["paths"]["/version"]["get"]["responses"] = Value::Null;
        fs::write(&files[0], document.to_string()).expect("write a document");
        assert!(validate(&files[..1]).is_err(), "the validator refuses nothing");
    }
}
