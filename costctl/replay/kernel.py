"""The walk through time: everything that has state, call by call, in one pass.

One source for two engines. As it stands it is plain Python over lists; where numba is installed
and the log is large, `compiled` gives the same functions as machine code over arrays. So the
language here is small on purpose: whole numbers, indexing, loops, no objects but the four tuples
that hold lists or arrays. `kernel_inputs` fills them; ARCHITECTURE.md ("The replay") is the definition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from costctl.reuse.semantic_kernel import ITSELF, ONE, nearest

# Who answers a call.
PROVIDER, EXACT_CACHE, REFUSED, FAILED, SEMANTIC_CACHE = 0, 1, 2, 3, 4
# What happened to a call, as bits of `Told.notice`.
DEGRADED, OVER_BUDGET, KILLED, LIMITED, QUEUED, FELL_BACK, ESCALATED, REFRESHED = 1, 2, 4, 8, 16, 32, 64, 128
OVERSPENT = 256  # over a budget by what its attempts came to, not yet by what it was let through with
NONE = -1  # no key, unit, cap, provider, entry; no time
AS_LOGGED = -2  # latency and cost of a call that no attempt was drawn for
SHARES_FROM_CALLS = 100  # a share of fewer calls says nothing yet
MOST = 2**62  # sums stop here: no cap is above it
MINUTE_US, MINUTES_OF_DAY = 60_000_000, 1440
WINDOW_OF_BUDGET_US = MINUTES_OF_DAY * MINUTE_US
QUEUE, FALLBACK, ERROR = 0, 1, 2  # what happens to calls over a provider's limit
# A turn of a call at one place of its chain, in one number: counts of ten bits each, and whether it ended well.
ATTEMPTS, RETRIES, HEDGES, TIMEOUTS, BILLED, FAILURES = 0, 10, 20, 30, 40, 50
FIELD = 1023
IS_OK = 1 << 60
# `State.paid` holds two numbers of each model, so that no sum is too large for one: units of 2**30, and the rest.
PART = 1 << 30
LEFT = NONE  # in place of a turn: the call is as it is without attempts
# Places in `State.numbers`.
DAY, DAY_CALLS, HEAD, TAIL, SIZE, EVENTS = range(6)
NUMBERS = 6
# Places of a key in `State.slot`: the call whose answer is kept, since when, and the neighbours in order of use.
ENTRY, SINCE_US, BEFORE, AFTER = range(4)
SLOT = 4
# Rows of `Rules.cap`, `Rules.share` and `Rules.chain`.
LIMIT, LANE, IS_TOKENS, FIRST_UNIT = range(4)
OVER, UNDER = range(2)  # a share as a fraction; UNDER 0: no cap on this lane
FIRST, END = range(2)  # places of a lane's chain: the first, and that behind the last
# Rows of `Rules.limit`; 0 is no limit. WHEN_OVER is QUEUE, FALLBACK or ERROR.
MINUTE_REQUESTS, MINUTE_TOKENS, DAY_REQUESTS, DAY_TOKENS, WHEN_OVER = range(5)
LIMITS = 5
# Rows of `State.provider` after the first four, which are what the minute and the day hold.
MINUTE, OF_DAY, OUT_UNTIL_US, ATTEMPTS_SEEN, FAILURES_SEEN, OLDEST, NEWEST = range(4, 11)
# Two more for each kind of failure that is counted apart: how many, and since when.
KINDS = 3
COUNTED, COUNTED_SINCE_US = 11, 11 + KINDS
PROVIDER_NUMBERS = 11 + 2 * KINDS
KIND_BITS = 10
# Rows of `State.event`.
AT_US, ATTEMPTED, FAILED_OF_IT, NEXT = range(4)
EVENT_NUMBERS = 4
# Places in `Rules.switch`.
ERROR_OVER, ERROR_UNDER, WINDOW_US, REQUESTS_MIN, COOLDOWN_US, FAILURES_MAX = range(6)


class Rules(NamedTuple):
    """What the policy says, in numbers; columns go by cap, lane, place in a chain or provider."""

    logged: int
    tier_count: int
    has_cache: bool
    ttl_us: int
    is_from_last_hit: bool
    capacity: int  # NONE: without end
    has_semantic: bool
    serve_min_ppb: int
    lowest_ppb: int
    refresh_lane: int
    offsets: Any  # the graph of near prompts: neighbours lie by node, the most similar first
    neighbour: Any
    near_ppb: Any
    guard: Any  # by node
    has_sticky: bool
    has_budgets: bool
    is_filtering: bool
    is_refusing: bool
    request_max_pusd: int  # NONE: no cap
    cap: Any  # LIMIT, LANE (NONE: on any), IS_TOKENS, FIRST_UNIT
    share: Any  # OVER, UNDER
    has_attempts: bool
    chain: Any  # FIRST, END
    chain_lane: Any
    escalate_from: int
    escalate_to: int
    escalate_place: int
    has_limits: bool
    limit: Any
    has_kill_switch: bool
    switch: Any


class Rows(NamedTuple):
    """Columns over the calls of one chunk.

    Those that have a value per lane, cap or place are flat: all values of the first call, then those of the next.
    (To take a row out of a two-dimensional array counts a reference up and down, which two threads do not share.)
    """

    start: int  # position of the first call
    walked: Any
    base: Any
    times_us: Any
    is_ok: Any
    key: Any
    is_kept: Any
    node: Any  # of the semantic cache
    near_kept: Any
    near_ttl_us: Any
    may_refresh: Any
    session: Any
    day: Any
    lowest: Any
    unit: Any
    cost_pusd: Any
    tokens: Any
    can_hold: Any
    provider: Any  # whose limits count
    watched: Any  # what the kill switch watches: the provider, or a deployment
    model: Any
    turn: Any
    turn_latency_us: Any
    turn_failures: Any  # by kind; nothing where the kill switch does not count them
    is_escalated: Any


class State(NamedTuple):
    """What changes as calls go by."""

    numbers: Any  # see DAY and the names after it
    slot: Any  # by key, ENTRY to AFTER: together, so that a key costs one line of the processor's memory and not four
    near_entry: Any  # by node: position of the call whose answer is kept
    until_us: Any
    highest: Any  # by session
    used: Any  # by unit of a cap
    since_us: Any  # likewise: when the window of a budget began that is no day
    lane_calls: Any  # of today
    provider: Any
    event: Any
    paid: Any  # by model, what its attempts cost: PARTs and the rest


class Told(NamedTuple):
    """What was decided for each call of the chunk; the last four are empty where no attempts are played."""

    lane: Any
    entry_lane: Any
    routed_lane: Any
    served_by: Any
    answered_by: Any
    similarity_ppb: Any
    notice: Any
    cap: Any
    cap_used: Any  # only where there are budgets, as the next one
    cap_call: Any
    cost_pusd: Any
    latency_us: Any
    wait_us: Any
    counts: Any


def walk_rows(rules: Rules, rows: Rows, state: State, told: Told) -> None:
    """Walk the calls of one chunk through the stages: decide in a fixed order, settle what happened."""
    logged, tier_count, has_cache, has_sticky = rules.logged, rules.tier_count, rules.has_cache, rules.has_sticky
    has_budgets, has_attempts, has_limits, has_switch = (
        rules.has_budgets, rules.has_attempts, rules.has_limits, rules.has_kill_switch,
    )  # fmt: skip
    ttl_us, is_from_last_hit, capacity = rules.ttl_us, rules.is_from_last_hit, rules.capacity
    is_refusing, request_max_pusd = rules.is_refusing, rules.request_max_pusd
    is_filtering, is_counting, turn_failures = rules.is_filtering, len(rows.turn_failures) > 0, rows.turn_failures
    cap_limit, cap_lane, cap_is_tokens, cap_first = (
        rules.cap[LIMIT], rules.cap[LANE], rules.cap[IS_TOKENS], rules.cap[FIRST_UNIT],
    )  # fmt: skip
    share_over, share_under, caps = rules.share[OVER], rules.share[UNDER], len(rules.cap[LIMIT])
    chain_first, chain_end, chain_lane = rules.chain[FIRST], rules.chain[END], rules.chain_lane
    escalate_from, escalate_to, escalate_place = rules.escalate_from, rules.escalate_to, rules.escalate_place
    limit, switch = rules.limit, rules.switch
    start, walked, base, times_us, is_ok = rows.start, rows.walked, rows.base, rows.times_us, rows.is_ok
    keys, is_kept, sessions, days, lowest = rows.key, rows.is_kept, rows.session, rows.day, rows.lowest
    units, costs, tokens, can_hold = rows.unit, rows.cost_pusd, rows.tokens, rows.can_hold
    providers, watched, turns, turn_latency_us, is_escalated = (
        rows.provider, rows.watched, rows.turn, rows.turn_latency_us, rows.is_escalated,
    )  # fmt: skip
    lane_count, place_count = len(can_hold) // len(base), len(turns) // len(base)
    numbers, slot = state.numbers, state.slot
    highest, used, since_us, lane_calls = state.highest, state.used, state.since_us, state.lane_calls
    of_provider, events, paid, models = state.provider, state.event, state.paid, rows.model
    final, entry_lane, routed, served_by = told.lane, told.entry_lane, told.routed_lane, told.served_by
    answered_by, notices, broken_cap, cap_used, cap_call = (
        told.answered_by, told.notice, told.cap, told.cap_used, told.cap_call,
    )  # fmt: skip
    told_cost, told_latency, told_wait, told_counts = told.cost_pusd, told.latency_us, told.wait_us, told.counts
    has_semantic, serve_min_ppb, lowest_ppb, refresh_lane = (
        rules.has_semantic, rules.serve_min_ppb, rules.lowest_ppb, rules.refresh_lane,
    )  # fmt: skip
    offsets, neighbour, near_ppb, guard = rules.offsets, rules.neighbour, rules.near_ppb, rules.guard
    nodes, near_kept, near_ttl_us, may_refresh = rows.node, rows.near_kept, rows.near_ttl_us, rows.may_refresh
    near_entry, until_us, similarity_ppb = state.near_entry, state.until_us, told.similarity_ppb
    for index in range(len(walked)):
        row = walked[index]
        lane = base[row]
        time_us = times_us[row]
        key = NONE
        if has_cache:
            key = keys[row]
            at_key = key * SLOT
            if key >= 0 and slot[at_key + ENTRY] >= 0 and time_us - slot[at_key + SINCE_US] < ttl_us:
                served_by[row] = EXACT_CACHE
                answered_by[row] = slot[at_key + ENTRY]
                if capacity != NONE:
                    _touch(numbers, slot, key)
                if is_from_last_hit:
                    slot[at_key + SINCE_US] = time_us
                continue
        is_refreshed, refreshed, refreshed_ppb = False, NONE, NONE
        if has_semantic and nodes[row] >= 0:
            place = nearest(offsets, neighbour, near_ppb, guard, until_us, lowest_ppb, True, nodes[row], time_us)
            if place != NONE:
                source = nodes[row] if place == ITSELF else neighbour[place]
                similarity = ONE if place == ITSELF else near_ppb[place]
                if similarity >= serve_min_ppb:
                    served_by[row] = SEMANTIC_CACHE
                    answered_by[row] = near_entry[source]
                    similarity_ppb[row] = similarity
                    continue
                if may_refresh[row]:
                    is_refreshed = True
                    refreshed, refreshed_ppb = near_entry[source], similarity
                    lane = refresh_lane
        session = NONE
        if has_sticky and not is_refreshed:
            session = sessions[row]
            if session >= 0:
                held = highest[session]
                if lane < held and lane < tier_count and can_hold[row * lane_count + held]:
                    lane = held
        routed[row] = lane
        entry_lane[row] = lane
        final[row] = lane
        if is_filtering:
            has_chain = has_attempts and chain_first[lane] < chain_end[lane]
            if not has_chain or turns[row * place_count + chain_first[lane]] == LEFT:
                broken = _spent_out(rules, units, used, since_us, row * caps, lane, time_us)
                if broken != NONE:
                    broken_cap[row] = broken
                    cap_used[row] = used[cap_first[broken] + units[row * caps + broken]]
                    served_by[row] = REFUSED
                    continue
        elif has_budgets:
            if days[row] != numbers[DAY]:
                numbers[DAY] = days[row]
                numbers[DAY_CALLS] = 0
                for number in range(len(used)):
                    used[number] = 0
                for number in range(len(lane_calls)):
                    lane_calls[number] = 0
            # First the caps on tokens, one tier down; then those on money and share, as far down as it takes.
            broken, notice, least = NONE, 0, lowest[row]
            for number in range(caps):
                if cap_is_tokens[number]:
                    unit = units[row * caps + number]
                    if (
                        unit >= 0
                        and used[cap_first[number] + unit] + tokens[row * lane_count + lane] > cap_limit[number]
                    ):
                        broken = number
                        break
            if broken != NONE:
                broken_cap[row] = broken
                cap_used[row] = used[cap_first[broken] + units[row * caps + broken]]
                cap_call[row] = tokens[row * lane_count + lane]
                if is_refusing:
                    served_by[row] = REFUSED
                    continue
                if least < lane < tier_count and can_hold[row * lane_count + lane - 1]:
                    lane -= 1
                    notice |= DEGRADED
                else:
                    notice |= OVER_BUDGET
            while True:
                cost, broken = costs[row * lane_count + lane], NONE
                for number in range(caps):
                    if not cap_is_tokens[number] and (cap_lane[number] == NONE or cap_lane[number] == lane):
                        unit = units[row * caps + number]
                        if unit >= 0 and used[cap_first[number] + unit] + cost > cap_limit[number]:
                            broken = number
                            break
                if broken == NONE and request_max_pusd != NONE and cost > request_max_pusd:
                    broken = caps
                if broken == NONE and share_under[lane] and numbers[DAY_CALLS] >= SHARES_FROM_CALLS:
                    allowed = share_over[lane] * (numbers[DAY_CALLS] + 1)
                    if (lane_calls[lane] + 1) * share_under[lane] > allowed:
                        broken = caps + 1
                if broken == NONE:
                    break
                if broken_cap[row] == NONE:
                    broken_cap[row] = broken
                    cap_call[row] = cost
                    if broken < caps:
                        cap_used[row] = used[cap_first[broken] + units[row * caps + broken]]
                    else:
                        cap_used[row] = cost if broken == caps else lane_calls[lane]
                    if is_refusing:
                        served_by[row] = REFUSED
                        break
                if not (least < lane < tier_count and can_hold[row * lane_count + lane - 1]):
                    notice |= OVER_BUDGET
                    break
                lane -= 1
                notice |= DEGRADED
            if served_by[row] == REFUSED:
                continue
            if notice & DEGRADED:
                # A lower tier takes as many tokens: the call may be over its cap there, too.
                for number in range(caps):
                    unit = units[row * caps + number]
                    if cap_is_tokens[number] and unit >= 0:
                        taken = used[cap_first[number] + unit] + tokens[row * lane_count + lane]
                        if taken > cap_limit[number]:
                            notice |= OVER_BUDGET
            notices[row] = notice
        entry_lane[row] = lane
        final[row] = lane
        if is_refreshed:
            notices[row] |= REFRESHED
            answered_by[row] = refreshed
            similarity_ppb[row] = refreshed_ppb
        spent, billed_tokens, before = 0, 0, 0
        if has_budgets or has_attempts:
            spent, billed_tokens = costs[row * lane_count + lane], tokens[row * lane_count + lane]
        is_played = has_attempts and chain_first[lane] < chain_end[lane]
        if is_played and turns[row * place_count + chain_first[lane]] != LEFT:
            served, counts, took_us, waited_us, notice, is_timed = NONE, 0, 0, 0, 0, True
            spent, billed_tokens = 0, 0
            first, end = chain_first[lane], chain_end[lane]
            place, is_entered = first, False
            while place <= end:
                if place == end:
                    # Behind the chain: once more, on the dearer lane, where the answer is not good enough.
                    if served == NONE or served != escalate_from or not is_escalated[row]:
                        break
                    place, end = escalate_place, NONE
                at = escalate_to if end == NONE else chain_lane[place]
                if place != first and not can_hold[row * lane_count + at]:
                    place += 1
                    continue
                if is_filtering:
                    broken = _spent_out(rules, units, used, since_us, row * caps, at, time_us)
                    if broken != NONE:
                        if broken_cap[row] == NONE:
                            broken_cap[row] = broken
                            cap_used[row] = used[cap_first[broken] + units[row * caps + broken]]
                        place += 1
                        continue
                    if not is_entered:  # what budgets leave of the chain begins here
                        is_entered = True
                        entry_lane[row] = at
                unit, provider, wait_us = watched[row * lane_count + at], providers[row * lane_count + at], 0
                if has_switch and unit >= 0 and at != logged and time_us < of_provider[OUT_UNTIL_US][unit]:
                    notice |= KILLED
                    place += 1
                    continue
                if has_limits and provider >= 0 and at == logged:
                    _count_logged(of_provider, provider, time_us // MINUTE_US, tokens[row * lane_count + at])
                elif has_limits and provider >= 0:
                    ready_us = _admitted(limit, of_provider, provider, time_us, tokens[row * lane_count + at])
                    if ready_us < 0:
                        notice |= LIMITED
                        if ready_us == -1 - ERROR:
                            break
                        place += 1
                        continue
                    wait_us = max(0, ready_us - time_us - took_us)
                    if wait_us > 0:
                        notice |= LIMITED | QUEUED
                turn = turns[row * place_count + place]
                took_us += wait_us
                if turn_latency_us[row * place_count + place] < 0:
                    is_timed = False
                else:
                    took_us += turn_latency_us[row * place_count + place]
                waited_us += wait_us
                counts += turn & (IS_OK - 1)
                billed = (turn >> BILLED) & FIELD
                cost, payee = billed * costs[row * lane_count + at], 2 * models[row * lane_count + at]
                paid[payee] += cost // PART
                paid[payee + 1] += cost % PART
                spent += cost
                billed_tokens += billed * tokens[row * lane_count + at]
                if is_counting and unit >= 0:
                    failures = turn_failures[row * place_count + place]
                    _count_failures(switch, of_provider, unit, time_us, failures)
                elif has_switch and unit >= 0 and time_us >= of_provider[OUT_UNTIL_US][unit]:
                    attempts, failures = (turn >> ATTEMPTS) & FIELD, (turn >> FAILURES) & FIELD
                    _watch(switch, of_provider, events, numbers, unit, time_us, attempts, failures)
                if end == NONE:
                    notice |= ESCALATED
                if turn >= IS_OK:
                    served = at
                    if end == NONE:
                        break
                    if place != first:
                        notice |= FELL_BACK
                    place = end
                else:
                    place += 1
            notices[row] |= notice
            if is_filtering and served == NONE and counts == 0 and broken_cap[row] != NONE:
                served_by[row] = REFUSED
                continue
            told_cost[row] = spent
            told_latency[row] = took_us if is_timed else NONE
            told_wait[row] = waited_us
            told_counts[row] = counts
            if served == NONE:
                served_by[row] = FAILED
                continue
            lane = served
            final[row] = lane
        elif has_attempts:
            # A call that stays as logged did get through: it counts at its provider and is never held.
            told_cost[row] = spent
            payee = 2 * models[row * lane_count + lane]
            paid[payee] += spent // PART
            paid[payee + 1] += spent % PART
            unit, provider = watched[row * lane_count + lane], providers[row * lane_count + lane]
            if provider >= 0 and has_limits:
                _count_logged(of_provider, provider, time_us // MINUTE_US, billed_tokens)
            if unit >= 0 and has_switch and not is_counting and time_us >= of_provider[OUT_UNTIL_US][unit]:
                _watch(switch, of_provider, events, numbers, unit, time_us, 1, 0 if is_ok[row] else 1)
        if has_budgets:
            over = NONE  # the first cap that is over its limit with this call
            for number in range(caps):
                unit = units[row * caps + number]
                if unit >= 0 and (cap_lane[number] == NONE or cap_lane[number] == lane):
                    at_unit = cap_first[number] + unit
                    if is_filtering:
                        spent = costs[row * lane_count + lane]  # of the answer alone
                        if since_us[at_unit] == NONE or time_us - since_us[at_unit] >= WINDOW_OF_BUDGET_US:
                            since_us[at_unit], used[at_unit] = time_us, 0
                    of_call = billed_tokens if cap_is_tokens[number] else spent
                    if over == NONE and used[at_unit] + of_call > cap_limit[number]:
                        over, before = number, used[at_unit]
                    used[at_unit] = min(used[at_unit] + of_call, MOST)
            if over == NONE and request_max_pusd != NONE and spent > request_max_pusd:
                over, before = caps, spent
            if over == NONE and share_under[lane] and numbers[DAY_CALLS] >= SHARES_FROM_CALLS:
                allowed = share_over[lane] * (numbers[DAY_CALLS] + 1)
                if (lane_calls[lane] + 1) * share_under[lane] > allowed:
                    over, before = caps + 1, lane_calls[lane]
            if over != NONE and not is_filtering and not notices[row] & OVER_BUDGET:
                notices[row] |= OVER_BUDGET | OVERSPENT
                if broken_cap[row] == NONE:
                    broken_cap[row], cap_used[row] = over, before
                    cap_call[row] = billed_tokens if over < caps and cap_is_tokens[over] else spent
            numbers[DAY_CALLS] += 1
            lane_calls[lane] += 1
        if session >= 0 and lane < tier_count and lane > highest[session]:
            highest[session] = lane
        if is_refreshed:
            continue
        if has_semantic and nodes[row] >= 0 and near_kept[row]:
            near_entry[nodes[row]] = start + row
            until_us[nodes[row]] = time_us + near_ttl_us[row]
        if has_cache and is_kept[row]:
            at_key = key * SLOT
            if capacity != NONE:
                if slot[at_key + ENTRY] >= 0:
                    _touch(numbers, slot, key)
                else:
                    oldest = _add(numbers, slot, key, capacity)
                    if oldest >= 0:
                        slot[oldest * SLOT + ENTRY] = NONE
            slot[at_key + ENTRY] = start + row
            slot[at_key + SINCE_US] = time_us


def _spent_out(rules: Rules, units: Any, used: Any, since_us: Any, at: int, lane: int, time_us: int) -> int:
    """The first cap on this lane whose window has spent all of it, or NONE; `at` is where the call's units begin."""
    for number in range(len(rules.cap[LIMIT])):
        unit = units[at + number]
        if unit >= 0 and (rules.cap[LANE][number] == NONE or rules.cap[LANE][number] == lane):
            place = rules.cap[FIRST_UNIT][number] + unit
            is_open = since_us[place] != NONE and time_us - since_us[place] < WINDOW_OF_BUDGET_US
            if is_open and used[place] >= rules.cap[LIMIT][number]:
                return number
    return NONE


def _touch(numbers: Any, slot: Any, key: int) -> None:
    """Make the key the most recently used one."""
    newest = numbers[TAIL]
    if newest == key:
        return
    earlier, later = slot[key * SLOT + BEFORE], slot[key * SLOT + AFTER]
    if numbers[HEAD] == key:
        numbers[HEAD] = later
    else:
        slot[earlier * SLOT + AFTER] = later
    slot[later * SLOT + BEFORE] = earlier
    slot[newest * SLOT + AFTER] = key
    slot[key * SLOT + BEFORE] = newest
    numbers[TAIL] = key


def _add(numbers: Any, slot: Any, key: int, capacity: int) -> int:
    """Make a new key the most recently used one; gives back the one that had to leave, or NONE."""
    if numbers[SIZE] == 0:
        numbers[HEAD] = key
    else:
        slot[numbers[TAIL] * SLOT + AFTER] = key
        slot[key * SLOT + BEFORE] = numbers[TAIL]
    numbers[TAIL] = key
    numbers[SIZE] += 1
    if numbers[SIZE] <= capacity:
        return NONE
    oldest: int = numbers[HEAD]
    numbers[HEAD] = slot[oldest * SLOT + AFTER]
    numbers[SIZE] -= 1
    return oldest


def _admitted(limit: Any, of_provider: Any, provider: int, time_us: int, tokens: int) -> int:
    """When a turn of that time is let through; below 0 it is not, and with -1 - ERROR nor to any other provider."""
    minute = time_us // MINUTE_US
    _begin_minute(of_provider, provider, minute)
    if not _has_room(limit, of_provider, provider, tokens):
        if limit[WHEN_OVER][provider] != QUEUE:
            kept_out: int = -1 - limit[WHEN_OVER][provider]
            return kept_out
        while not _has_room(limit, of_provider, provider, tokens):
            later = of_provider[MINUTE][provider] + 1
            if not _has_day(limit, of_provider, provider, tokens):
                later = (of_provider[OF_DAY][provider] + 1) * MINUTES_OF_DAY
            _begin_minute(of_provider, provider, later)
    _fill(of_provider, provider, tokens)
    ready_us: int = max(time_us, of_provider[MINUTE][provider] * MINUTE_US)
    return ready_us


def _count_logged(of_provider: Any, provider: int, minute: int, tokens: int) -> None:
    """Count a call that is never held, in its own minute and day; a queue may be past the minute."""
    _begin_minute(of_provider, provider, minute)
    if minute == of_provider[MINUTE][provider]:
        of_provider[MINUTE_REQUESTS][provider] += 1
        of_provider[MINUTE_TOKENS][provider] += tokens
    if minute // MINUTES_OF_DAY == of_provider[OF_DAY][provider]:
        of_provider[DAY_REQUESTS][provider] += 1
        of_provider[DAY_TOKENS][provider] += tokens


def _begin_minute(of_provider: Any, provider: int, minute: int) -> None:
    """Go on to this minute, if it is later than the one that is being filled."""
    if minute > of_provider[MINUTE][provider]:
        of_provider[MINUTE][provider] = minute
        of_provider[MINUTE_REQUESTS][provider] = 0
        of_provider[MINUTE_TOKENS][provider] = 0
        if minute // MINUTES_OF_DAY > of_provider[OF_DAY][provider]:
            of_provider[OF_DAY][provider] = minute // MINUTES_OF_DAY
            of_provider[DAY_REQUESTS][provider] = 0
            of_provider[DAY_TOKENS][provider] = 0


def _has_day(limit: Any, of_provider: Any, provider: int, tokens: int) -> bool:
    """Whether the day has room; a call above the limit itself goes through where it is the first."""
    requests, most, most_tokens = (
        of_provider[DAY_REQUESTS][provider], limit[DAY_REQUESTS][provider], limit[DAY_TOKENS][provider],
    )  # fmt: skip
    if most and requests + 1 > most:
        return False
    return not (most_tokens and requests and of_provider[DAY_TOKENS][provider] + tokens > most_tokens)


def _has_room(limit: Any, of_provider: Any, provider: int, tokens: int) -> bool:
    """Whether the minute and its day have room."""
    requests, most, most_tokens = (
        of_provider[MINUTE_REQUESTS][provider], limit[MINUTE_REQUESTS][provider], limit[MINUTE_TOKENS][provider],
    )  # fmt: skip
    if most and requests + 1 > most:
        return False
    if most_tokens and requests and of_provider[MINUTE_TOKENS][provider] + tokens > most_tokens:
        return False
    return _has_day(limit, of_provider, provider, tokens)


def _fill(of_provider: Any, provider: int, tokens: int) -> None:
    """Count one call in the minute that is being filled, and in its day."""
    of_provider[MINUTE_REQUESTS][provider] += 1
    of_provider[MINUTE_TOKENS][provider] += tokens
    of_provider[DAY_REQUESTS][provider] += 1
    of_provider[DAY_TOKENS][provider] += tokens


def _count_failures(switch: Any, of_provider: Any, provider: int, time_us: int, failures: int) -> None:
    """Count failures of a deployment by kind, from the first one on; too many of one kind take it out."""
    for kind in range(KINDS):
        count = (failures >> (KIND_BITS * kind)) & FIELD
        if count:
            if time_us - of_provider[COUNTED_SINCE_US + kind][provider] >= switch[COOLDOWN_US]:
                of_provider[COUNTED + kind][provider] = 0
            if of_provider[COUNTED + kind][provider] == 0:
                of_provider[COUNTED_SINCE_US + kind][provider] = time_us
            of_provider[COUNTED + kind][provider] += count
            if of_provider[COUNTED + kind][provider] > switch[FAILURES_MAX]:
                of_provider[OUT_UNTIL_US][provider] = time_us + switch[COOLDOWN_US]


def _watch(
    switch: Any, of_provider: Any, events: Any, numbers: Any, provider: int, time_us: int, attempts: int, failures: int
) -> None:
    """Count attempts at a provider; too many failures within the window take it out for the cooldown."""
    event = numbers[EVENTS]
    numbers[EVENTS] += 1
    events[AT_US][event] = time_us
    events[ATTEMPTED][event] = attempts
    events[FAILED_OF_IT][event] = failures
    events[NEXT][event] = NONE
    if of_provider[OLDEST][provider] == NONE:
        of_provider[OLDEST][provider] = event
    else:
        events[NEXT][of_provider[NEWEST][provider]] = event
    of_provider[NEWEST][provider] = event
    of_provider[ATTEMPTS_SEEN][provider] += attempts
    of_provider[FAILURES_SEEN][provider] += failures
    gone = of_provider[OLDEST][provider]
    while gone != event and events[AT_US][gone] <= time_us - switch[WINDOW_US]:
        of_provider[ATTEMPTS_SEEN][provider] -= events[ATTEMPTED][gone]
        of_provider[FAILURES_SEEN][provider] -= events[FAILED_OF_IT][gone]
        gone = events[NEXT][gone]
        of_provider[OLDEST][provider] = gone
    seen, failed = of_provider[ATTEMPTS_SEEN][provider], of_provider[FAILURES_SEEN][provider]
    if failed and seen >= switch[REQUESTS_MIN] and failed * switch[ERROR_UNDER] >= switch[ERROR_OVER] * seen:
        of_provider[OUT_UNTIL_US][provider] = time_us + switch[COOLDOWN_US]
        of_provider[OLDEST][provider] = NONE
        of_provider[NEWEST][provider] = NONE
        of_provider[ATTEMPTS_SEEN][provider] = 0
        of_provider[FAILURES_SEEN][provider] = 0
