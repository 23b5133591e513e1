//! A virtual environment with the Python SDK and a validator of OpenAPI, made once and kept beside what cargo builds.
//!
//! Needs `python3` 3.10 or newer with its module `venv` (on Debian, the package python3-venv) and
//! pip's registry; `REVEILLE_PYTHON` chooses another interpreter to make the environment with.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::sdk::root;

/// The folder of the programs in Python.
pub fn directory() -> PathBuf {
    root().join("tests/sdk/python")
}

/// Returns a `python` that has what `requirements.txt` names.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(cache).expect("create the cache directory");
        let lock = File::create(cache.join("python.lock")).expect("create a lock file");
        lock.lock().expect("lock the set-up of Python");
        environment(&cache.join("python"))
    })
}

/// Makes the environment unless it is there with the packages wanted now.
fn environment(environment: &Path) -> PathBuf {
    let requirements = directory().join("requirements.txt");
    let wanted = fs::read(&requirements).expect("read requirements.txt");
    let python = environment.join("bin/python");
    let stamp = environment.join("installed-requirements.txt");
    let works =
        || run(&python, &["-c", "import restate, hypercorn, openapi_spec_validator"]).is_ok();
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) && works() {
        return python;
    }
    let base = env::var_os("REVEILLE_PYTHON").unwrap_or_else(|| "python3".into());
    let path = environment.to_str().expect("a readable path");
    if let Err(error) = run(Path::new(&base), &["-m", "venv", "--clear", path]) {
        panic!("no virtual environment (Debian has it in the package python3-venv): {error}");
    }
    let requirements = requirements.to_str().expect("a readable path");
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "-r"];
    run(&python, &[pip.as_slice(), &[requirements]].concat()).expect("pip install");
    fs::write(&stamp, wanted).expect("note what pip installed");
    python
}

fn run(program: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    let output = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = || Err(format!("{} {arguments:?} failed: {said}", program.display()));
    if output.status.success() { Ok(()) } else { failed() }
}
