"""`costctl prices diff` and `update`: what changed between two price sets or two days."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from costctl.errors import CostctlError
from costctl.prices.book import PriceBook, instant_utc, load_book
from costctl.prices.generate import write_base
from costctl.prices.rates import MINUTES_OF_A_DAY, PARENTS, Rate
from costctl.prices.show import hours_text
from costctl.report import Report, Table, Value

COLUMNS = (
    "price_key", "service_tier", "input_over_tokens", "hours_utc", "unit", "old_usd_per_million", "new_usd_per_million",
    "ratio",
)  # fmt: skip


class _Place(NamedTuple):
    """Where one price stands: fees count as a unit too, in USD per 1,000."""

    model_key: str
    service_tier: str
    input_over_tokens: int
    hours_utc: str
    unit: str


Prices = dict[_Place, Decimal]


def diff_folders(old: Path, new: Path, at: datetime | None = None) -> Report:
    """What changed from one folder of price files to another, as of one moment.

    `at` is UTC without zone (default: the day of the price set). Models whose rates differ only
    at other times are counted as `reworked_count` and listed.

    Raises:
        CostctlError: E205 where a folder holds no price files.
    """
    return _report(_book(old), _book(new), at, at, {"old": old.name, "new": new.name})


def diff_dates(book: PriceBook, old_at: datetime, new_at: datetime) -> Report:
    """What the list prices of one book did between two moments (UTC without zone)."""
    return _report(book, book, old_at, new_at, {"old": old_at.isoformat(), "new": new_at.isoformat()})


def updated(target: Path) -> Report:
    """Write `target/base` anew from the installed genai-prices package; the report is the diff.

    Overlays stay as they are. Nothing is fetched from the network: the package is the source,
    so that a price set can be pinned, reviewed and repeated.

    Raises:
        CostctlError: E204 where the package is not installed.
    """
    with tempfile.TemporaryDirectory() as place:
        fresh = Path(place) / "pricing"
        try:
            write_base(fresh / "base")
        except ModuleNotFoundError as error:
            raise CostctlError(
                "E204", "the package genai-prices is not installed", "pip install 'costctl[prices]'"
            ) from error
        overlays = target / "overlays"
        if overlays.is_dir():
            shutil.copytree(overlays, fresh / "overlays")
        old = _book(target) if (target / "base").is_dir() else None
        report = _report(old, _book(fresh), None, None, {"old": target.name, "new": "genai-prices"}, "prices update")
        base = target / "base"
        base.mkdir(parents=True, exist_ok=True)
        written = {path.name for path in (fresh / "base").iterdir()}
        for name in sorted(written):
            shutil.copyfile(fresh / "base" / name, base / name)
        for stale in [path for path in base.glob("*.jsonl") if path.name not in written]:
            stale.unlink()
    return report


def _book(folder: Path) -> PriceBook:
    if not any((folder / "base").glob("*.jsonl")):
        raise CostctlError("E205", f"no price files in {folder}", "a price folder has base/*.jsonl and overlays/*.yaml")
    return load_book(folder=folder)


def _report(
    old: PriceBook | None,
    new: PriceBook,
    old_at: datetime | None,
    new_at: datetime | None,
    sides: dict[str, str],
    command: str = "prices diff",
) -> Report:
    before = _prices(old, old_at or instant_utc(old.dated)) if old else {}
    after = _prices(new, new_at or instant_utc(new.dated))
    models_before, models_after = ({place.model_key for place in side} for side in (before, after))
    changed = sorted(
        place
        for place in before.keys() | after.keys()
        if before.get(place) != after.get(place)
        and place.model_key in models_before & models_after
        and not (_as_parent(place, before) and _as_parent(place, after))
    )
    rows: list[tuple[Value, ...]] = [
        (*place, before.get(place), after.get(place), _ratio(before.get(place), after.get(place))) for place in changed
    ]
    added, removed = sorted(models_after - models_before), sorted(models_before - models_after)
    reworked = _reworked(old, new, {place.model_key for place in changed}) if old and old is not new else []
    return Report(
        command=command,
        totals={
            "added_count": len(added),
            "removed_count": len(removed),
            "changed_count": len({place.model_key for place in changed}),
            "reworked_count": len(reworked),
        },
        tables={
            "changed": Table.of("changed", COLUMNS, rows),
            "added": Table.of("added", ("price_key",), ((key,) for key in added)),
            "removed": Table.of("removed", ("price_key",), ((key,) for key in removed)),
            "reworked": Table.of("reworked", ("price_key",), ((key,) for key in reworked)),
        },
        provenance=dict(sides),
    )


def _prices(book: PriceBook, when: datetime) -> Prices:
    """Every price of a day, those of certain hours or weekdays each under its own."""
    return {
        _Place(rate.model_key, rate.service_tier, rate.input_over_tokens, _hours(rate), unit): price
        for rate in book.rates(book.model_keys())
        if (rate.from_at is None or rate.from_at <= when) and (rate.to_at is None or when < rate.to_at)
        for unit, price in rate.prices.items()
    }


def _hours(rate: Rate) -> str:
    """When in the week a rate holds; empty for always."""
    hours = "" if (rate.minute_from, rate.minute_to) == (0, MINUTES_OF_A_DAY) else hours_text(rate)
    return " ".join(filter(None, [hours, "".join(map(str, rate.weekdays))]))


def _as_parent(place: _Place, prices: Prices) -> bool:
    """Whether a price only repeats its parent unit's, which has a row of its own."""
    parent = PARENTS.get(place.unit)
    return parent is not None and prices.get(place) == prices.get(place._replace(unit=parent))


def _reworked(old: PriceBook, new: PriceBook, changed: set[str]) -> list[str]:
    keys = set(old.model_keys()) & set(new.model_keys()) - changed
    return sorted(key for key in keys if _bare(old, key) != _bare(new, key))


def _bare(book: PriceBook, key: str) -> list[object]:
    return [rate._replace(source="") for rate in book.rates([key])]


def _ratio(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    return (new / old).quantize(Decimal("0.0001")) if old and new is not None else None
