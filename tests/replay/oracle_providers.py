"""Providers as the oracle sees them: who is out, and what their limits let through.

Nothing is counted along the way: events and grants stand in plain lists, and every question goes through them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from costctl.policy.behaviour import CountedFailures
from costctl.policy.schema import Policy

MINUTE_US = 60 * 10**6
MINUTES = 1440
COUNTED = ("timeout", "rate_limit", "server_error")


class Grant(NamedTuple):
    """A turn that a provider let through, in which minute."""

    provider: str
    minute: int
    tokens: int
    is_held: bool  # by the limits; calls on the logged lane never are


class Event(NamedTuple):
    """A turn that a kill switch saw."""

    time_us: int
    attempts: int
    failures: int


class Providers:
    """Limits and kill switch of one policy."""

    def __init__(self, policy: Policy) -> None:
        self.limits = policy.limits
        self.switch = policy.kill_switch
        self.grants: list[Grant] = []
        self.events: dict[str, list[Event]] = {}
        self.out_until: dict[str, int] = {}
        self.begun_us: dict[tuple[str, str], int] = {}
        self.counts: dict[tuple[str, str], int] = {}

    # Kill switch

    def is_out(self, provider: str, time_us: int) -> bool:
        """Whether a kill switch holds calls from this provider."""
        return time_us < self.out_until.get(provider, time_us)

    def saw(self, provider: str, time_us: int, attempts: int, failures: int) -> None:
        """A turn is over: it counts, and may take the provider out."""
        if self.switch is None or self.is_out(provider, time_us):
            return
        young = [one for one in self.events.get(provider, ()) if time_us - one.time_us < self.switch.window_us]
        young.append(Event(time_us, attempts, failures))
        made, failed = sum(one.attempts for one in young), sum(one.failures for one in young)
        is_bad = failed > 0 and failed >= Fraction(self.switch.error_ratio) * made
        if made >= self.switch.min_requests and is_bad:
            self.out_until[provider] = time_us + self.switch.cooldown_us
            young = []
        self.events[provider] = young

    def failed(self, deployment: str, time_us: int, failures: list[str]) -> None:
        """Failures of a deployment, counted by kind for the cooldown from the first one on."""
        assert isinstance(self.switch, CountedFailures)
        for kind in COUNTED:
            count, its = failures.count(kind), (deployment, kind)
            if not count:
                continue
            if its not in self.begun_us or time_us - self.begun_us[its] >= self.switch.cooldown_us:
                self.begun_us[its], self.counts[its] = time_us, 0
            self.counts[its] += count
            if self.counts[its] > self.switch.failures_max:
                self.out_until[deployment] = time_us + self.switch.cooldown_us

    # Limits

    def ask(self, provider: str, time_us: int, tokens: int, gone_us: int) -> int | None:
        """How long a turn still waits after what has gone by; None where it is over the limit and does not wait."""
        limit = self.limits.get(provider)
        now = time_us // MINUTE_US
        if limit is None:
            return 0
        minute = now
        if limit.over == "queue":
            minute = self._first_room(limit, provider, now, tokens)
        elif not self._has_room(limit, provider, now, tokens):
            return None
        self.grants.append(Grant(provider, minute, tokens, True))
        return max(0, minute * MINUTE_US - time_us - gone_us)

    def over(self, provider: str) -> str:
        """What happens to turns over a limit."""
        return str(self.limits[provider].over)

    def passes(self, provider: str, time_us: int, tokens: int) -> None:
        """A call on the logged lane: it counts, and is not held."""
        if provider in self.limits:
            self.grants.append(Grant(provider, time_us // MINUTE_US, tokens, False))

    def _first_room(self, limit: Any, provider: str, now: int, tokens: int) -> int:
        queued = [one.minute for one in self.grants if one.provider == provider and one.is_held]
        minute = max([now, *queued])
        while not self._has_room(limit, provider, minute, tokens):
            has_day = self._day_has_room(limit, provider, minute // MINUTES, tokens)
            minute = minute + 1 if has_day else (minute // MINUTES + 1) * MINUTES
        return minute

    def _has_room(self, limit: Any, provider: str, minute: int, tokens: int) -> bool:
        there = [one for one in self.grants if one.provider == provider and one.minute == minute]
        is_free = has_room(there, limit.requests_per_min, limit.tokens_per_min, tokens)
        return is_free and self._day_has_room(limit, provider, minute // MINUTES, tokens)

    def _day_has_room(self, limit: Any, provider: str, day: int, tokens: int) -> bool:
        there = [one for one in self.grants if one.provider == provider and one.minute // MINUTES == day]
        return has_room(there, limit.requests_per_day, limit.tokens_per_day, tokens)


def has_room(there: list[Grant], requests_max: int | None, tokens_max: int | None, tokens: int) -> bool:
    """Whether one more turn fits beside these."""
    if requests_max is not None and len(there) + 1 > requests_max:
        return False
    if tokens_max is None or sum(one.tokens for one in there) + tokens <= tokens_max:
        return True
    return tokens > tokens_max and not there  # larger than the limit: it goes through alone
