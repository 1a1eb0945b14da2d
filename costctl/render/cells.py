"""The one sanitiser and the one formatter between data and people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, cast

from costctl.money import points_display, price_display, ratio_display, tokens_display, usd_display, usd_text
from costctl.report import Value, unit_of

# Control characters, C1, bidirectional marks, zero-width characters and surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# JSON text needs its own line ends, and escapes the other control characters by itself.
_UNSAFE_IN_JSON = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", ""))


JSON_INTEGER_MAX = 2**53
WORDS_MAX = 1200  # of a warning or its remedy: long enough for what we write, and a name of a log's fills no screen
# Marks in the names of columns whose dollars are of one request, for which cents are too coarse.
OF_ONE = ("per_request", "paired", "request_cost_usd")


def safe(text: str, width: int = 200) -> str:
    r"""Text that no terminal, page or workflow takes as anything but text.

    >>> safe("a\x1b[31mb"), safe("x" * 9, width=5)
    ('a\\x1b[31mb', 'xx…xx')
    """
    shown = escaped(text[:2000])
    if len(shown) <= width:
        return shown
    keep = max(width - 1, 1)
    return shown[: (keep + 1) // 2] + "…" + (shown[-(keep // 2) :] if keep // 2 else "")


def escaped(text: str) -> str:
    """The text with each character that acts instead of showing written out."""
    return _UNSAFE.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def escaped_json(text: str) -> str:
    """JSON text with the same characters as JSON escapes, which changes no value."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def defused(value: object) -> object:
    """Text that a spreadsheet would take as a formula, quoted; amounts are left alone."""
    if (
        isinstance(value, str)
        and value[:1] in {"=", "+", "-", "@", "\t", "\r"}
        and not value[1:].replace(".", "", 1).isdigit()
    ):
        return "'" + escaped(value)
    return escaped(value) if isinstance(value, str) else value


def workflow_data(text: str) -> str:
    r"""Text as the message of a workflow command, which ends with its line.

    >>> workflow_data("50 %, a: b\n::error::c")
    '50 %25, a: b%0A::error::c'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """Text as a property of a workflow command, which ends with a comma or colons.

    >>> workflow_property("a,b::c")
    'a%2Cb%3A%3Ac'
    """
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")


def cell(value: Value, column: str, width: int = 200) -> str:
    """A value for people, by the unit in its column's name."""
    unit = unit_of(column)
    if value is None:
        return "—"
    if isinstance(value, float | Decimal) and not isfinite(value):
        return str(value)
    if "_per_million" in column and isinstance(value, Decimal):
        return price_display(value)
    if unit == "usd" and isinstance(value, Decimal | int | float):
        is_small = any(mark in column for mark in OF_ONE)
        return usd_display(Decimal(str(value)), digits=6 if is_small else 2)
    if unit == "ratio" and isinstance(value, int | float | Decimal):
        return points_display(value) if "change" in column.split("_") else ratio_display(value)
    if unit == "tokens" and isinstance(value, int):
        return tokens_display(value)
    if unit == "tokens" and isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if unit == "ms" and isinstance(value, int | float | Decimal):
        ms = float(value)
        return f"{ms / 1000:.2f} s" if abs(ms) >= 1000 else f"{ms:.0f} ms"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if column in PLACES:
        return str(value)  # as an editor or `sed -n` wants it
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return usd_text(value)  # a cost in another currency, or what a SELECT makes of money: never 0E-12
    return safe(str(value), width)


# Tables and commands whose dollars are of one request.
OF_ONE_REQUEST = frozenset({"steps", "explain-request"})


def of_one_request(shown_in: str, name: str) -> str:
    """The name by which a value is shown in full: dollars of one request are too small for cents.

    >>> of_one_request("steps", "cost_usd"), of_one_request("by_model", "cost_usd")
    ('per_request_cost_usd', 'cost_usd')
    """
    return f"per_request_{name}" if shown_in in OF_ONE_REQUEST else name


PLACES = frozenset({"source_line", "byte_offset"})
FIGURE_COLUMNS = frozenset({"base", "now", "change", "change_low", "change_high"})


def unit_name(row: Mapping[str, Value], column: str) -> str:
    """The name that carries a value's unit: its column's, or in a table of figures that of the row's figure.

    A difference of two figures says so at the end of its name.

    >>> unit_name({"metric": "saving_usd", "base": None}, "base")
    'saving_usd'
    >>> unit_name({"metric": "saving_ratio", "change": None}, "change")
    'saving_ratio_change'
    """
    if row.get("as") == "difference":
        return f"{column}_change"
    if column not in FIGURE_COLUMNS or "metric" not in row:
        return column
    return f"{row['metric']}{'_change' if column.startswith('change') else ''}"


def plain(value: Value, column: str) -> Any:
    """A value for machines: money and latencies as text, times ISO 8601 UTC; what is no number is null, as in JSON.

    A SELECT of the user's gives values of other types, too: lists and structs of such, else their text.
    """
    unit = unit_of(column)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, float | Decimal) and not isfinite(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if unit == "usd":
        return usd_text(Decimal(str(value)))
    if unit == "ms":
        return f"{Decimal(str(value)):.1f}"
    if unit == "ratio":
        return float(value) if isinstance(value, Decimal) else value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int) and abs(value) > JSON_INTEGER_MAX:
        return str(value)  # a reader that holds numbers as doubles would change it
    return value if isinstance(value, int | float) else _plain_other(value, column)


def _plain_other(value: object, column: str) -> Any:
    if isinstance(value, list | tuple):
        return [plain(cast("Value", one), column) for one in value]
    if isinstance(value, dict):
        return {str(name): plain(one, str(name)) for name, one in value.items()}
    return value.isoformat() if isinstance(value, date | time) else str(value)
