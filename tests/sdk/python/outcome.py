"""What became of something awaited, as JSON."""

from typing import Any, Awaitable

from restate.exceptions import TerminalError


async def outcome(future: Awaitable[Any]) -> dict:
    try:
        return {"value": await future}
    except TerminalError as error:
        return failure(error)


def failure(error: TerminalError) -> dict:
    return {"code": error.status_code, "message": error.message, "metadata": error.metadata or {}}
