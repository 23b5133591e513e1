"""The other side: answering an awakeable from a handler."""

from restate import Context, Service

reviewer = Service("reviewer")


@reviewer.handler()
async def approve(ctx: Context, body: dict) -> None:
    ctx.resolve_awakeable(body["id"], "Looks good!")


@reviewer.handler()
async def reject(ctx: Context, body: dict) -> None:
    ctx.reject_awakeable(body["id"], "This cannot be reviewed.")


@reviewer.handler("rejectWithCode")
async def reject_with_code(ctx: Context, body: dict) -> None:
    ctx.reject_awakeable(body["id"], "Review rejected: insufficient documentation", 400)


notifier = Service("NotifierService")


@notifier.handler()
async def notify(ctx: Context, body: dict) -> None:
    """The older shape: the outside calls a handler, and the handler completes the awakeable."""
    ctx.resolve_awakeable(body["id"], body["payload"])
