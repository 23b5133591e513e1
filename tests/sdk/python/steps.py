"""Durable steps, failures and retries."""

import asyncio
from datetime import timedelta

from restate import Context, InvocationRetryPolicy, RunOptions, Service
from restate.exceptions import TerminalError

from notes import ran, request_review, times_ran

steps = Service("steps")


@steps.handler()
async def walk(ctx: Context, body: dict) -> int:
    """`count` steps, each of which needs the result of the one before."""
    total = 0
    for step in range(1, body["count"] + 1):

        def go() -> int:
            ran(body["key"], f"step {step}")
            return total + step

        total = await ctx.run_typed(f"step {step}", go)
    return total


@steps.handler("flakyStep")
async def flaky_step(ctx: Context, body: dict) -> str:
    """A step that fails some times before it works: only the step is retried to success."""
    await ctx.run_typed("before", lambda: ran(body["key"], "before"))

    def flaky() -> str:
        ran(body["key"], "flaky")
        return attempt(body, "flaky")

    first, longest = timedelta(milliseconds=10), timedelta(milliseconds=20)
    options = RunOptions(initial_retry_interval=first, max_retry_interval=longest)
    return await ctx.run_typed("flaky", flaky, options)


@steps.handler("hopelessStep")
async def hopeless_step(ctx: Context, key: str) -> None:
    """A step that gives up: its last error becomes terminal."""

    def hopeless() -> None:
        ran(key, "hopeless")
        raise ValueError("still broken")

    first = timedelta(milliseconds=10)
    options = RunOptions(max_attempts=3, initial_retry_interval=first)
    await ctx.run_typed("hopeless", hopeless, options)


@steps.handler("refusedStep")
async def refused_step(ctx: Context, key: str) -> None:
    """A step that fails for good at once."""

    def refused() -> None:
        ran(key, "refused")
        raise TerminalError("never", status_code=451)

    await ctx.run_typed("refused", refused)


@steps.handler("flakyHandler")
async def flaky_handler(ctx: Context, body: dict) -> str:
    """A handler that fails some times: the server runs it again and replays what is journaled."""
    await ctx.run_typed("before", lambda: ran(body["key"], "before"))
    ran(body["key"], "attempt")
    return attempt(body, "attempt")


def attempt(body: dict, step: str) -> str:
    attempts = times_ran(body["key"], step)
    if attempts <= body["failures"]:
        raise ValueError(f"attempt {attempts} failed")
    return f"worked at attempt {attempts}"


@steps.handler()
async def refuse(ctx: Context, body: dict) -> None:
    """A terminal error is an outcome: nobody retries it."""
    raise TerminalError(body["message"], body["code"], body.get("metadata"))


@steps.handler()
async def headers(ctx: Context) -> dict:
    """Gives back what the caller sent."""
    return ctx.request().headers


patient = Service(
    "patient",
    inactivity_timeout=timedelta(milliseconds=200),
    abort_timeout=timedelta(seconds=30),
)

# Tasks that nobody holds are collected.
watchers = set()


@patient.handler("wait")
async def wait_patiently(ctx: Context, key: str) -> list:
    """Waits that end the attempt soon; an answer replays the handler."""
    ran(key, "attempt")
    over = ctx.request().attempt_finished_event

    async def watch() -> None:
        await over.wait()
        ran(key, "attempt over")

    watcher = asyncio.create_task(watch())
    watchers.add(watcher)
    watcher.add_done_callback(watchers.discard)

    def step(name: str) -> str:
        ran(key, name)
        return name

    before = await ctx.run_typed("before", lambda: step("before"))
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(key, wait))
    review = await answer
    after = await ctx.run_typed("after", lambda: step("after"))
    return [before, review, after, ctx.uuid() == ctx.uuid()]


stubborn = Service(
    "stubborn",
    invocation_retry_policy=InvocationRetryPolicy(
        max_attempts=2, initial_interval=timedelta(milliseconds=10), on_max_attempts="pause"
    ),
)


@stubborn.handler()
async def listen(ctx: Context, key: str) -> str:
    """Fails twice and is then left alone until an operator resumes it."""
    ran(key, "attempt")
    if times_ran(key, "attempt") <= 2:
        raise ValueError("not yet")
    return await ctx.signal("news", type_hint=str)
