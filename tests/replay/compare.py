"""One log beside its oracle: the same policy through both, and what must be equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy
from costctl.prices.book import PriceBook, instant_utc, load_book
from costctl.replay import classifier, near
from costctl.replay.calls import load_calls
from costctl.replay.candidates import PriceDays
from costctl.replay.draws import uniform
from costctl.replay.kernel import AS_LOGGED, ATTEMPTS, HEDGES, RETRIES, TIMEOUTS
from costctl.replay.plan import (
    DEGRADED,
    ESCALATED,
    EXACT_CACHE,
    FAILED,
    FELL_BACK,
    KILLED,
    LIMITED,
    OVER_BUDGET,
    OVERSPENT,
    PROVIDER,
    QUEUED,
    REFRESHED,
    SEMANTIC_CACHE,
    SERVED_BY,
)
from costctl.replay.router_scores import digest_of
from costctl.replay.run import Replay, replay_calls
from costctl.reuse.near_texts import NearTexts
from costctl.store import Store
from costctl.tiers.learned_text import TextScorer
from tests.replay.logs import Row, dicts, make_log, store_of
from tests.replay.oracle import UNMET, Log, Verdict, judge, ordered
from tests.replay.oracle_lanes import Quote
from tests.replay.oracle_near import SLOTS, Prompt, make_prompts
from tests.replay.oracle_past import Past
from tests.replay.oracle_router import router_named, text_of_prompt
from tests.replay.oracle_terms import PICO, Call
from tests.replay.policies import Size, text_of

SEED = 7
COUNTS = {"attempts": ATTEMPTS, "retries": RETRIES, "hedges": HEDGES, "timeouts": TIMEOUTS}
NOTICES = {
    "passed over": KILLED, "limited": LIMITED, "queued": QUEUED, "fallback": FELL_BACK, "escalated": ESCALATED
}  # fmt: skip


@cache
def book() -> PriceBook:
    return load_book()


class BookPrices:
    """Prices for the oracle, straight from the rates of the book."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._quotes: dict[tuple[str, datetime, int], Quote | None] = {}

    def key(self, model: str) -> str:
        if model not in self._keys:
            self._keys[model] = str(book().resolve(model).model_key)
        return self._keys[model]

    def window(self, model: str) -> int | None:
        return book().info(self.key(model)).context_window_tokens

    def quote(self, model: str, when: datetime | None, input_tokens: int) -> Quote | None:
        moment = when or instant_utc(book().dated)
        asked = (model, moment, input_tokens)
        if asked not in self._quotes:
            rate = book().rate_at(self.key(model), moment, input_tokens=input_tokens)
            millionth = PICO // 10**6
            self._quotes[asked] = rate and Quote(
                int(rate.prices["input"] * millionth), int(rate.prices["output"] * millionth)
            )
        return self._quotes[asked]


class Draws:
    """The draws of the calls of one log, by the keys that name them."""

    def __init__(self, keys: dict[tuple[int, int], Any]) -> None:
        self.keys = keys
        self._drawn: dict[tuple[Any, ...], float] = {}

    def draw(self, call: Call, purpose: str, number: int) -> float:
        asked = (call.identity, purpose, number)
        if asked not in self._drawn:
            self._drawn[asked] = float(uniform(SEED, self.keys[call.identity], purpose, number)[0])
        return self._drawn[asked]


def know_prompts(store: Store, folder: Path, rows: list[Row], prompts: dict[int, Prompt]) -> None:
    """What reading the texts of the log again would have told, were there any."""
    numbers = {key: number for number, key in enumerate(prompts)}
    named = [row for row in rows if row["prompt_key"] is not None]

    def of_rows(values: Any) -> Any:
        return np.array(list(values), dtype=np.int64)

    slots = [[-1 if one.slots[at] is None else one.slots[at] for one in prompts.values()] for at in range(len(SLOTS))]
    near._texts[store] = (
        NearTexts(
            of_rows(row["file_id"] for row in named), of_rows(row["source_line"] for row in named),
            of_rows(numbers[row["prompt_key"]] for row in named), of_rows(-1 for _ in named),
            np.array([one.vector for one in prompts.values()], dtype=np.int8).reshape(-1, 6),
            of_rows(one.guard for one in prompts.values()),
            np.array(slots, dtype=np.int64).reshape(len(SLOTS), len(prompts)),
            np.zeros((0, 6), dtype=np.int8), np.array("made"),
        ),
        folder,
    )  # fmt: skip


class Bench:
    """A log in a store, with everything that many policies over it share."""

    def __init__(
        self, seed: int | str, rows: list[Row] | None = None, store: Store | None = None,
        prompts: dict[int, Prompt] | None = None,
    ) -> None:  # fmt: skip
        self.rows = make_log(int(seed)) if rows is None else rows
        self.store = store or store_of(self.rows, book())
        self.calls = load_calls(self.store)
        self.known: dict[Any, Any] = {}
        self.priced = dicts(self.store, "SELECT * FROM request")
        self.members = dicts(self.store, "SELECT * FROM call")
        placed = self.store.table("SELECT file_id, source_line, position FROM replay_place")[1]
        draws = Draws({(file, line): self.calls.draw_key[at : at + 1] for file, line, at in placed})
        answered = [call for call in ordered(self.priced, self.members) if call.is_ok]
        if prompts is None:
            keys = {row["prompt_key"] for row in self.priced if row["prompt_key"] is not None}
            prompts = make_prompts(seed, sorted(keys))
        self.folder = TemporaryDirectory()
        know_prompts(self.store, Path(self.folder.name), self.priced, prompts)
        self.log = Log(self.priced, self.members, Past(self.priced, answered), BookPrices(), draws, prompts)

    def size(self) -> Size:
        days = max(len(set((self.calls.time_us[self.calls.is_dated] // (86_400 * 10**6)).tolist())), 1)
        cost = int(self.calls.baseline_pusd.sum()) / PICO
        tokens = int((self.calls.input_tokens.clip(0) + self.calls.output_tokens.clip(0)).sum())
        return Size(cost / days, cost / self.calls.count, tokens // days, self.calls.models)

    def engine(self, policy: dict[str, Any] | Policy) -> Replay:
        parsed = policy if isinstance(policy, Policy) else parse_policy(text_of(policy), "p")
        self._know_router(parsed)
        return replay_calls(self.store, self.calls, parsed, book(), seed=SEED, days=PriceDays(), known=self.known)

    def _know_router(self, policy: Policy) -> None:
        """What reading the file of the router, and the texts of the log, would have told."""
        spec = policy.routing.classifier
        if spec is None:
            return
        router = router_named(spec.file)
        if not router.needs_text:
            classifier.know_classifier(self.store, policy, book(), router, None)
            return
        sides = classifier.sides_of(policy, book(), router, spec.file)
        confidence = None if spec.min_confidence is None else float(spec.min_confidence)
        name = digest_of(router)
        classifier._used[self.store] = classifier.Classifier(router, spec.file, name, sides, confidence)
        scorer = TextScorer(router)
        texts = [(row, text_of_prompt(row["prompt_key"])) for row in self.priced]
        scored = [(row["file_id"], row["source_line"], scorer(text)) for row, text in texts if text is not None]
        columns = zip(("file_id", "source_line", "score"), zip(*scored, strict=True), strict=True)
        self.store.execute("DROP TABLE IF EXISTS temp.router_score")
        self.store.append("router_score", {one: np.array(values) for one, values in columns}, new="TEMP TABLE")

    def oracle(self, policy: dict[str, Any] | Policy) -> list[Verdict]:
        return judge(self.log, policy if isinstance(policy, Policy) else parse_policy(text_of(policy), "p"))


def paid(done: Replay) -> np.ndarray[Any, Any]:
    """What each call costs under the policy, in picodollars."""
    made = done.decisions
    costs = np.where(made.served_by == PROVIDER, done.lanes.take("cost_pusd", made.lane), 0)
    if made.played is None:
        return costs
    is_played = (made.played.cost_pusd != AS_LOGGED) & np.isin(made.served_by, (PROVIDER, FAILED))
    return np.where(is_played, made.played.cost_pusd, costs)


def differences(bench: Bench, policy: dict[str, Any] | Policy, done: Replay | None = None) -> Iterator[tuple[Any, ...]]:
    """Every decision and every sum on which engine and oracle differ: position, what, engine's, oracle's.

    `done` is what the engine made of this policy, where that is known.
    """
    done, told = done or bench.engine(policy), bench.oracle(policy)
    if len(told) != done.calls.count:
        yield 0, "calls", done.calls.count, len(told)
        return
    made, names = done.decisions, done.lanes.names
    place = {one.call.identity: number for number, one in enumerate(told)}
    costs, whole = paid(done), done.lanes.take("uncapped_pusd", made.lane)
    before, output = done.lanes.take("uncapped_pusd", made.routed_lane), done.lanes.take("output_tokens", made.lane)
    titles: dict[str | None, str | None] = {None: None}
    for at, one in enumerate(told):
        answered_by = None if made.answered_by[at] < 0 else int(made.answered_by[at])
        pairs: list[tuple[str, Any, Any]] = [
            ("time", done.calls.time_us[at] * done.calls.is_dated[at], one.call.time_us),
            ("baseline", done.calls.baseline_pusd[at], one.call.baseline),
            ("served by", SERVED_BY[made.served_by[at]], one.served_by),
            ("answered by", answered_by, None if one.answered_by is None else place[one.answered_by]),
            ("cost", costs[at], one.cost),
            ("latency", int(done.latency.policy_us[at]), -1 if one.latency_us is None else one.latency_us),
        ]
        pairs.append(("similarity", made.similarity_ppb[at], one.similarity_ppb))
        if made.served_by[at] not in (EXACT_CACHE, SEMANTIC_CACHE):  # a cache answers before there is a lane
            pairs += [
                ("lane", names[made.lane[at]], one.lane),
                ("entry lane", names[made.entry_lane[at]], one.entry),
                ("routed", names[made.routed_lane[at]], one.routed),
                ("output tokens", output[at], one.output_tokens),
                ("degraded", bool(made.notice[at] & DEGRADED), one.degraded),
                ("over budget", bool(made.notice[at] & OVER_BUDGET), one.over_budget),
                ("overspent", bool(made.notice[at] & OVERSPENT), one.is_overspent),
                ("cap", same_title(titles, done, at, one.cap.name if one.cap else None), one.cap and one.cap.name),
                ("used of the cap", made.cap_used[at] if len(made.cap_used) else 0, one.cap.used if one.cap else 0),
                ("routed, uncapped", before[at], one.routed_uncapped),
                ("served, uncapped", whole[at] * (made.served_by[at] == PROVIDER), one.uncapped),
                ("refreshed", bool(made.notice[at] & REFRESHED), one.is_refreshed),
                ("reason", reason(done, at, one), one.reason),
                ("gain", -1 if done.routed.gain_ppb is None else int(done.routed.gain_ppb[at]), one.gain_ppb),
                *attempts(done, at, one),
            ]
        yield from ((at, what, mine, other) for what, mine, other in pairs if mine != other)
    if made.played is not None:
        mine, its = paid_to_models(done), Counter[str]()
        for one in told:
            its.update(one.story.paid if one.story else {one.call.model: one.cost * (one.served_by == "provider")})
        yield from ((-1, f"paid to {key}", mine[key], its[key]) for key in mine | its if mine[key] != its[key])
    sums = (("baseline", done.calls.baseline_pusd, [one.call.baseline for one in told]),
            ("cost", costs, [one.cost for one in told]))  # fmt: skip
    yield from ((-1, f"sum of {what}", int(mine.sum()), sum(its)) for what, mine, its in sums if mine.sum() != sum(its))


def paid_to_models(done: Replay) -> Counter[str]:
    """What each model's attempts and answers cost by the walk."""
    made, names = done.decisions, done.lanes.models
    assert made.played is not None
    paid = Counter(dict(zip(names, made.played.paid_pusd, strict=True)))
    rest = (made.played.cost_pusd == AS_LOGGED) & (made.served_by == PROVIDER)
    serving, costs = done.lanes.take("model", made.lane), done.lanes.take("cost_pusd", made.lane)
    for at in np.flatnonzero(rest).tolist():
        paid[names[serving[at]]] += int(costs[at])
    return paid


def attempts(done: Replay, at: int, one: Verdict) -> Iterator[tuple[str, Any, Any]]:
    """What the attempts of a call came to: what, engine's, oracle's."""
    played, notice = done.decisions.played, done.decisions.notice[at]
    yield "notices", {name for name, bit in NOTICES.items() if notice & bit}, one.story.notices if one.story else set()
    if played is not None:
        counts = one.story.counts if one.story else dict.fromkeys(COUNTS, 0)
        yield "counts", {name: int(played.count(field)[at]) for name, field in COUNTS.items()}, counts
        yield "wait", int(played.wait_us[at]), one.story.wait_us if one.story else 0


def reason(done: Replay, at: int, verdict: Verdict) -> str:
    """The last of rule, raise and floor that chose the lane, in the oracle's words."""
    routed = done.routed
    if verdict.reason in {"stays", UNMET, "refreshed"}:  # no rule was asked
        return verdict.reason
    if routed.floored_by[at] >= 0:
        return routed.floors[routed.floored_by[at]]
    if routed.raised_by[at] >= 0:
        return routed.raises[routed.raised_by[at]]
    found = routed.reasons[routed.reason[at]]
    return "none" if found.startswith("no rule") else found


def same_title(titles: dict[str | None, str | None], done: Replay, at: int, wanted: str | None) -> str | None:
    """The oracle's name of the cap that the engine says was broken: one to one within a policy."""
    title = None if done.decisions.cap[at] < 0 else done.caps[done.decisions.cap[at]]
    if title == "max_share_per_day" and wanted and wanted.startswith("share "):
        return wanted
    if title not in titles and wanted not in titles.values():
        titles[title] = wanted
    return titles.get(title, title)
