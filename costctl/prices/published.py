"""Tables and claims that others published: data to hold beside ours, never our list prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from costctl.errors import CostctlError
from costctl.prices.book import read_yaml
from costctl.prices.names import plain_name
from costctl.prices.place import pricing_folder
from costctl.report import Report, Table, Warning

STANDINGS = ("list", "former_list", "other_model", "unverified")


@dataclass(frozen=True)
class PublishedPrice:
    """One row of a published table; prices are USD per million tokens.

    `standing` is one of STANDINGS and says what the row was in the month of the table; `note`
    says why. Unknown facts are None or empty.
    """

    id: str
    name: str
    provider: str
    input_usd_per_million: Decimal
    output_usd_per_million: Decimal
    context_tokens: int | None
    speed_tokens_per_s: int | None
    best_use: str
    standing: str
    note: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class PublishedTable:
    """A dated price table as it circulated."""

    name: str
    published_on: date
    source: str
    rows: tuple[PublishedPrice, ...]

    def find(self, model: str) -> PublishedPrice | None:
        """The row whose id, name or alias is this model, whatever its case and punctuation."""
        wanted = plain_name(model)
        for row in self.rows:
            if wanted in {plain_name(name) for name in (row.id, row.name, *row.aliases)}:
                return row
        return None

    def near(self, model: str) -> list[str]:
        """Ids of rows that look like the given name, at most three."""
        ids = {plain_name(name): row.id for row in self.rows for name in (row.id, *row.aliases)}
        found = get_close_matches(plain_name(model), ids, n=6, cutoff=0.5)
        return list(dict.fromkeys(ids[name] for name in found))[:3]


@dataclass(frozen=True)
class Claim:
    """A published figure that nobody measured on the user's log; `low` and `high` are ratios."""

    id: str
    subject: str
    says: str
    low_ratio: Decimal
    high_ratio: Decimal
    who: str
    url: str
    note: str


def published_names() -> tuple[str, ...]:
    """The names that `load_published` takes, oldest first."""
    return tuple(sorted(path.stem for path in (pricing_folder() / "published").glob("*.yaml")))


def load_published(name: str) -> PublishedTable:
    """The published table of that month.

    Raises:
        CostctlError: E211 where there is no such table.
    """
    names = published_names()
    if name not in names:
        raise CostctlError(
            "E211",
            f"no price list is named {name!r}",
            f"use one of: list, {', '.join(names)}",
        )
    content = read_data(f"published/{name}.yaml")
    assert content["name"] == name, f"published/{name}.yaml names itself {content['name']}"
    rows = tuple(_published_price(row) for row in content["rows"])
    return PublishedTable(name, content["published_on"], content["source"], rows)


def load_claims() -> tuple[Claim, ...]:
    """All claims of `pricing/claims.yaml`, in their order."""
    return tuple(
        Claim(
            id=entry["id"],
            subject=entry["subject"],
            says=entry["says"],
            low_ratio=exact(entry["low"]),
            high_ratio=exact(entry["high"]),
            who=entry["who"],
            url=entry.get("url", ""),
            note=entry["note"],
        )
        for entry in read_data("claims.yaml")["claims"]
    )


def read_data(name: str) -> Any:
    """One of our own YAML files in `pricing/`, parsed."""
    return read_yaml(pricing_folder() / name)


def exact(value: object) -> Decimal:
    """A number of our data files as Decimal; they quote it, since YAML would read a float."""
    assert isinstance(value, str), f"not quoted: {value!r}"
    return Decimal(value)


def _published_price(row: dict[str, Any]) -> PublishedPrice:
    assert row["standing"] in STANDINGS, row["standing"]
    return PublishedPrice(
        id=row["id"],
        name=row["name"],
        provider=row["provider"],
        input_usd_per_million=exact(row["input"]),
        output_usd_per_million=exact(row["output"]),
        context_tokens=row.get("context_tokens"),
        speed_tokens_per_s=row.get("speed_tokens_per_s"),
        best_use=row.get("best_use", ""),
        standing=row["standing"],
        note=row.get("note", ""),
        aliases=tuple(row["aliases"]),
    )


PUBLISHED_COLUMNS = (
    "model", "provider", "input_usd_per_million", "output_usd_per_million", "context_tokens", "speed_tokens_per_s",
    "best_use", "standing", "note",
)  # fmt: skip


def published_report(name: str) -> Report:
    """A published table as it circulated: its rows, its date and source, and what each price was.

    Raises:
        CostctlError: E211 where there is no such table.
    """
    table = load_published(name)
    rows = (
        (
            row.name, row.provider, row.input_usd_per_million, row.output_usd_per_million, row.context_tokens,
            row.speed_tokens_per_s, row.best_use, row.standing.replace("_", " "), row.note,
        )
        for row in table.rows
    )  # fmt: skip
    said = Warning("W213", f"published {table.published_on.isoformat()}: {table.source}", "the list: costctl models")
    return Report(
        "models",
        {"model_count": len(table.rows)},
        {"models": Table.of("models", PUBLISHED_COLUMNS, rows)},
        (said,),
        {"price_list": table.name, "published_on": table.published_on.isoformat(), "source": table.source},
    )
