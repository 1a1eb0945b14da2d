"""The walk through time: everything that has state, call by call, in one pass.

One source for two engines. As it stands it is plain Python over lists; where numba is installed
and the log is large, `compiled` gives the same functions as machine code over arrays. So the
language here is small on purpose: whole numbers, indexing, loops, no objects but the four tuples
that hold lists or arrays. `engine` fills them; ARCHITECTURE.md ("The replay") is the definition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# Who answers a call.
PROVIDER, EXACT_CACHE, REFUSED, FAILED = 0, 1, 2, 3
# What happened to a call, as bits of `Told.notice`.
DEGRADED, OVER_BUDGET, KILLED, LIMITED, QUEUED, FELL_BACK, ESCALATED = 1, 2, 4, 8, 16, 32, 64
NONE = -1  # no key, unit, cap, provider, entry; no time
AS_LOGGED = -2  # latency and cost of a call that no attempt was drawn for
SHARES_FROM_CALLS = 100  # a share of fewer calls says nothing yet
MOST = 2**62  # sums stop here: no cap is above it
MINUTE_US, MINUTES_OF_DAY = 60_000_000, 1440
QUEUE, FALLBACK, ERROR = 0, 1, 2  # what happens to calls over a provider's limit
# A turn of a call at one place of its chain, in one number: counts of ten bits each, and whether it ended well.
ATTEMPTS, RETRIES, HEDGES, TIMEOUTS, BILLED, FAILURES = 0, 10, 20, 30, 40, 50
FIELD = 1023
IS_OK = 1 << 60
# Places in `State.numbers`.
DAY, DAY_CALLS, HEAD, TAIL, SIZE, EVENTS = 0, 1, 2, 3, 4, 5
NUMBERS = 6


class Rules(NamedTuple):
    """What the policy says, in numbers; tuples of equal length go by lane, cap, provider or place in a chain."""

    logged: int
    tier_count: int
    has_cache: bool
    ttl_us: int
    is_from_last_hit: bool
    capacity: int  # NONE: without end
    has_sticky: bool
    has_budgets: bool
    is_refusing: bool
    request_max_pusd: int  # NONE: no cap
    cap_limit: Any
    cap_lane: Any  # NONE: on any lane
    cap_is_tokens: Any
    cap_first: Any  # where its units begin in `State.used`
    share_over: Any
    share_under: Any  # 0: no cap on this lane
    has_attempts: bool
    chain_first: Any  # by lane: its places in the chain, first and behind the last
    chain_end: Any
    chain_lane: Any
    escalate_from: int
    escalate_to: int
    escalate_place: int
    has_limits: bool
    minute_requests: Any  # by provider; 0: no limit
    minute_tokens: Any
    day_requests: Any
    day_tokens: Any
    over: Any
    has_kill_switch: bool
    error_over: int
    error_under: int
    window_us: int
    requests_min: int
    cooldown_us: int


class Rows(NamedTuple):
    """Columns over the calls of one chunk; those of two dimensions go by lane, cap or place, then call."""

    start: int  # position of the first call
    walked: Any
    base: Any
    times_us: Any
    is_ok: Any
    key: Any
    is_kept: Any
    session: Any
    day: Any
    lowest: Any
    unit: Any
    cost_pusd: Any
    tokens: Any
    can_hold: Any
    provider: Any
    turn: Any
    turn_latency_us: Any
    is_escalated: Any


class State(NamedTuple):
    """What changes as calls go by."""

    numbers: Any  # see DAY and the names after it
    entry: Any  # by key: position of the call whose answer is kept
    since_us: Any
    before: Any  # the keys in order of use, for a cache of limited capacity
    after: Any
    highest: Any  # by session
    used: Any  # by unit of a cap
    lane_calls: Any  # of today
    minute: Any  # by provider: the minute that is being filled, and what it holds
    minute_requests: Any
    minute_tokens: Any
    of_day: Any
    day_requests: Any
    day_tokens: Any
    out_until_us: Any
    window_attempts: Any
    window_failures: Any
    oldest: Any  # by provider: first and last event in the window
    newest: Any
    event_us: Any
    event_attempts: Any
    event_failures: Any
    event_next: Any


class Told(NamedTuple):
    """What was decided for each call of the chunk; the last four only where attempts are played."""

    lane: Any
    entry_lane: Any
    routed_lane: Any
    served_by: Any
    answered_by: Any
    notice: Any
    cap: Any
    cost_pusd: Any
    latency_us: Any
    wait_us: Any
    counts: Any


def walk_rows(rules: Rules, rows: Rows, state: State, told: Told) -> None:
    """Walk the calls of one chunk through the stages: decide in a fixed order, settle what happened."""
    tier_count = rules.tier_count
    has_cache, has_sticky, has_budgets = rules.has_cache, rules.has_sticky, rules.has_budgets
    has_attempts = rules.has_attempts
    ttl_us, is_from_last_hit, is_bounded = rules.ttl_us, rules.is_from_last_hit, rules.capacity != NONE
    times_us, base, keys, is_kept, sessions = rows.times_us, rows.base, rows.key, rows.is_kept, rows.session
    can_hold, cost_pusd = rows.can_hold, rows.cost_pusd
    entry, since_us, highest = state.entry, state.since_us, state.highest
    final, entry_lane, routed, served_by = told.lane, told.entry_lane, told.routed_lane, told.served_by
    walked = rows.walked
    for index in range(len(walked)):
        row = walked[index]
        lane = base[row]
        key = NONE
        if has_cache:
            key = keys[row]
            if key >= 0 and entry[key] >= 0 and times_us[row] - since_us[key] < ttl_us:
                served_by[row] = EXACT_CACHE
                told.answered_by[row] = entry[key]
                if is_bounded:
                    _touch(state, key)
                if is_from_last_hit:
                    since_us[key] = times_us[row]
                continue
        if has_sticky:
            session = sessions[row]
            if session >= 0:
                held = highest[session]
                if lane < held and lane < tier_count and can_hold[held][row]:
                    lane = held
        routed[row] = lane
        final[row] = lane
        if has_budgets:
            lane = _within_budget(rules, rows, state, told, row, lane)
            if lane == NONE:
                continue
        entry_lane[row] = lane
        final[row] = lane
        if has_attempts:
            lane, spent, billed_tokens = _attempt(rules, rows, state, told, row, lane)
            if lane == NONE:
                served_by[row] = FAILED
                continue
            final[row] = lane
            if has_budgets:
                _charge(rules, rows, state, row, lane, spent, billed_tokens)
        elif has_budgets:
            _charge(rules, rows, state, row, lane, cost_pusd[lane][row], rows.tokens[lane][row])
        if has_sticky:
            session = sessions[row]
            if session >= 0 and lane < tier_count and lane > highest[session]:
                highest[session] = lane
        if has_cache and is_kept[row]:
            if is_bounded:
                _keep(rules, state, key)
            entry[key] = rows.start + row
            since_us[key] = times_us[row]


def _touch(state: State, key: int) -> None:
    """Make the key the most recently used one."""
    numbers, before, after = state.numbers, state.before, state.after
    if numbers[TAIL] == key:
        return
    if numbers[HEAD] == key:
        numbers[HEAD] = after[key]
    else:
        after[before[key]] = after[key]
    before[after[key]] = before[key]
    after[numbers[TAIL]] = key
    before[key] = numbers[TAIL]
    numbers[TAIL] = key


def _keep(rules: Rules, state: State, key: int) -> None:
    """Make room for the key and make it the most recently used one."""
    numbers, before, after = state.numbers, state.before, state.after
    if state.entry[key] >= 0:
        _touch(state, key)
        return
    if numbers[SIZE] == 0:
        numbers[HEAD] = key
    else:
        after[numbers[TAIL]] = key
        before[key] = numbers[TAIL]
    numbers[TAIL] = key
    numbers[SIZE] += 1
    if numbers[SIZE] > rules.capacity:
        oldest = numbers[HEAD]
        state.entry[oldest] = NONE
        numbers[HEAD] = after[oldest]
        numbers[SIZE] -= 1


def _within_budget(rules: Rules, rows: Rows, state: State, told: Told, row: int, lane: int) -> int:
    """The lane that the caps leave to the call, or NONE where it is refused."""
    if rows.day[row] != state.numbers[DAY]:
        state.numbers[DAY] = rows.day[row]
        state.numbers[DAY_CALLS] = 0
        for number in range(len(state.used)):
            state.used[number] = 0
        for number in range(len(state.lane_calls)):
            state.lane_calls[number] = 0
    exhausted = NONE
    for number in range(len(rules.cap_limit)):
        if rules.cap_is_tokens[number]:
            unit = rows.unit[number][row]
            if unit >= 0:
                used = state.used[rules.cap_first[number] + unit]
                if used + rows.tokens[lane][row] > rules.cap_limit[number]:
                    exhausted = number
                    break
    cap = exhausted
    if cap == NONE:
        cap = _broken(rules, rows, state, row, lane)
        if cap == NONE:
            return lane
    told.cap[row] = cap
    if rules.is_refusing:
        told.served_by[row] = REFUSED
        return NONE
    came, least, top = lane, rows.lowest[row], rules.tier_count
    if exhausted != NONE:
        if least < lane < top and rows.can_hold[lane - 1][row]:
            lane -= 1
        else:
            told.notice[row] |= OVER_BUDGET
        cap = _broken(rules, rows, state, row, lane)
    while cap != NONE:
        if not (least < lane < top and rows.can_hold[lane - 1][row]):
            told.notice[row] |= OVER_BUDGET
            break
        lane -= 1
        cap = _broken(rules, rows, state, row, lane)
    if lane != came:
        told.notice[row] |= DEGRADED
    return lane


def _broken(rules: Rules, rows: Rows, state: State, row: int, lane: int) -> int:
    """The first cap on money, on one request or on the lane's share that the call would break on this lane."""
    cost = rows.cost_pusd[lane][row]
    for number in range(len(rules.cap_limit)):
        if not rules.cap_is_tokens[number] and (rules.cap_lane[number] == NONE or rules.cap_lane[number] == lane):
            unit = rows.unit[number][row]
            if unit >= 0 and state.used[rules.cap_first[number] + unit] + cost > rules.cap_limit[number]:
                return number
    if rules.request_max_pusd != NONE and cost > rules.request_max_pusd:
        return len(rules.cap_limit)
    if rules.share_under[lane] and state.numbers[DAY_CALLS] >= SHARES_FROM_CALLS:
        asked, all_calls = state.lane_calls[lane] + 1, state.numbers[DAY_CALLS] + 1
        if asked * rules.share_under[lane] > rules.share_over[lane] * all_calls:
            return len(rules.cap_limit) + 1
    return NONE


def _charge(rules: Rules, rows: Rows, state: State, row: int, lane: int, spent: int, tokens: int) -> None:
    """Count a call that a provider answered."""
    state.numbers[DAY_CALLS] += 1
    state.lane_calls[lane] += 1
    for number in range(len(rules.cap_limit)):
        unit = rows.unit[number][row]
        if unit >= 0 and (rules.cap_lane[number] == NONE or rules.cap_lane[number] == lane):
            place = rules.cap_first[number] + unit
            amount = tokens if rules.cap_is_tokens[number] else spent
            state.used[place] = min(state.used[place] + amount, MOST)


def _attempt(rules: Rules, rows: Rows, state: State, told: Told, row: int, lane: int) -> tuple[int, int, int]:
    """Let the call go down its chain: who answers at last (NONE: nobody), dollars and tokens that were billed."""
    time_us = rows.times_us[row]
    if lane == rules.logged:
        if rules.has_limits or rules.has_kill_switch:
            _count_logged(rules, rows, state, row, lane)
        told.cost_pusd[row] = rows.cost_pusd[lane][row]
        return lane, rows.cost_pusd[lane][row], rows.tokens[lane][row]
    served, spent, tokens, counts, took_us, is_timed = NONE, 0, 0, 0, 0, True
    first = rules.chain_first[lane]
    for place in range(first, rules.chain_end[lane]):
        at = rules.chain_lane[place]
        if place > first and not rows.can_hold[at][row]:
            continue
        wait_us = _admitted(rules, rows, state, told, row, at)
        if wait_us < 0:
            if wait_us == -1 - ERROR:
                break
            continue
        turn = rows.turn[place][row]
        if rows.turn_latency_us[place][row] < 0:
            is_timed = False
        took_us += wait_us + rows.turn_latency_us[place][row]
        told.wait_us[row] += wait_us
        counts += turn & (IS_OK - 1)
        billed = (turn >> BILLED) & FIELD
        spent += billed * rows.cost_pusd[at][row]
        tokens += billed * rows.tokens[at][row]
        if rules.has_kill_switch:
            _watch(
                rules, state, rows.provider[at][row], time_us, (turn >> ATTEMPTS) & FIELD, (turn >> FAILURES) & FIELD
            )
        if turn >= IS_OK:
            served = at
            if place > first:
                told.notice[row] |= FELL_BACK
            break
    if served != NONE and served == rules.escalate_from and rows.is_escalated[row]:
        at, place = rules.escalate_to, rules.escalate_place
        wait_us = _admitted(rules, rows, state, told, row, at) if rows.can_hold[at][row] else NONE
        if wait_us >= 0:
            turn = rows.turn[place][row]
            if rows.turn_latency_us[place][row] < 0:
                is_timed = False
            took_us += wait_us + rows.turn_latency_us[place][row]
            told.wait_us[row] += wait_us
            counts += turn & (IS_OK - 1)
            billed = (turn >> BILLED) & FIELD
            spent += billed * rows.cost_pusd[at][row]
            tokens += billed * rows.tokens[at][row]
            told.notice[row] |= ESCALATED
            if turn >= IS_OK:
                served = at
    told.cost_pusd[row] = spent
    told.latency_us[row] = took_us if is_timed else NONE
    told.counts[row] = counts
    return served, spent, tokens


def _count_logged(rules: Rules, rows: Rows, state: State, row: int, lane: int) -> None:
    """A call that stays as logged did get through: it counts at its provider and is never held."""
    provider = rows.provider[lane][row]
    if provider < 0:
        return
    if rules.has_limits:
        _begin_minute(state, provider, rows.times_us[row] // MINUTE_US)
        _fill(state, provider, rows.tokens[lane][row])
    if rules.has_kill_switch:
        _watch(rules, state, provider, rows.times_us[row], 1, 0 if rows.is_ok[row] else 1)


def _admitted(rules: Rules, rows: Rows, state: State, told: Told, row: int, lane: int) -> int:
    """How long the call waits for this lane's provider; below 0 it is not let through, -1 - ERROR: nor is any other."""
    provider = rows.provider[lane][row]
    if provider < 0:
        return 0
    time_us = rows.times_us[row]
    if rules.has_kill_switch and time_us < state.out_until_us[provider]:
        told.notice[row] |= KILLED
        return -1 - FALLBACK
    if not rules.has_limits:
        return 0
    tokens, minute = rows.tokens[lane][row], time_us // MINUTE_US
    _begin_minute(state, provider, minute)
    if not _has_room(rules, state, provider, tokens):
        told.notice[row] |= LIMITED
        if rules.over[provider] != QUEUE:
            kept_out: int = -1 - rules.over[provider]
            return kept_out
        told.notice[row] |= QUEUED
        while not _has_room(rules, state, provider, tokens):
            of_day, later = state.minute[provider] // MINUTES_OF_DAY, state.minute[provider] + 1
            if not _has_day(rules, state, provider, tokens):
                later = (of_day + 1) * MINUTES_OF_DAY
            _begin_minute(state, provider, later)
    _fill(state, provider, tokens)
    wait_us: int = max(0, state.minute[provider] * MINUTE_US - time_us)
    return wait_us


def _begin_minute(state: State, provider: int, minute: int) -> None:
    """Go on to this minute, if it is later than the one that is being filled."""
    if minute > state.minute[provider]:
        state.minute[provider] = minute
        state.minute_requests[provider] = 0
        state.minute_tokens[provider] = 0
        if minute // MINUTES_OF_DAY > state.of_day[provider]:
            state.of_day[provider] = minute // MINUTES_OF_DAY
            state.day_requests[provider] = 0
            state.day_tokens[provider] = 0


def _has_day(rules: Rules, state: State, provider: int, tokens: int) -> bool:
    """Whether the day has room; a call above the limit itself goes through where it is the first."""
    requests, most, most_tokens = state.day_requests[provider], rules.day_requests[provider], rules.day_tokens[provider]
    if most and requests + 1 > most:
        return False
    return not (most_tokens and requests and state.day_tokens[provider] + tokens > most_tokens)


def _has_room(rules: Rules, state: State, provider: int, tokens: int) -> bool:
    """Whether the minute and its day have room."""
    requests = state.minute_requests[provider]
    most, most_tokens = rules.minute_requests[provider], rules.minute_tokens[provider]
    if most and requests + 1 > most:
        return False
    if most_tokens and requests and state.minute_tokens[provider] + tokens > most_tokens:
        return False
    return _has_day(rules, state, provider, tokens)


def _fill(state: State, provider: int, tokens: int) -> None:
    """Count one call in the minute that is being filled, and in its day."""
    state.minute_requests[provider] += 1
    state.minute_tokens[provider] += tokens
    state.day_requests[provider] += 1
    state.day_tokens[provider] += tokens


def _watch(rules: Rules, state: State, provider: int, time_us: int, attempts: int, failures: int) -> None:
    """Count attempts at a provider; too many failures within the window take it out for the cooldown."""
    if provider < 0 or time_us < state.out_until_us[provider]:
        return
    event = state.numbers[EVENTS]
    state.numbers[EVENTS] += 1
    state.event_us[event] = time_us
    state.event_attempts[event] = attempts
    state.event_failures[event] = failures
    state.event_next[event] = NONE
    if state.oldest[provider] == NONE:
        state.oldest[provider] = event
    else:
        state.event_next[state.newest[provider]] = event
    state.newest[provider] = event
    state.window_attempts[provider] += attempts
    state.window_failures[provider] += failures
    while state.oldest[provider] != event and state.event_us[state.oldest[provider]] <= time_us - rules.window_us:
        gone = state.oldest[provider]
        state.window_attempts[provider] -= state.event_attempts[gone]
        state.window_failures[provider] -= state.event_failures[gone]
        state.oldest[provider] = state.event_next[gone]
    attempts, failures = state.window_attempts[provider], state.window_failures[provider]
    if failures and attempts >= rules.requests_min and failures * rules.error_under >= rules.error_over * attempts:
        state.out_until_us[provider] = time_us + rules.cooldown_us
        state.oldest[provider] = NONE
        state.newest[provider] = NONE
        state.window_attempts[provider] = 0
        state.window_failures[provider] = 0
