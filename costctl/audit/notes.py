"""What changes how the numbers are to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costctl.audit import pages
from costctl.report import Table, Warning
from costctl.store import Store


def warnings(
    store: Store, found: dict[str, Any], tables: dict[str, Table], skipped: Sequence[str]
) -> tuple[Warning, ...]:
    """Everything that a reader of the totals must know, most weighty first."""
    said: list[Warning] = []
    for row in tables["unpriced"].dicts():
        model = row["model"] or "(no model)"
        text = f"{model} is unpriced, {row['request_count']:,} requests are left out of the total: {row['reason']}"
        said.append(Warning("W201", text, "give one: --prices rates.yaml"))
    if found["rejected_count"]:
        text = f"{found['rejected_count']:,} records were not understood"
        said.append(Warning("W110", text, "see them: costctl rejects"))
    if found["undated_count"]:
        text = f"{found['undated_count']:,} requests carry no date; priced at the date of the price set"
        said.append(Warning("W131", text, "--priced-at DATE"))
    uncounted = store.scalar("SELECT count(*) FROM request WHERE usage_source = 'missing' AND status = 'ok'")
    if uncounted:
        text = f"{uncounted:,} successful requests carry no token counts and are left out of the total"
        said.append(Warning("W121", text, "map them: --map input_tokens=... --map output_tokens=..."))
    if found["cache_unknown_count"]:
        text = f"{found['cache_unknown_count']:,} requests do not say what was cached; priced as uncached"
        said.append(Warning("W120", text))
    currencies = [row[0] for row in store.query(pages.page("currencies.sql"))]
    if any(currency != "USD" for currency in currencies):
        text = f"logged costs in {', '.join(currencies)}: only USD is summed"
        said.append(Warning("W150", text, "computed costs are not affected"))
    assumed = store.scalar("SELECT count(*) FROM request WHERE is_price_assumed")
    if assumed:
        text = (
            f"{assumed:,} requests of a service tier without a published price: half of list was assumed for batch and "
            "flex, list for the others"
        )
        said.append(Warning("W210", text))
    broken = sum(int(str(row["over_count"] or 0)) for row in tables["token_budgets"].dicts())
    if broken:
        said.append(
            Warning("W140", f"token budgets were exceeded {broken:,} times", "table token_budgets names the worst")
        )
    hidden, texts = store.query(pages.page("prompt_coverage.sql"))[0]
    if hidden * 10 > texts:
        text = f"in {hidden:,} of {texts:,} requests the logged text is only a part of the prompt that was paid for"
        said.append(Warning("W160", text, "repeats and tiers rest on that part"))
    if skipped:
        text = f"{len(skipped)} files hold no request and were skipped: {', '.join(skipped[:3])}"
        said.append(Warning("W122", text))
    return tuple(said)
