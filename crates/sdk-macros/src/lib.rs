//! The attribute macros of crate `reveille`: `service`, `object` and `workflow`, on ordinary `impl` blocks.
//!
//! Use them through `reveille`, where they are documented with examples.
//! - Owns: what a handler may look like, and what is said when it does not.
//! - Does not own: anything at run time; the code made here only calls crate `reveille`.
//! - Invariant: a message points at the line of the user that it is about, and all problems are told at once.
//!
//! Start with `parse.rs`, then `expand.rs`.

mod expand;
mod options;
mod parse;

use proc_macro::TokenStream;
use syn::{ItemImpl, parse_macro_input};

use crate::parse::{Kind, Service};

/// Makes the handlers of a plain service: no key, no state.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Service, arguments, item)
}

/// Makes the handlers of an object: state per key, one handler at a time, and shared ones beside it.
#[proc_macro_attribute]
pub fn object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Object, arguments, item)
}

/// Makes the handlers of a workflow: one that runs once per key, and shared ones beside it.
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Workflow, arguments, item)
}

fn attribute(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut item = parse_macro_input!(item as ItemImpl);
    match Service::parse(kind, arguments.into(), &mut item) {
        Ok(service) => expand::expand(&service, &item).into(),
        // The block stays, so that nothing else about it is reported in vain.
        Err(error) => {
            let error = error.into_compile_error();
            quote::quote! { #item #error }.into()
        }
    }
}
