"""Named signals: messages to a running invocation."""

from restate import Context, ObjectContext, Service, VirtualObject

from notes import ran

meeting = Service("meeting")


@meeting.handler()
async def wait(ctx: Context, name: str) -> str:
    return await ctx.signal(name, type_hint=str)


@meeting.handler("waitTwice")
async def wait_twice(ctx: Context, name: str) -> list:
    first = await ctx.signal(name, type_hint=str)
    await ctx.run_typed("note", lambda: ran(ctx.request().id, f"heard {first}"))
    return [first, await ctx.signal(name, type_hint=str)]


@meeting.handler()
async def tell(ctx: Context, message: dict) -> None:
    ctx.resolve_signal(message["id"], message["name"], message["text"])


@meeting.handler()
async def refuse(ctx: Context, message: dict) -> None:
    ctx.reject_signal(message["id"], message["name"], message["text"], 403)


room = VirtualObject("room")


@room.handler("wait")
async def wait_in_room(ctx: ObjectContext, name: str) -> str:
    """One meeting at a time per room: the next one is queued, and its signals wait with it."""
    return await ctx.signal(name, type_hint=str)
