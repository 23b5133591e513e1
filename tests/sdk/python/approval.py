"""A handler that waits for a person: the main job, in several shapes."""

import os
from typing import Optional

from restate import Context, Service
from restate.exceptions import TerminalError
from restate.serde import BytesSerde, Serde

from notes import ran, request_review, times_ran
from outcome import failure

approval = Service("approval")


class VerdictSerde(Serde[dict]):
    """A verdict as a form would post it: `approved: fine by me`."""

    def serialize(self, obj: Optional[dict]) -> bytes:
        return b"" if obj is None else f"{obj['decision']}: {obj['comment']}".encode()

    def deserialize(self, buf: bytes) -> Optional[dict]:
        decision, _, comment = buf.decode().partition(": ")
        return {"decision": decision, "comment": comment}


@approval.handler()
async def ask(ctx: Context, name: str) -> str:
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    return await answer


@approval.handler("askKindly")
async def ask_kindly(ctx: Context, name: str) -> dict:
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    try:
        return {"approved": True, "review": await answer}
    except TerminalError as error:
        return {"approved": False, **failure(error)}


@approval.handler("askBinary")
async def ask_binary(ctx: Context, name: str) -> list:
    wait, answer = ctx.awakeable(serde=BytesSerde())
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    return list(await answer)


@approval.handler("askVerdict")
async def ask_verdict(ctx: Context, name: str) -> dict:
    wait, answer = ctx.awakeable(serde=VerdictSerde())
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    return await answer


@approval.handler("askBetweenSteps")
async def ask_between_steps(ctx: Context, name: str) -> str:
    await ctx.run_typed("prepare", lambda: ran(name, "prepare"))
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    review = await answer
    await ctx.run_typed("publish", lambda: ran(name, "publish"))
    return review


@approval.handler("askTwice")
async def ask_twice(ctx: Context, name: str) -> list:
    """The second review is wanted only when the first one is there."""
    answers = []
    for turn in ["first", "second"]:
        wait, answer = ctx.awakeable(type_hint=str)
        await ctx.run_typed(f"ask {turn}", lambda: request_review(f"{name}/{turn}", wait))
        answers.append(await answer)
    return answers


@approval.handler("askAgainAndAgain")
async def ask_again_and_again(ctx: Context, name: str) -> str:
    """Asks on every attempt, and the first two fail: each has to ask with the same id."""
    wait, answer = ctx.awakeable(type_hint=str)
    ran(name, wait)
    if times_ran(name, wait) <= 2:
        raise ValueError("not yet")
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    return await answer


@approval.handler("askRevision")
async def ask_revision(ctx: Context, name: str) -> str:
    """Says which revision of the program took the answer."""
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(name, wait))
    return f"{await answer} on {os.environ.get('REVISION', '1')}"
