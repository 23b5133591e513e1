//! From an `impl` block to a service: what handlers may look like.
//!
//! - Owns: [`Service`], [`Handler`], and the messages about what is no handler.
//! - Invariant: every function of the block is a handler, so that nothing is served by accident and nothing is
//!   left out by accident. Helpers belong into another block.

use proc_macro2::{Span, TokenStream};
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, ItemImpl,
    Lit, Meta, Pat, PathArguments, Receiver, ReceiverKind, Result, ReturnType, Type, Visibility,
    parse::Parser, spanned::Spanned,
};

use crate::options::Options;

/// What the block makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Service,
    Object,
    Workflow,
}

/// A service as it was written.
pub struct Service {
    pub kind: Kind,
    /// The type of the block.
    pub ident: Ident,
    pub options: Options,
    pub handlers: Vec<Handler>,
}

/// A handler as it was written.
pub struct Handler {
    pub ident: Ident,
    pub visibility: Visibility,
    pub is_shared: bool,
    pub options: Options,
    /// Doc comments, for the client.
    pub docs: Vec<Attribute>,
    /// The type behind the reference that is its context.
    pub context: Type,
    /// The name and type of its input.
    pub input: Option<(Ident, Type)>,
    /// The type of its value.
    pub output: Type,
}

impl Service {
    /// Reads the block and removes the attributes of its handlers.
    pub fn parse(kind: Kind, arguments: TokenStream, item: &mut ItemImpl) -> Result<Self> {
        let mut options = Options::documented(documentation(&item.attrs));
        let parser = syn::meta::parser(|meta| options.parse(&meta));
        let mut problems = Problems::default();
        problems.note(parser.parse2(arguments));
        if let Some((path, _)) = &item.trait_ {
            problems.add(path.span(), "handlers are functions of a type itself, not of a trait");
        }
        if let Some(parameter) = item.generics.params.first() {
            problems.add(parameter.span(), "a service has no type parameters or lifetimes");
        }
        let ident = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
            _ => None,
        };
        let ident = ident.unwrap_or_else(|| {
            problems.add(item.self_ty.span(), "a service is a type with a name");
            Ident::new("Service", Span::call_site())
        });
        let mut handlers = Vec::new();
        for member in &mut item.items {
            match member {
                ImplItem::Fn(function) => {
                    handlers.extend(problems.note(Handler::parse(kind, function)));
                }
                other => problems.add(
                    other.span(),
                    "only handlers stand in this block; move this into an `impl` block without the \
                     attribute",
                ),
            }
        }
        if kind == Kind::Workflow {
            check_run(&ident, &handlers, &mut problems);
        }
        problems.end(Self { kind, ident, options, handlers })
    }
}

/// A workflow runs by one handler.
fn check_run(ident: &Ident, handlers: &[Handler], problems: &mut Problems) {
    let mut runs = handlers.iter().filter(|handler| !handler.is_shared);
    if runs.next().is_none() {
        let message = "a workflow has one handler without `#[shared]`: the one that runs it";
        problems.add(ident.span(), message);
    }
    for other in runs {
        problems.add(
            other.ident.span(),
            "a workflow has one handler without `#[shared]`, and there is one already; give this one \
             `#[shared]`",
        );
    }
}

impl Handler {
    fn parse(kind: Kind, function: &mut ImplItemFn) -> Result<Self> {
        let mut problems = Problems::default();
        let mut options = Options::documented(documentation(&function.attrs));
        let mut is_shared = false;
        for attribute in &function.attrs {
            if attribute.path().is_ident("handler") {
                if let Meta::List(_) = &attribute.meta {
                    problems.note(attribute.parse_nested_meta(|meta| options.parse(&meta)));
                }
            } else if attribute.path().is_ident("shared") {
                is_shared = true;
                if kind == Kind::Service {
                    let message = "handlers of a plain service have no key, so that there is nothing \
                        to share; `#[shared]` is for objects and workflows";
                    problems.add(attribute.span(), message);
                }
                if let Meta::List(_) = &attribute.meta {
                    problems.note(attribute.parse_nested_meta(|meta| options.parse(&meta)));
                }
            }
        }
        let is_ours =
            |of: &Attribute| of.path().is_ident("handler") || of.path().is_ident("shared");
        function.attrs.retain(|attribute| !is_ours(attribute));
        let docs = function.attrs.iter().filter(|of| of.path().is_ident("doc")).cloned().collect();
        let signature = &function.sig;
        if signature.asyncness.is_none() {
            problems.add(signature.fn_token.span, "a handler is an `async fn`");
        }
        if let Some(parameter) = signature.generics.params.first() {
            problems.add(parameter.span(), "a handler has no type parameters or lifetimes");
        }
        let mut inputs = signature.inputs.iter();
        match inputs.next() {
            Some(FnArg::Receiver(Receiver {
                kind: ReceiverKind::Reference(_, _, None), ..
            })) => {}
            _ => {
                problems.add(signature.ident.span(), "the first parameter of a handler is `&self`")
            }
        }
        let context = problems.note(context(inputs.next(), signature.ident.span()));
        let input = inputs.next().and_then(|input| problems.note(named(input)));
        if let Some(extra) = inputs.next() {
            let message = "a handler has one input at most; put several values into one struct";
            problems.add(extra.span(), message);
        }
        let output = problems.note(output(&signature.output, signature.ident.span()));
        let (ident, visibility) = (signature.ident.clone(), function.vis.clone());
        let nothing = || Type::Verbatim(TokenStream::new());
        let context = context.unwrap_or_else(nothing);
        let output = output.unwrap_or_else(nothing);
        problems.end(Self { ident, visibility, is_shared, options, docs, context, input, output })
    }
}

/// The type behind the reference that a context is.
fn context(parameter: Option<&FnArg>, span: Span) -> Result<Type> {
    let message = "the second parameter of a handler is its context, such as `ctx: &Context`";
    let parameter = parameter.ok_or_else(|| Error::new(span, message))?;
    match parameter {
        FnArg::Typed(typed) => match &*typed.ty {
            Type::Reference(reference) if reference.mutability.is_none() => {
                Ok((*reference.elem).clone())
            }
            other => Err(Error::new(other.span(), message)),
        },
        FnArg::Receiver(receiver) => Err(Error::new(receiver.span(), message)),
    }
}

/// The name and type of an input; a pattern gets a name.
fn named(parameter: &FnArg) -> Result<(Ident, Type)> {
    let FnArg::Typed(typed) = parameter else {
        return Err(Error::new(parameter.span(), "the input of a handler has a name and a type"));
    };
    if let Type::Reference(reference) = &*typed.ty {
        let message = "the input of a handler is owned: it is read from the request";
        return Err(Error::new(reference.span(), message));
    }
    let name = match &*typed.pat {
        Pat::Ident(pattern) => {
            let name = pattern.ident.to_string();
            Ident::new(name.trim_start_matches('_'), pattern.ident.span())
        }
        pattern => Ident::new("input", pattern.span()),
    };
    Ok((name, (*typed.ty).clone()))
}

/// The type of the value of a result.
fn output(output: &ReturnType, span: Span) -> Result<Type> {
    let message = "a handler returns a `Result<T, HandlerError>`, written with its `T`";
    let ReturnType::Type(_, ty) = output else {
        return Err(Error::new(span, message));
    };
    let refusal = || Error::new(ty.span(), message);
    let Type::Path(path) = &**ty else { return Err(refusal()) };
    let last = path.path.segments.last().ok_or_else(refusal)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Err(refusal()) };
    match arguments.args.first() {
        Some(GenericArgument::Type(value)) if last.ident.to_string().ends_with("Result") => {
            Ok(value.clone())
        }
        _ => Err(refusal()),
    }
}

/// The text of doc comments.
fn documentation(attributes: &[Attribute]) -> Option<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            let text = text.value();
            lines.push(text.strip_prefix(' ').unwrap_or(&text).to_owned());
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// All that is wrong with a block.
#[derive(Default)]
struct Problems(Option<Error>);

impl Problems {
    fn add(&mut self, span: Span, message: &str) {
        self.combine(Error::new(span, message));
    }

    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.combine(error);
                None
            }
        }
    }

    fn combine(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn end<T>(self, value: T) -> Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}
