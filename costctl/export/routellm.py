"""RouteLLM 0.2.0: a launch script, its configuration, and a script that calibrates the threshold on a log.

It only splits between a weak and a strong model; the split stands in the name of the model that callers ask for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from costctl.export.base import Carried, Exported, Target, approximated, dropped, header, told
from costctl.export.resolved import Model, Resolved
from costctl.export.shape import Keys, Text
from costctl.export.text import commented, from_yaml, to_yaml
from costctl.policy.parts import PARTS

CONFIG, START, CALIBRATE = "config.yaml", "start.sh", "calibrate.py"
VERIFIED = "routellm 0.2.0"
ROUTER = "mf"
_CODE = Path(__file__).with_name("runtime") / "routellm_calibrate.py"
_SHAPE = Keys({ROUTER: Keys({"checkpoint_path": Text(r"[\w.-]+/[\w.-]+", "a checkpoint such as owner/name")})})
_START = re.compile(
    r"exec python -m routellm\.openai_server --routers mf --config config\.yaml --port \"\$\{PORT:-6060\}\" \\\n"
    r"  --strong-model '([^'\s]+)' --weak-model '([^'\s]+)'\n\Z"
)
_SHARE = re.compile(r"(?m)^STRONG_SHARE = (None|0\.[0-9]+|[01])$")
# As its client for models spells the providers whose names differ from those of the price list.
_PREFIXES = {"x-ai": "xai", "google": "gemini", "together": "together_ai", "fireworks": "fireworks_ai",
             "aws": "bedrock", "self": "hosted_vllm", "moonshotai": "moonshot"}  # fmt: skip


def export(given: Resolved) -> Exported:
    """Three files; without two tiers that name models there is nothing to split, and only a note of it."""
    head = commented(header(given, "RouteLLM", VERIFIED))
    ends = _ends(given)
    if ends is None:
        note = commented(["The policy has no two tiers with models of their own: there is nothing to split."])
        return Exported({CONFIG: head + note + "{}\n"}, told(given, _carried(given)))
    weak, strong = ends
    share = _share(given)
    start = (
        "#!/bin/sh\n" + head + "# It listens on every interface and asks for no key: keep a firewall before it.\n"
        "set -eu\n"
        ': "${OPENAI_API_KEY:?the router itself asks OpenAI for an embedding of each prompt}"\n'
        f'exec python -m routellm.openai_server --routers {ROUTER} --config {CONFIG} --port "${{PORT:-6060}}" \\\n'
        f"  --strong-model '{_named(strong)}' --weak-model '{_named(weak)}'\n"
    )
    code = _CODE.read_text("utf-8").replace(
        "STRONG_SHARE = None", f"STRONG_SHARE = {share if share is None else format(share, 'f')}", 1
    )
    config = {ROUTER: {"checkpoint_path": "routellm/mf_gpt4_augmented"}}
    files = {START: start, CONFIG: to_yaml(config, head), CALIBRATE: head + code}
    return Exported(files, told(given, _carried(given)))


def _ends(given: Resolved) -> tuple[Model, Model] | None:
    """The first model of the cheapest tier, and that of the dearest one."""
    models = [lane.models[0] for lane in given.tiers if lane.models]
    return None if len(models) < 2 else (models[0], models[-1])


def _share(given: Resolved) -> Decimal | None:
    """The share of calls that the strong tier may have, where the policy caps it."""
    tiers = [lane.name for lane in given.tiers if lane.models]
    found = given.policy.budgets.max_share_per_day.get(tiers[-1]) if tiers else None
    return None if found is None else found.normalize() + 0


def _named(model: Model) -> str:
    named = f"{_PREFIXES.get(model.provider, model.provider)}/{model.model}"
    return re.sub(r"[^A-Za-z0-9@:/._+-]", "-", named)


def _carried(given: Resolved) -> dict[str, Carried]:
    between = [lane.name for lane in given.tiers if lane.models][1:-1]
    tiers = "the first model of the cheapest tier is the weak one, that of the dearest the strong one"
    left = f"; {', '.join(between)} has no place: chain a second instance behind it" if between else ""
    by_score = dropped("its own score of the prompt decides alone; put costctl_route.py of the target json before it")
    proxy = "it forwards a request once, as it came: put LiteLLM behind it (--base-url) and export the target litellm"
    own: dict[str, Carried] = {
        "tiers": approximated(tiers + left),
        "tiers.select: first": dropped(f"one model a side; {proxy}"),
        "tiers.max_output_tokens": dropped("the caller must send max_tokens; the side is only known afterwards"),
        "tiers.temperature": dropped("the caller must send temperature; the side is only known afterwards"),
        "routing.default: logged": dropped("every request goes to one of the two models; do not send it the others"),
        "routing.classifier": dropped("it has weights of its own; the target litellm-plugin carries yours"),
        "budgets.max_share_per_day": approximated(
            f"{CALIBRATE} sets the threshold so that the strong model gets its share of your log; the share of a day "
            "may differ, and shares of other tiers are not kept"
        ),
        "self_hosted": approximated("named as a model of vLLM; give its address with --base-url"),
    }  # fmt: skip
    routed = [part for part in PARTS if part.startswith("routing.")]
    return {**dict.fromkeys(PARTS, dropped(proxy)), **dict.fromkeys(routed, by_score), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Arguments that its configuration does not take, another start, a share that is none."""
    config = from_yaml(files[CONFIG])
    if not config:
        return [f"{START}: there is nothing to start"] if START in files else []
    wrong = _SHAPE.faults(config, "")
    found = _START.search(files.get(START, ""))
    if found is None:
        wrong.append(f"{START}: must start the server with {CONFIG}, a strong and a weak model")
    elif found[1] == found[2]:
        wrong.append(f"{START}: the strong and the weak model are the same")
    if _SHARE.search(files.get(CALIBRATE, "")) is None:
        wrong.append(f"{CALIBRATE}: STRONG_SHARE must be None or a share from 0 to 1")
    return wrong


TARGET = Target("routellm", "RouteLLM", VERIFIED, export, faults)
