"""LiteLLM, proxy and Router: `litellm-plugin` decides by our own file, `litellm` by LiteLLM's keywords and lengths."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import partial

from costctl.export.base import Exported, Target, header, told
from costctl.export.decision import decision_file
from costctl.export.litellm_auto import AUTO, MODULE, PLUGIN
from costctl.export.litellm_config import CACHE_TYPE, CONFIG, config_of, total_provider
from costctl.export.litellm_lanes import fallback_lane, written
from costctl.export.litellm_loss import carried
from costctl.export.litellm_native import lane_of, native_of
from costctl.export.litellm_schema import config_faults
from costctl.export.reading import Reading, by_text, ours
from costctl.export.resolved import Resolved
from costctl.export.text import commented, to_yaml
from costctl.policy.apart import Apart, of_litellm

VERIFIED = "litellm 1.106.2"


def export(given: Resolved, *, is_plugin: bool) -> Exported:
    """`config.yaml`, and in plugin mode beside it the decision."""
    losses = told(given, carried(given, is_plugin=is_plugin))
    lost = [f"{one.kind}: {one.part}: {one.says}" for one in losses if one.kind != "expressed"]
    head = [
        *header(given, "LiteLLM", VERIFIED),
        f"Ask for the model {AUTO}; start with: litellm --config {CONFIG}",
        *([f"{CACHE_TYPE} must be set: local or redis"] if given.policy.cache.exact is not None else []),
        *lost,
    ]
    files = {CONFIG: to_yaml(config_of(given, is_plugin=is_plugin), commented(head))}
    if is_plugin and fallback_lane(given, is_plugin=True) is not None:
        files[f"{MODULE}.py"] = decision_file(
            given.policy, given.policy_digest, given.content, given.book, given.router, given.version
        )
    return Exported(files, losses)


def faults(files: Mapping[str, str], *, is_plugin: bool) -> list[str]:
    """What the closed schema finds, and a decision that is missing or is no Python."""
    wrong = config_faults(files[CONFIG], is_plugin=is_plugin) if CONFIG in files else [f"{CONFIG}: is missing"]
    name = f"{MODULE}.py"
    if is_plugin and "classifier_plugin" in files.get(CONFIG, ""):
        try:
            names = {one.id for node in ast.walk(ast.parse(files[name])) if isinstance(node, ast.Assign)
                     for one in node.targets if isinstance(one, ast.Name)}  # fmt: skip
            wrong += [] if PLUGIN in names else [f"{name}: {PLUGIN} is missing"]
        except (KeyError, SyntaxError) as error:
            wrong.append(f"{name}: {'is missing' if isinstance(error, KeyError) else 'is no Python'}")
    return wrong


def reading_of_scorer(given: Resolved) -> Reading | None:
    """Its own scorer looks at the last message."""
    if fallback_lane(given, is_plugin=False) is None:
        return None
    native = native_of(given)
    return by_text(partial(lane_of, native), "keywords and length of the last message")


def reading_of_plugin(given: Resolved) -> Reading | None:
    """Our decision, told what LiteLLM knows where the application sends no metadata."""
    last = fallback_lane(given, is_plugin=True)
    says = "our decision, told the request alone, without metadata of the application and without a count of tokens"
    return None if last is None else ours(given, frozenset(), last, says)


def parts_apart(given: Resolved, *, is_plugin: bool) -> Mapping[str, Apart]:
    """What it carries out in its own way, as a simulation of it does."""
    return of_litellm(
        given.policy, written(given, is_plugin=is_plugin, has_one_provider=total_provider(given) is not None)
    )


NATIVE = Target(
    "litellm",
    "LiteLLM with its own scorer",
    VERIFIED,
    partial(export, is_plugin=False),
    partial(faults, is_plugin=False),
    reading_of_scorer,
    partial(parts_apart, is_plugin=False),
)
PLUGIN_TARGET = Target(
    "litellm-plugin", "LiteLLM with our decision", VERIFIED, partial(export, is_plugin=True),
    partial(faults, is_plugin=True), reading_of_plugin, partial(parts_apart, is_plugin=True),
)  # fmt: skip
