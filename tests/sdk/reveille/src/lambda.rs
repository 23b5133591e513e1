//! Plays the part of AWS Lambda that invokes functions, with the endpoint behind it.
//!
//! Signatures and roles are looked at by the programs in TypeScript; here only the exchange matters.

use std::{convert::Infallible, error::Error};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reveille::{Endpoint, payload::Bytes};
use tokio::net::TcpListener;

/// Answers every request as an invocation of the function.
pub async fn serve(endpoint: Endpoint, listener: TcpListener) -> Result<(), Box<dyn Error>> {
    loop {
        let (stream, _) = listener.accept().await?;
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            let service = service_fn(async |request| {
                let (status, body) = match answer(&endpoint, request).await {
                    Ok(answer) => (200, answer),
                    Err(error) => (400, error.to_string().into()),
                };
                let mut response = Response::new(Full::new(body));
                *response.status_mut() = status.try_into().unwrap_or_default();
                Ok::<_, Infallible>(response)
            });
            // The server that broke a connection knows.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    endpoint: &Endpoint,
    request: Request<Incoming>,
) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let event = request.into_body().collect().await?.to_bytes();
    Ok(endpoint.answer_lambda(&event).await?)
}
