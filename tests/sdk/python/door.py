"""What callers may send: input declarations, and a handler that the outside may not call."""

from restate import Context, Service
from restate.serde import BytesSerde

door = Service("door")


@door.handler()
async def json(ctx: Context, name: str) -> str:
    return f"Hello {name}"


@door.handler(
    "bytes",
    accept="application/octet-stream",
    content_type="application/octet-stream",
    input_serde=BytesSerde(),
    output_serde=BytesSerde(),
)
async def echo(ctx: Context, body: bytes) -> bytes:
    return body


@door.handler(accept="image/*", input_serde=BytesSerde())
async def image(ctx: Context, body: bytes) -> int:
    return len(body)


@door.handler()
async def nothing(ctx: Context) -> str:
    """Declares that there is no input at all."""
    return "nothing"


@door.handler(ingress_private=True)
async def hidden(ctx: Context, name: str) -> str:
    return f"Psst {name}"
