"""Serves the programs of this folder: those of `examples/typescript`, in Python.

PORT             where to listen
MODE=bidi|rr|h1  streaming over HTTP/2, request/response over HTTP/2, or over HTTP/1.1
"""

import asyncio
import os

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from account import account, archive, cabinet
from approval import approval
from caller import caller, payout
from combinators import combinators
from desk import desk
from door import door
from meeting import meeting, room
from reviewer import notifier, reviewer
from steps import patient, steps, stubborn
from workflows import release_workflow, review_workflow, short_review_workflow

SERVICES = [
    account, approval, archive, cabinet, caller, combinators, desk, door, meeting, notifier, patient,
    payout, release_workflow, review_workflow, reviewer, room, short_review_workflow, steps,
    stubborn,
]  # fmt: skip

mode = os.environ.get("MODE", "bidi")
app = restate.app(SERVICES, protocol="bidi" if mode == "bidi" else "request_response")

config = Config()
config.bind = [f"127.0.0.1:{os.environ.get('PORT', '9080')}"]
# Waiting handlers keep their streams open: more of them than the default of 100 at once.
config.h2_max_concurrent_streams = 1000
# After that many it closes the connection together with the streams that are open on it: whatever
# step is under way there runs again. The default is 1000.
config.keep_alive_max_requests = 1_000_000

if __name__ == "__main__":
    asyncio.run(serve(app, config))
