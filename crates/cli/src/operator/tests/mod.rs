//! Commands against a stub of the admin API: recorded answers in, requests and output out.
//!
//! - Owns: the stub and [`Script`], the only ones that know how a command is run here.
//! - Invariant: a request that no answer was recorded for fails the test, and so does an answer that nobody
//!   asked for.

mod layout;
mod stub;

use std::{
    ffi::OsString,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use crate::operator::{Exit, Terminal, Usage};
use expect_test::Expect;

use stub::Stub;

/// The moment at which all commands run: 2026-11-22T08:00:00Z.
pub const NOW_MS: u64 = 1_795_334_400_000;

/// One command with what the server answers, in the order of the requests.
pub struct Script {
    arguments: Vec<String>,
    answers: Vec<stub::Recorded>,
    input: String,
    is_interactive: bool,
    has_colour: bool,
    width: Option<usize>,
    editor: Option<OsString>,
}

/// Runs these arguments, separated by blanks; `'` keeps blanks together.
pub fn run(arguments: &str) -> Script {
    let mut words = Vec::new();
    for (at, part) in arguments.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    Script {
        arguments: words,
        answers: Vec::new(),
        input: String::new(),
        is_interactive: false,
        has_colour: false,
        width: None,
        editor: None,
    }
}

impl Script {
    /// The next request is this one, such as `GET /services`, and gets this answer.
    pub fn on(mut self, request: &str, status: u16, body: &str) -> Script {
        let (request, body) = (request.to_owned(), body.to_owned());
        self.answers.push(stub::Recorded { request, status, body });
        self
    }

    /// A person sits there and types this.
    pub fn typing(self, input: &str) -> Script {
        Script { input: input.to_owned(), is_interactive: true, ..self }
    }

    /// Standard input is this text.
    pub fn reading(self, input: &str) -> Script {
        Script { input: input.to_owned(), ..self }
    }

    /// The terminal has so many columns.
    pub fn width(self, width: usize) -> Script {
        Script { width: Some(width), ..self }
    }

    /// The terminal shows colours.
    pub fn colour(self) -> Script {
        Script { has_colour: true, ..self }
    }

    /// The user's editor.
    pub fn editor(self, editor: &str) -> Script {
        Script { editor: Some(editor.into()), ..self }
    }

    /// Compares everything: requests with their bodies, standard output, standard error, exit code.
    #[track_caller]
    pub fn check(self, expected: Expect) {
        self.check_with(|text| text, expected);
    }

    /// As [`Script::check`], after replacing what differs from run to run.
    #[track_caller]
    pub fn check_with(self, replace: impl FnOnce(String) -> String, expected: Expect) {
        let played = self.play();
        let mut text = played.requests;
        for (mark, lines) in [("", played.out), ("! ", played.err)] {
            for line in lines.lines() {
                text += &format!("{mark}{line}\n");
            }
        }
        text += &format!("exit {}\n", played.code);
        expected.assert_eq(&replace(text.replace(&played.url, "SERVER")));
    }

    /// Returns standard output and exit code.
    pub fn output(self) -> (String, u8) {
        let played = self.play();
        (played.out, played.code)
    }

    fn play(mut self) -> Played {
        let stub = Stub::start(self.answers);
        let url = stub.url();
        let (out, err) = (Captured::default(), Captured::default());
        let terminal = Terminal {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Box::new(io::Cursor::new(self.input)),
            width: self.width,
            has_colour: self.has_colour,
            is_interactive: self.is_interactive,
            now_ms: NOW_MS,
            editor: self.editor,
        };
        let given = self.arguments.iter().any(|word| word == "--admin-url" || word == "completion");
        if !given {
            self.arguments.extend(["--admin-url", &url, "--token", "secret"].map(str::to_owned));
        }
        let words = self.arguments.iter().map(|word| word.replace("SERVER", &url));
        let ended =
            crate::commands::run_as(["reveille".to_owned()].into_iter().chain(words), terminal);
        let (code, error) = match ended {
            Ok(Exit::Done) => (0, String::new()),
            Ok(Exit::Nothing) => (1, String::new()),
            Err(error) if error.is::<Usage>() => (2, format!("reveille: {error:#}\n")),
            Err(error) => (1, format!("reveille: {error:#}\n")),
        };
        Played { requests: stub.finish(), out: out.text(), err: err.text() + &error, code, url }
    }
}

/// What came of a script.
struct Played {
    requests: String,
    out: String,
    err: String,
    code: u8,
    url: String,
}

/// A stream that is looked at afterwards.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
