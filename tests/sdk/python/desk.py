"""Flow control: how many of these run at the same time is up to the rules of the server."""

import asyncio

from restate import Context, Service

from notes import ran, request_review

desk = Service("desk")


@desk.handler()
async def work(ctx: Context, job: dict) -> str:
    """Works for a while; begin and end are written down."""

    async def go() -> None:
        ran(job["board"], f"begin {job['name']}")
        await asyncio.sleep(job["millis"] / 1000)
        ran(job["board"], f"end {job['name']}")

    await ctx.run_typed("work", go)
    return job["name"]


@desk.handler()
async def ask(ctx: Context, name: str) -> str:
    """Waits for a person, which takes no place."""
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    return await answer


@desk.handler()
async def whoami(ctx: Context) -> str:
    request = ctx.request()
    return f"{request.scope or 'undefined'}/{request.limit_key or 'undefined'}"


@desk.handler()
async def delegate(ctx: Context, scope: str) -> dict:
    """Calls and sends within a scope. The scope is part of the identity: the keys are different ones."""
    scoped = ctx.scope(scope)
    called = await scoped.service_call(whoami, None, limit_key="a/b")
    sent = scoped.service_send(whoami, None, idempotency_key="once")
    inside = await sent.invocation_id()
    outside = await ctx.service_send(whoami, None, idempotency_key="once").invocation_id()
    answer = await ctx.attach_invocation(inside, type_hint=str)
    return {"called": called, "apart": inside != outside, "answer": answer}
