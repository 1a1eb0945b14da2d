"""What becomes of each part of a policy in LiteLLM, in the words of the person who has to live with it."""

from __future__ import annotations

from collections.abc import Iterable

from costctl.export.base import Carried, approximated, dropped, expressed
from costctl.export.litellm_auto import AUTO
from costctl.export.litellm_config import CACHE_TYPE, kept_cooldown_us, kept_ttl_us, total_provider
from costctl.export.litellm_lanes import fallback_lane, group_of, why_not_written, written_lanes
from costctl.export.resolved import Lane, Resolved
from costctl.export.vllm_plan import fields_of
from costctl.export.vllm_signals import METADATA
from costctl.policy.parts import parts_of
from costctl.policy.targets import LITELLM, NATIVE_DROPPED, ONE_CACHE, SEVERAL_PROVIDERS, allowed_fails
from costctl.policy.tell import duration
from costctl.policy.when import When

# What a simulation as LiteLLM says, too.
_DROPPED, _DOES = LITELLM.dropped, LITELLM.does
_SESSION = "the decision sees metadata.session_id and metadata.user_id if the application sends them"
_CALLER = "the application has to do it before it calls"
# What LiteLLM does not know of a request by itself; users and teams it knows by their key.
_BESIDE = {*METADATA, "input_tokens", "output_tokens"} - {"user_id", "team"}
_STATE = (
    "each process counts for itself, so four workers may spend four times the cap; where there is a Redis, add "
    "redis_host, redis_port and redis_password (os.environ/REDIS_HOST and so on) to router_settings by hand"
)
_PINNED = "max_tokens in place of the request's own, also of a smaller one; after a fallback the request's own counts"
_STUCK = "in place of the request's own; after a fallback the request's own counts where it has one"


def carried(given: Resolved, *, is_plugin: bool) -> dict[str, Carried]:
    """One word for every part that the policy has."""
    found = {**_lanes(given, is_plugin=is_plugin), **_routing(given, is_plugin=is_plugin), **_limits(given)}
    found |= {**_failures(given), **_caches(given), **_beside(given, is_plugin=is_plugin)}
    return {part: found[part] for part in parts_of(given.policy)}


def _lanes(given: Resolved, *, is_plugin: bool) -> dict[str, Carried]:
    written = written_lanes(given, is_plugin=is_plugin)
    left = [lane for lane in given.tiers if lane not in written]
    others = [lane for lane in given.lanes if not lane.is_tier and lane not in written]
    fallback = fallback_lane(given, is_plugin=is_plugin)
    where = group_of(fallback) if fallback else "nowhere: no tier has a model of its own"

    def lost(lanes: list[Lane]) -> str:
        why = "; ".join(f"{one.name} {why_not_written(given, one, is_plugin=is_plugin)}" for one in lanes)
        to = f"go to {where}" if fallback else f"go {where}"
        return f"not written: {why}; the requests that the policy sends there {to}"

    tiers = expressed("one model_name for each tier")
    specialists = expressed("one model_name each, and a tier of the router")
    if not is_plugin:
        specialists = dropped(f"{NATIVE_DROPPED['specialists']}; ask for one by name, such as {_first(given)}")
    return {
        "tiers": approximated(lost(left)) if left else tiers,
        "specialists": approximated(lost(others)) if others and is_plugin else specialists,
        "tiers.models.logged": dropped(_DOES["tiers.models.logged"].format(where=where)),
        "tiers.select: first": expressed("order of the deployments of a model_name"),
        "tiers.select: cheapest": approximated(_DOES["tiers.select: cheapest"]),
        "tiers.select: fastest": approximated(_DOES["tiers.select: fastest"]),
        "tiers.select: weights": expressed("weight of the deployments of a model_name, drawn for each request"),
        "tiers.max_output_tokens": approximated(_PINNED),
        "tiers.context_tokens": approximated("max_input_tokens counts the prompt, the policy prompt and answer"),
        "tiers.temperature": approximated(_STUCK),
        "tiers.timeout_s": expressed("timeout and stream_timeout of each deployment"),
        "self_hosted": approximated("hosted_vllm, its address by environment; LiteLLM counts no cost"),
    }  # fmt: skip


def _first(given: Resolved) -> str:
    return next((group_of(lane) for lane in given.lanes if not lane.is_tier), "")


def _routing(given: Resolved, *, is_plugin: bool) -> dict[str, Carried]:
    fallback = fallback_lane(given, is_plugin=is_plugin)
    where = group_of(fallback) if fallback else "no tier"
    logged = dropped(f"{_DOES['routing.default: logged'].format(where=where)}; or ask for a model by its own name")
    if is_plugin:
        exact = expressed("costctl_route.py decides as the simulation does, on what the request and its metadata tell")
        routing = given.policy.routing
        return {
            "routing.default: logged": logged, "routing.rules": _by_file(one.when for one in routing.rules),
            "routing.classifier": exact, "routing.matrix": exact,
            "routing.raise": _by_file(one.when for one in routing.raises),
            "routing.floors": _by_file(one.when for one in routing.floors),
            "routing.raise.add_instruction": dropped(f"{_DROPPED['routing.raise.add_instruction']}; {_CALLER}"),
            "routing.sticky": approximated(f"in the memory of each process; {_SESSION}"),
        }  # fmt: skip
    keywords = (
        "its scorer knows whole words of the last message and its length, no stems and no conditions, and the highest "
        f"tier wins; the rest goes to {where}; litellm-plugin is exact"
    )
    return {
        "routing.default: logged": logged, "routing.rules": approximated(keywords),
        "routing.matrix": approximated(keywords), "routing.classifier": _native("routing.classifier"),
        "routing.raise": _native("routing.raise"),
        "routing.raise.add_instruction": dropped(f"{_DROPPED['routing.raise.add_instruction']}; {_CALLER}"),
        "routing.floors": _native("routing.floors"),
        "routing.sticky": dropped(NATIVE_DROPPED["routing.sticky"]),
    }  # fmt: skip


def _native(part: str) -> Carried:
    return dropped(f"{NATIVE_DROPPED[part]}; export litellm-plugin")


def _by_file(whens: Iterable[When]) -> Carried:
    """Exact where the request alone tells what the conditions ask for."""
    lacking = sorted({field for when in whens for field in fields_of(when)} & _BESIDE)
    if not lacking:
        return expressed("costctl_route.py decides as the simulation does, on what the request tells")
    return approximated(
        f"costctl_route.py decides as the simulation does where the application sends {', '.join(lacking)} in "
        "metadata; what nobody sends is estimated or unknown"
    )


def _limits(given: Resolved) -> dict[str, Carried]:
    budgets = given.policy.budgets
    capped = [cap.name for cap in budgets.usd_per_day if cap.scope == "tier"]
    lower = [name for name in capped if name and not given.policy.fallbacks.get(name)]
    tier = f"max_budget of each deployment: {_DOES['budgets.usd_per_day: tier']}; {_STATE}"
    if lower:
        tier += f"; without fallbacks, and refused: {', '.join(lower)}"
    several = [name for name in capped if name and len(given.lane(name).models) > 1]
    if several:
        tier += f"; each model of {', '.join(several)} has the whole budget"
    provider = total_provider(given)
    total = dropped(f"{SEVERAL_PROVIDERS}: set max_budget on its keys")
    if provider is not None:
        total = approximated(f"{provider}: {_DOES['budgets.usd_per_day: total']}; {_STATE}")
    database = "set max_budget or tpm_limit on the keys of its users and teams"
    return {
        "budgets.max_share_per_day": dropped(
            f"{_DROPPED['budgets.max_share_per_day']}; a max_budget of the tier is the nearest"
        ),
        "budgets.usd_per_day: total": total,
        "budgets.usd_per_day: tier": approximated(tier),
        "budgets.usd_per_day: other": dropped(f"{_DROPPED['budgets.usd_per_day: other']}: {database}"),
        "budgets.usd_per_request_max": dropped(
            f"{_DROPPED['budgets.usd_per_request_max']}; limit max_tokens of the tiers"
        ),
        "budgets.tokens_per_day": dropped(f"{_DROPPED['budgets.tokens_per_day']}: {database}"),
        "limits": dropped(f"{_DROPPED['limits']}; a 429 goes to the fallbacks"),
    }  # fmt: skip


def _failures(given: Resolved) -> dict[str, Carried]:
    policy = given.policy
    retries = _DOES["retries"]
    if policy.retries is not None and "timeout" in policy.retries.on and policy.retries.max_count:
        retries += f"; a timeout is waited for {policy.retries.max_count + 1} times before a fallback is asked"
    kill = ""
    if policy.kill_switch is not None:
        kill = _DOES["kill_switch"].format(fails=allowed_fails(policy.kill_switch))
        kept = kept_cooldown_us(policy.kill_switch)
        kill += (
            "" if kept == policy.kill_switch.cooldown_us else f"; its cooldown is {duration(kept)}, the longest here"
        )
    return {
        "fallbacks": expressed("fallbacks, in order; the chain of the tier that was chosen first"),
        "retries": approximated(f"num_retries and retry_policy by kind of failure; {retries}"),
        "hedge": dropped(f"{_DROPPED['hedge']}; a shorter timeout_s with a fallback is the nearest"),
        "escalate": dropped(f"{_DROPPED['escalate']}; {_CALLER.replace('before it calls', 'with the answer')}"),
        "kill_switch": approximated(kill),
    }  # fmt: skip


def _caches(given: Resolved) -> dict[str, Carried]:
    cache = given.policy.cache
    exact = f"{_DOES['cache.exact']}; all ask for {AUTO}"
    if cache.exact is not None:
        scopes = ", ".join(cache.exact.scope)
        exact += f"; scope ({scopes}) only by `cache: {{namespace: ...}}` of each request" if scopes else ""
        exact += "; a hit does not renew the time" if cache.exact.ttl_from == "last_hit" else ""
        kept = kept_ttl_us(cache.exact.ttl_us)
        exact += "" if kept == cache.exact.ttl_us else f"; its ttl is {duration(kept)}, the nearest that is taken"
        exact += "; no capacity" if cache.exact.capacity is not None else ""
        exact += "; the temperature is not looked at" if cache.exact.max_temperature is not None else ""
        exact += f"; {CACHE_TYPE} is redis (with REDIS_HOST, REDIS_PORT, REDIS_PASSWORD) or local, in each process"
    semantic = approximated(
        f"redis-semantic at serve_min: {_DOES['cache.semantic']}, and no guard; "
        "it needs Redis with search, redisvl, and LITELLM_EMBEDDING_MODEL"
    )
    if cache.exact is not None:
        semantic = dropped(f"{ONE_CACHE}; a semantic one would have no guard")
    opted = cache.prompt is not None and cache.prompt.opt_in
    return {
        "cache.exact": approximated(exact),
        "cache.semantic": semantic,
        "cache.prompt": approximated("the system prompt is marked for the providers that must be asked")
        if opted
        else expressed("the providers' own caches work through LiteLLM"),
        "cache.exclude": dropped(f"{_DROPPED['cache.exclude']}: `cache: {{no-cache: true, no-store: true}}`"),
    }


def _beside(given: Resolved, *, is_plugin: bool) -> dict[str, Carried]:
    arms = f"{_DROPPED['experiments']}; one file for each arm, chosen by the application"
    return {
        "context": dropped(f"{_DROPPED['context']}; {_CALLER}"),
        "compression": dropped(f"{_DROPPED['compression']}; {_CALLER}"),
        "data_sources": dropped(f"{_DROPPED['data_sources']}; {_CALLER}"),
        "batch": dropped(f"{_DROPPED['batch']}; send those endpoints to the provider's batch interface"),
        "post_process": dropped(f"{_DROPPED['post_process']}; the application has to call the tier by its model name"),
        "experiments": dropped(arms),
    }
