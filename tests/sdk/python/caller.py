"""Handlers that call, send, schedule, attach to and cancel other handlers."""

from datetime import timedelta

from restate import Context, Service
from restate.exceptions import TerminalError

from account import add as account_add
from approval import ask
from notes import ran, request_review
from outcome import outcome
from steps import refuse

caller = Service("caller")


@caller.handler()
async def add(ctx: Context, body: dict) -> int:
    return await ctx.object_call(account_add, body["key"], body["amount"])


@caller.handler("addLater")
async def add_later(ctx: Context, body: dict) -> str:
    delay = timedelta(milliseconds=body["millis"])
    sent = ctx.object_send(account_add, body["key"], body["amount"], send_delay=delay)
    return await sent.invocation_id()


@caller.handler("addOnce")
async def add_once(ctx: Context, body: dict) -> bool:
    """Both sends carry one idempotency key: the account is credited once."""
    key = f"once-{body['key']}"
    first = ctx.object_send(account_add, body["key"], body["amount"], idempotency_key=key)
    second = ctx.object_send(account_add, body["key"], body["amount"], idempotency_key=key)
    return await first.invocation_id() == await second.invocation_id()


@caller.handler("callOnce")
async def call_once(ctx: Context, body: dict) -> list:
    """Both calls carry one idempotency key: the second gets the result of the first."""
    key = f"call-{body['key']}"
    results = []
    for _ in range(2):
        call = ctx.object_call(account_add, body["key"], body["amount"], idempotency_key=key)
        results.append(await call)
    return results


@caller.handler("startApproval")
async def start_approval(ctx: Context, name: str) -> str:
    return await ctx.service_send(ask, name).invocation_id()


@caller.handler()
async def attach(ctx: Context, invocation: str) -> str:
    return await ctx.attach_invocation(invocation, type_hint=str)


@caller.handler("cancelApproval")
async def cancel_approval(ctx: Context, name: str) -> dict:
    """Starts an approval, loses patience, and cancels it."""
    invocation = await ctx.service_send(ask, name).invocation_id()
    ctx.cancel_invocation(invocation)
    return await outcome(ctx.attach_invocation(invocation, type_hint=str))


@caller.handler()
async def delegate(ctx: Context, name: str) -> str:
    """Awaits a child; when cancelled itself, the child is cancelled with it."""
    return await ctx.service_call(ask, name)


@caller.handler()
async def reserve(ctx: Context, name: str) -> str:
    """Undoes its first step when what follows is cancelled or rejected."""
    await ctx.run_typed("reserve", lambda: ran(name, "reserve"))
    try:
        return await ctx.service_call(ask, name)
    except TerminalError:
        await ctx.run_typed("release", lambda: ran(name, "release"))
        raise


@caller.handler()
async def refused(ctx: Context, body: dict) -> dict:
    """The terminal error of a callee arrives as it was thrown."""
    return await outcome(ctx.service_call(refuse, body))


payout = Service("payout")


@payout.handler()
async def request(ctx: Context, body: dict) -> str:
    """Books one amount per approved payout: the balance tells how many were completed, exactly."""
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(body["name"], wait))
    review = await answer
    await ctx.object_call(account_add, body["key"], 1)
    return f"{body['name']}: {review}"
