"""Files in which tests find what the handlers did: announced reviews, and steps that really ran."""

import json
import os

REVIEW_LOG = os.environ.get("REVIEW_LOG")
RUN_LOG = os.environ.get("RUN_LOG")


def request_review(name: str, wait: str) -> None:
    """Tells tests which awakeable `name` waits for."""
    append(REVIEW_LOG, {"name": name, "id": wait})


def ran(key: str, step: str) -> None:
    """Records that the code behind `step` really ran, so that a second execution would show."""
    append(RUN_LOG, {"key": key, "step": step})


def times_ran(key: str, step: str) -> int:
    """How often `step` of `key` was recorded, or 0 without a RUN_LOG."""
    if not RUN_LOG or not os.path.exists(RUN_LOG):
        return 0
    with open(RUN_LOG, encoding="utf-8") as log:
        return sum(json.loads(line) == {"key": key, "step": step} for line in log)


def append(path: str | None, entry: dict) -> None:
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
