//! From a service to code: its definition and its client.
//!
//! - Owns: the generated code.
//! - Invariant: it names nothing but `::reveille`, `::std` and what the user wrote.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{ItemImpl, LitStr, Visibility, spanned::Spanned};

use crate::parse::{Handler, Kind, Service};

/// The block, its definition and its client.
pub fn expand(service: &Service, item: &ItemImpl) -> TokenStream {
    let definition = definition(service, item);
    let client = client(service);
    quote! { #item #definition #client }
}

fn definition(service: &Service, item: &ItemImpl) -> TokenStream {
    let ty = &item.self_ty;
    let name = service_name(service);
    let kind = match service.kind {
        Kind::Service => quote! { Service },
        Kind::Object => quote! { VirtualObject },
        Kind::Workflow => quote! { Workflow },
    };
    let options = service.options.expression();
    let handlers = service.handlers.iter().map(|handler| handler_call(service.kind, ty, handler));
    quote! {
        impl ::reveille::Service for #ty {
            fn definition(self: ::std::sync::Arc<Self>) -> ::reveille::Definition {
                #[allow(unused_imports)]
                use ::reveille::__private::{ViaNothing as _, ViaSchemars as _};

                ::reveille::Definition::new(
                    #name,
                    ::reveille::__private::ServiceType::#kind,
                    #options,
                )
                #(#handlers)*
            }
        }
    }
}

/// One call that adds a handler to the definition.
fn handler_call(kind: Kind, ty: &syn::Type, handler: &Handler) -> TokenStream {
    let Handler { ident, context, output, .. } = handler;
    let name = handler_name(handler);
    let options = handler.options.expression();
    let (handler_type, capable) = match (kind, handler.is_shared) {
        (Kind::Service, _) => (None, quote! { Context }),
        (Kind::Object, false) => (Some(quote! { Exclusive }), quote! { ObjectContext }),
        (Kind::Object, true) => (Some(quote! { Shared }), quote! { SharedObjectContext }),
        (Kind::Workflow, false) => (Some(quote! { Workflow }), quote! { WorkflowContext }),
        (Kind::Workflow, true) => (Some(quote! { Shared }), quote! { SharedWorkflowContext }),
    };
    let handler_type = match handler_type {
        None => quote! { ::std::option::Option::None },
        Some(ty) => {
            quote! { ::std::option::Option::Some(::reveille::__private::HandlerType::#ty) }
        }
    };
    let nothing = syn::parse_quote! { () };
    let input = handler.input.as_ref().map_or(&nothing, |(_, ty)| ty);
    // The user's line is where a type does not fit.
    let context = quote_spanned! { context.span()=> let context: &#context = &context; };
    let (read, argument) = match &handler.input {
        Some((_, ty)) => {
            let read = quote_spanned! { ty.span()=> let input = entry.input::<#ty>()?; };
            (read, quote! { input })
        }
        None => (TokenStream::new(), TokenStream::new()),
    };
    let call = quote_spanned! { ident.span()=> <#ty>::#ident(&service, context, #argument) };
    let result = quote_spanned! { output.span()=> ::reveille::__private::Entry::output::<#output, _>(result) };
    let schemas = quote_spanned! { output.span()=>
        ::reveille::__private::Schemas::<#input, #output> {
            input: (&::reveille::__private::Probe::<#input>::new()).json_schema(),
            output: (&::reveille::__private::Probe::<#output>::new()).json_schema(),
            types: ::std::marker::PhantomData,
        }
    };
    // A future that cannot be sent is reported at the name of its handler.
    let future = quote_spanned! { ident.span()=>
        ::std::boxed::Box::pin(async move {
            let context = entry.context::<::reveille::#capable>();
            #context
            #read
            let result = #call.await;
            #result
        })
    };
    quote! {
        .handler(
            #name,
            #handler_type,
            #schemas,
            #options,
            {
                let service = ::std::clone::Clone::clone(&self);
                move |entry: ::reveille::__private::Entry| {
                    let service = ::std::clone::Clone::clone(&service);
                    #future
                }
            },
        )
    }
}

fn client(service: &Service) -> TokenStream {
    let ident = &service.ident;
    let client = format_ident!("{ident}Client", span = ident.span());
    let visibility = service
        .handlers
        .iter()
        .map(|handler| &handler.visibility)
        .find(|visibility| matches!(visibility, Visibility::Public(_)))
        .map_or_else(|| quote! { pub(crate) }, |visibility| quote! { #visibility });
    let name = service_name(service);
    let (key, key_parameter, key_value) = match service.kind {
        Kind::Service => (TokenStream::new(), TokenStream::new(), TokenStream::new()),
        Kind::Object | Kind::Workflow => (
            quote! { key: ::std::string::String, },
            quote! { key: impl ::std::convert::Into<::std::string::String>, },
            quote! { key: ::std::convert::Into::into(key), },
        ),
    };
    let methods = service.handlers.iter().map(|handler| method(service, &name, handler));
    let docs =
        format!("Makes requests to the handlers of [`{ident}`], through a context or a client.");
    quote! {
        #[doc = #docs]
        #[allow(dead_code)]
        #visibility struct #client<'a, C: ::reveille::Caller> {
            caller: &'a C,
            #key
        }

        #[allow(dead_code)]
        impl<'a, C: ::reveille::Caller> #client<'a, C> {
            /// Names whom the requests go to.
            #visibility fn new(caller: &'a C, #key_parameter) -> Self {
                Self { caller, #key_value }
            }

            #(#methods)*
        }
    }
}

fn method(service: &Service, name: &LitStr, handler: &Handler) -> TokenStream {
    let Handler { ident, output, docs, visibility, .. } = handler;
    let visibility = match visibility {
        Visibility::Inherited => quote! { pub(crate) },
        visibility => quote! { #visibility },
    };
    let handler_name = handler_name(handler);
    let target = match service.kind {
        Kind::Service => quote! { service(#name, #handler_name) },
        Kind::Object | Kind::Workflow => {
            quote! { keyed(#name, ::std::clone::Clone::clone(&self.key), #handler_name) }
        }
    };
    let (parameter, value) = match &handler.input {
        Some((input, ty)) => (quote! { #input: #ty }, quote! { &#input }),
        None => (TokenStream::new(), quote! { &() }),
    };
    let span = handler.input.as_ref().map_or(output.span(), |(_, ty)| ty.span());
    let request = quote_spanned! { span=>
        ::reveille::Caller::request(self.caller, ::reveille::Target::#target, #value)
    };
    let result = quote_spanned! { output.span()=> C::Request<'a, #output> };
    quote! {
        #(#docs)*
        #[track_caller]
        #visibility fn #ident(&self, #parameter) -> #result {
            #request
        }
    }
}

fn service_name(service: &Service) -> LitStr {
    named(service.options.name.as_ref(), &service.ident)
}

fn handler_name(handler: &Handler) -> LitStr {
    named(handler.options.name.as_ref(), &handler.ident)
}

fn named(name: Option<&LitStr>, ident: &Ident) -> LitStr {
    let of_code = || LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span());
    name.cloned().unwrap_or_else(of_code)
}
