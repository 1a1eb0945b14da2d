"""The commands about prices: estimate, models, prices show | lint | diff | update."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.options import Out, Output, Prices
from costctl.cli.output import Form, emit
from costctl.errors import ExitCode

prices_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What does a model cost, and who says so?")


class ServiceTier(StrEnum):
    """Tiers of service that prices know."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    FAST = "fast"


PriceListName = Annotated[
    str, typer.Option("--price-list", help="list, or a published table: 2025-09, 2026-01.", metavar="NAME")
]
At = Annotated[str | None, typer.Option("--at", help="Prices of this day or UTC instant.", metavar="DATE")]


def estimate(
    models: Annotated[list[str] | None, typer.Argument(help="Models to price; none compares those we know.")] = None,
    input_tokens: Annotated[
        str, typer.Option("--input-tokens", "--input", help="Input tokens: 10M, 500k, 1000.")
    ] = "1M",
    output_tokens: Annotated[str, typer.Option("--output-tokens", help="Output tokens.")] = "1M",
    cached: Annotated[
        str, typer.Option("--cached-tokens", "--cached", help="Part of the input read from a prompt cache.")
    ] = "0",
    requests: Annotated[
        str | None, typer.Option("--requests", help="So many requests; the token counts are then those of one.")
    ] = None,
    mix: Annotated[
        list[str] | None, typer.Option("--mix", help="A share on another model: claude-3-haiku=70%. Repeatable.")
    ] = None,
    price_list: PriceListName = "list",
    at: At = None,
    service_tier: Annotated[
        ServiceTier, typer.Option("--service-tier", help="Tier of service to price.")
    ] = ServiceTier.STANDARD,
    prices: Prices = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """What would so many tokens cost on each model?"""
    from costctl.prices import estimate as estimates  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.prices.quantities import parse_at, parse_count, parse_mix  # noqa: PLC0415

    sizes = {
        "input_tokens": parse_count(input_tokens),
        "output_tokens": parse_count(output_tokens),
        "cached_input_tokens": parse_count(cached),
    }
    volume = (
        estimates.Volume(**sizes) if requests is None else estimates.Volume.of_requests(parse_count(requests), **sizes)
    )
    report = estimates.estimate(
        tuple(models or ()),
        volume=volume,
        mix=parse_mix(mix or ()),
        list_name=price_list,
        at=parse_at(at),
        service_tier=service_tier,
        book=load_book(prices) if prices else None,
    )
    emit(report, output, out)
    if (models or mix) and report.totals["unpriced_count"]:  # a model that was asked about has no price
        raise typer.Exit(ExitCode.COVERAGE)


def models(
    search: Annotated[str, typer.Argument(help="Part of a name, label or use.")] = "",
    provider: Annotated[str, typer.Option("--provider", help="Only this provider.")] = "",
    context: Annotated[str | None, typer.Option("--min-context", help="At least this context window: 128k.")] = None,
    max_input: Annotated[
        str | None, typer.Option("--max-input-price", help="At most this price, USD per million input tokens.")
    ] = None,
    at: At = None,
    price_list: PriceListName = "list",
    every: Annotated[bool, typer.Option("--all", help="Also models of which only prices are known.")] = False,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Which model fits, by price, context and quality?"""
    from costctl.prices.models import models as run_models  # noqa: PLC0415
    from costctl.prices.quantities import parse_at, parse_count, parse_price  # noqa: PLC0415

    if price_list != "list":
        from costctl.prices.published import published_report  # noqa: PLC0415

        emit(published_report(price_list), output, out)
        return
    report = run_models(
        search=search,
        provider=provider,
        min_context_tokens=parse_count(context) if context else None,
        max_input_usd_per_million=parse_price(max_input) if max_input else None,
        at=parse_at(at),
        every=every,
    )
    emit(report, output, out)


@prices_app.command()
def show(
    names: Annotated[list[str], typer.Argument(help="Model names as a log spells them.")],
    prices: Prices = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """What does this model cost, since when, in which tier, and how was its name understood?"""
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.prices.show import show as run_show  # noqa: PLC0415

    emit(run_show(names, load_book(prices)), output, out)


@prices_app.command()
def lint(
    path: Annotated[Path | None, typer.Argument(help="A file of own rates; none checks the shipped prices.")] = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Are these prices sound? Overlaps, missing sources, stale checks, odd amounts."""
    from costctl.prices.lint import lint as run_lint  # noqa: PLC0415
    from costctl.prices.place import pricing_folder  # noqa: PLC0415

    report = run_lint(path or pricing_folder())
    emit(report, output, out)
    if report.totals["error_count"]:
        raise typer.Exit(ExitCode.USAGE)


@prices_app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A day (2026-01-31) or a folder of prices.")],
    after: Annotated[str | None, typer.Argument(help="A day or a folder; none is the shipped prices.")] = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Which prices changed between two days, or between two sets of price files?"""
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.prices.diff import diff_dates, diff_folders  # noqa: PLC0415
    from costctl.prices.place import pricing_folder  # noqa: PLC0415
    from costctl.prices.quantities import parse_at  # noqa: PLC0415

    if Path(before).is_dir():
        emit(diff_folders(Path(before), Path(after) if after else pricing_folder()), output, out)
        return
    book = load_book()
    old, new = parse_at(before), parse_at(after or book.dated.isoformat())
    assert old is not None, "parse_at answers None only for None"
    assert new is not None, "parse_at answers None only for None"
    emit(diff_dates(book, old, new), output, out)


@prices_app.command()
def update(
    target: Annotated[Path, typer.Option("--folder", help="The folder that holds base/.")] = Path("pricing"),
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Write the base prices anew from the installed genai-prices package, and say what changed."""
    from costctl.prices.diff import updated  # noqa: PLC0415

    emit(updated(target), output, out)
