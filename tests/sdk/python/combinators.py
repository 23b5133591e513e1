"""Waiting for several things, or not for ever."""

import time
from datetime import timedelta

import restate
from restate import Context, Service
from restate.exceptions import TerminalError

from account import add, withdraw
from notes import request_review

combinators = Service("combinators")


async def announced(ctx: Context, name: str):
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed(f"announce {name}", lambda: request_review(name, wait))
    return answer


@combinators.handler("withTimeout")
async def with_timeout(ctx: Context, body: dict) -> str:
    answer = await announced(ctx, body["name"])
    timer = ctx.sleep(timedelta(milliseconds=body["millis"]))
    match await restate.select(answer=answer, timer=timer):
        case ["answer", value]:
            return value
    return "timed out"


@combinators.handler("firstOfTwo")
async def first_of_two(ctx: Context, name: str) -> str:
    left = await announced(ctx, f"{name}/left")
    right = await announced(ctx, f"{name}/right")
    _, value = await restate.select(left=left, right=right)
    return value


@combinators.handler("firstOfAll")
async def first_of_all(ctx: Context, body: dict) -> str:
    """Whichever comes first: a person, a clock, another handler."""
    person = await announced(ctx, body["name"])
    clock = ctx.sleep(timedelta(milliseconds=body["millis"]))
    withdrawal = {"name": f"{body['name']}/call", "amount": 1}
    call = ctx.object_call(withdraw, f"combinators-{body['name']}", withdrawal)
    async for first in restate.as_completed(person, clock, call):
        return "the clock" if first is clock else await first
    raise TerminalError("nothing came")


@combinators.handler("allOfThem")
async def all_of_them(ctx: Context, name: str) -> list:
    person = await announced(ctx, name)
    clock = ctx.sleep(timedelta(milliseconds=50))
    call = ctx.object_call(add, f"combinators-{name}", 7)
    await restate.gather(person, clock, call)
    return [await person, "slept", await call]


@combinators.handler("answeredEarly")
async def answered_early(ctx: Context, name: str) -> list:
    """The answer to `early` is there before anybody awaits it: `gate` opens first."""
    early = await announced(ctx, f"{name}/early")
    gate = await announced(ctx, f"{name}/gate")
    opened = await gate
    return [opened, await early]


@combinators.handler()
async def settled(ctx: Context, name: str) -> list:
    left = await announced(ctx, f"{name}/left")
    right = await announced(ctx, f"{name}/right")
    both = []
    for future in await restate.gather(left, right):
        try:
            both.append(await future)
        except TerminalError as error:
            both.append(error.message)
    return both


@combinators.handler()
async def sleep(ctx: Context, millis: int) -> float:
    before = await ctx.run_typed("before", now)
    await ctx.sleep(timedelta(milliseconds=millis))
    return (await ctx.run_typed("after", now) - before) * 1000


def now() -> float:
    return time.time()
