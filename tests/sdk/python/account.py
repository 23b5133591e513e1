"""Virtual objects: one writer per key, readers at any time."""

import json

from restate import ObjectContext, ObjectSharedContext, VirtualObject
from restate.exceptions import TerminalError

from notes import request_review

account = VirtualObject("account")


@account.handler()
async def add(ctx: ObjectContext, amount: int) -> int:
    balance = (await ctx.get("balance") or 0) + amount
    ctx.set("balance", balance)
    return balance


@account.handler()
async def withdraw(ctx: ObjectContext, withdrawal: dict) -> str:
    """Holds the key until somebody approves; later calls of this key queue up behind it."""
    wait, answer = ctx.awakeable(type_hint=str)
    await ctx.run_typed("ask", lambda: request_review(withdrawal["name"], wait))
    verdict = await answer
    balance = (await ctx.get("balance") or 0) - withdrawal["amount"]
    ctx.set("balance", balance)
    return f"{verdict} {balance}"


@account.handler()
async def book(ctx: ObjectContext, line: str) -> list:
    statement = [*(await ctx.get("statement") or []), line]
    ctx.set("statement", statement)
    return statement


@account.handler("get", kind="shared")
async def get_balance(ctx: ObjectSharedContext) -> int:
    return await ctx.get("balance") or 0


def cells(name: str, lazy: bool) -> VirtualObject:
    """An object of named cells; its state travels with each attempt, or is fetched when read."""
    cell = VirtualObject(name, enable_lazy_state=lazy)

    @cell.handler()
    async def put(ctx: ObjectContext, entry: dict) -> None:
        ctx.set(entry["name"], entry["value"])

    @cell.handler()
    async def clear(ctx: ObjectContext, name: str) -> None:
        ctx.clear(name)

    @cell.handler("clearAll")
    async def clear_all(ctx: ObjectContext) -> None:
        ctx.clear_all()

    @cell.handler("putAndFail")
    async def put_and_fail(ctx: ObjectContext, entry: dict) -> None:
        ctx.set(entry["name"], entry["value"])
        raise TerminalError(f"{entry['name']} is {json.dumps(await ctx.get(entry['name']))}")

    @cell.handler(kind="shared")
    async def get(ctx: ObjectSharedContext, name: str):
        return await ctx.get(name)

    @cell.handler(kind="shared")
    async def keys(ctx: ObjectSharedContext) -> list:
        return sorted(await ctx.state_keys())

    return cell


cabinet = cells("cabinet", lazy=False)
archive = cells("archive", lazy=True)
