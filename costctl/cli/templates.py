"""The files that `costctl init` writes: every setting, commented out, with what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from costctl.errors import CostctlError

SETTINGS = """\
# Settings of costctl. A flag wins over a COSTCTL_* variable, that over this file.
# Every line below is commented out and shows the form; remove the # where you want it.

[audit]
# by = ["endpoint", "team", "user"]            # further tables of spend
# prices = "rates.yaml"                        # your own rates, see that file
# tier_rules = "tiers.yaml"                    # your own intents and thresholds; costctl init --tier-rules
# mapping = ["request_model=llm.name", "input_tokens=usage.in"]   # where your log keeps things
# cached_in_input = "yes"                      # whether input counts include cached tokens
# day_first = "yes"                            # whether 3/6/2026 is 3 June; by default the log tells
# token_budget = ["user_profile=free:20k", "endpoint=/chat:5M"]   # tokens a day
# slo = ["/chat=3s"]                           # p95 latency of an endpoint
# threads = 2

[simulate]
# policy = "policy.yaml"                       # what to replay
# seed = 7
"""

RATES = """\
# Your own rates, USD per million tokens; they win over the list prices of costctl.
# Use with: costctl audit LOG --prices rates.yaml

# fx: {EUR: 1.08}                  # fixed rates for prices in other currencies
# failed: unbilled                 # failed calls: unbilled | input_only | as_logged
# Shares off the list price, by provider/model as `costctl prices show MODEL` names it. The most specific entry holds,
# wherever it stands: an exact name before a pattern, then the one with more letters. The rates below are what you pay:
# nothing is taken off them.
# discounts: {"openai/*": 0.10, "openai/gpt-4o": 0.20}
# models:
#   my-fine-tune: {input: 3.75, output: 15, cache_read: 1.875}
#   self/llama-3.1-8b: {input: 0, output: 0}       # an explicit zero is free
#   eu-model: {currency: EUR, input: 2, output: 6}
models: {}
"""


TIER_RULES = """\
# The tier rules of costctl, as a file of your own. Use with: costctl audit LOG --tier-rules tiers.yaml
# With `defaults: false` nothing else decides: this file replaces the shipped rules. To add to them instead, and get
# their changes with each version, keep what is yours and take `defaults: false` out. Every key: docs/tiers.md.
#
# Cues are whole words, compared after folding case, accents (ñ stays) and punctuation; `stem*`
# is the beginning of a word, at the end of a cue only. Quote 'no', 'yes' and numbers.
"""


def write_templates(folder: Path, models: Sequence[str], *, force: bool = False) -> list[Path]:
    """Write settings, rates and a policy over these models; none if one exists and `force` is not set.

    Raises:
        CostctlError: E322 naming the files that exist.
    """
    from costctl.policy.template import starter_policy  # noqa: PLC0415  (this module is read by --help too)

    policy = starter_policy(models)
    files = {folder / "costctl.toml": SETTINGS, folder / "rates.yaml": RATES, folder / "policy.yaml": policy}
    _write(files, force=force)
    return list(files)


def write_tier_rules(folder: Path, *, force: bool = False) -> Path:
    """Write the shipped tier rules as a file that stands alone, and decides as they do until it is changed.

    Raises:
        CostctlError: E322 where the file exists and `force` is not set.
    """
    from costctl.tiers.place import DEFAULT_RULES  # noqa: PLC0415  (this module is read by --help too)

    _, version, rules = DEFAULT_RULES.read_text("utf-8").partition("version: 1\n")
    path = folder / "tiers.yaml"
    _write({path: TIER_RULES + version + "defaults: false\n" + rules}, force=force)
    return path


def _write(files: Mapping[Path, str], *, force: bool) -> None:
    existing = [str(path) for path in files if path.exists()]
    if existing and not force:
        raise CostctlError("E322", f"already there: {', '.join(existing)}", "overwrite with --force")
    for path, text in files.items():
        path.write_text(text, "utf-8")
