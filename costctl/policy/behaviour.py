"""How routers carry out parts of a policy: parts that no file can hold, each in place of the one it stems from.

The replay asks a part of which kind it is; ARCHITECTURE.md ("As a target") is the definition.
"""

from __future__ import annotations

from typing import Any, TypeVar

from costctl.policy.keys import Part
from costctl.policy.schema import Budgets
from costctl.policy.stages import ExactCache, KillSwitch, Retries

P = TypeVar("P", bound=Part)

MOST_WAIT_US, FIRST_WAIT_US = 8_000_000, 500_000


class CountedFailures(KillSwitch):
    """Takes a deployment (a model of a tier) out for the cooldown after more than so many failures of one kind.

    They are counted from the first one on, for as long as the cooldown. Failures of no named kind do not count.
    """

    failures_max: int


class SpendFilter(Budgets):
    """Passes over a deployment that has spent its budget, and asks the fallbacks of its tier; without any it refuses.

    A budget is spent when the answers since its window began cost as much as it holds, so the last answer may go
    above it. The window begins with its first answer and lasts 24 hours.
    """


class RequestCache(ExactCache):
    """Answers kept for equal requests: prompt and parameters, whoever asks, whatever they hold."""


class SteppedRetries(Retries):
    """Waits half a second, then twice as long each time, at least the backoff and at most 8 seconds; chance adds more.

    The first failure decides whether it tries again; then it goes on whatever the failure, and waits once more after
    the last try before it asks the fallbacks. A tier with several models asks again at once.
    """

    def wait_us(self, number: int, model_count: int) -> int:
        """The least wait before the `number`-th try more."""
        if model_count > 1:
            return 0
        return min(max(FIRST_WAIT_US << min(number - 1, 8), self.backoff_us), MOST_WAIT_US)


def changed(kind: type[P], part: Part, **more: Any) -> P:
    """The part as one of this kind, with what the kind needs besides."""
    return kind.model_construct(**({name: getattr(part, name) for name in type(part).model_fields} | more))
