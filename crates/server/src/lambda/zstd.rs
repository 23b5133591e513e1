//! Compression of bodies, because AWS takes and gives 6 MB at most.
//!
//! A request is compressed only when it would not fit otherwise: an SDK that cannot read it would not get
//! it at all. A response is compressed by the SDK, if it can and finds it large, because every request
//! says that this is welcome.

use std::io::Read as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use ruzstd::{
    decoding::StreamingDecoder,
    encoding::{CompressionLevel, compress_to_vec},
};

use crate::limits;

const ZSTD: HeaderValue = HeaderValue::from_static("zstd");

/// Makes a request body fit, compressed if it must be, and says so in the headers.
pub(super) fn fit(body: Bytes, bytes_max: usize, headers: &mut HeaderMap) -> Result<Bytes, String> {
    headers.insert(header::ACCEPT_ENCODING, ZSTD);
    if body.len() <= bytes_max {
        return Ok(body);
    }
    let packed = compress_to_vec(body.as_ref(), CompressionLevel::Fastest);
    if packed.len() > bytes_max {
        return Err(format!(
            "the journal has {} bytes, compressed {}; a Lambda function takes {bytes_max} at most",
            body.len(),
            packed.len(),
        ));
    }
    headers.insert(header::CONTENT_ENCODING, ZSTD);
    Ok(packed.into())
}

/// Unpacks a response that is compressed.
pub(super) fn unpack(mut response: Response<Bytes>) -> Result<Response<Bytes>, String> {
    if response.headers().get(header::CONTENT_ENCODING) != Some(&ZSTD) {
        return Ok(response);
    }
    let wrong = |error: String| format!("the answer of the function cannot be unpacked: {error}");
    let packed = std::mem::take(response.body_mut());
    let decoder =
        StreamingDecoder::new(packed.as_ref()).map_err(|error| wrong(error.to_string()))?;
    let mut body = Vec::new();
    let bytes_max = limits::LAMBDA_UNPACKED_BYTES;
    let read = decoder.take(bytes_max as u64 + 1).read_to_end(&mut body);
    read.map_err(|error| wrong(error.to_string()))?;
    if body.len() > bytes_max {
        return Err(wrong(format!("it has more than {bytes_max} bytes")));
    }
    response.headers_mut().remove(header::CONTENT_ENCODING);
    *response.body_mut() = body.into();
    Ok(response)
}
