"""The user's own rates: a small YAML file, read strictly, all its faults told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path

import yaml

from costctl.errors import CostctlError, Problem
from costctl.money import PRICE_QUANTUM
from costctl.prices.rates import FEE_UNITS, TOKEN_UNITS

KEYS = ("fx", "models", "discounts", "failed")
MODEL_KEYS = (*TOKEN_UNITS, *FEE_UNITS, "currency")
FAILED = ("unbilled", "input_only", "as_logged")
# USD per million tokens: a thousand times the dearest list price, so above it is a slip of units.
LARGEST_PRICE = Decimal(600_000)
UNSUPPORTED = {
    "monthly_tiers": "volume tiers need the whole month's volume, which one log does not show",
    "tiers": "volume tiers need the whole month's volume, which one log does not show",
    "volume_tiers": "volume tiers need the whole month's volume, which one log does not show",
    "credits": "credits are a matter of the invoice; prices here are per token",
}


@dataclass(frozen=True)
class OwnRates:
    """What the user says of prices: USD per million tokens by model, shares off the list, policy.

    `discounts` maps patterns of provider/model to a share (0 to 1) off the list price (`discounts.py`); `failed`
    is one of FAILED. `file` is the name of the file, `places` has line and column of each entry by its dotted key.
    """

    models: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    discounts: dict[str, Decimal] = field(default_factory=dict)
    failed: str = "unbilled"
    file: str = ""
    places: dict[str, tuple[int, int]] = field(default_factory=dict)


def read_own(path: Path) -> OwnRates:
    """The rates of a file; currencies are turned into USD at the fixed rates of `fx`.

    Raises:
        CostctlError: E201 where the file cannot be read or is no YAML mapping, E202 with every
            problem of its content, each with line and column.
    """
    try:
        root = yaml.compose(path.read_text("utf-8"), yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise CostctlError("E201", f"cannot read own rates: {path}", str(error).splitlines()[0]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        fault = Problem(str(path), line, column, "", "not YAML")
        raise CostctlError("E201", f"cannot read own rates: {fault}", problems=(fault,)) from error
    if not isinstance(root, yaml.MappingNode):
        raise CostctlError("E201", f"own rates in {path} are not a mapping", f"keys: {', '.join(KEYS)}")
    reader = _Reader(str(path))
    rates = reader.read(root)
    if reader.problems:
        more = f" and {len(reader.problems) - 1} more" if len(reader.problems) > 1 else ""
        raise CostctlError("E202", f"{reader.problems[0]}{more}", reader.hint, problems=tuple(reader.problems))
    return rates


class _Reader:
    """Walks the parsed file and keeps what is wrong, with its place."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.hint = ""
        self.places: dict[str, tuple[int, int]] = {}

    def read(self, root: yaml.MappingNode) -> OwnRates:
        found = dict(self._pairs(root, "", KEYS))
        fx = self._numbers(found.get("fx"), "fx", self._rate)
        models = {
            name: self._model(node, f"models.{name}", fx)
            for name, _, node in self._section(found.get("models"), "models")
        }
        discounts = self._numbers(found.get("discounts"), "discounts", self._share)
        failed = self._failed(found.get("failed"))
        return OwnRates(models, discounts, failed, Path(self.path).name, self.places)

    def _model(self, node: yaml.Node, where: str, fx: dict[str, Decimal]) -> dict[str, Decimal]:
        before = len(self.problems)
        entries = dict(self._pairs(node, where, MODEL_KEYS))
        factor = self._factor(entries.pop("currency", None), where, fx)
        prices = {unit: self._number(value, f"{where}.{unit}", self._price) for unit, value in entries.items()}
        if len(self.problems) == before and not {"input", "output"} <= prices.keys():
            self._fault(node, where, "needs input and output; 0 says that it is free")
        return {unit: (price * factor).quantize(PRICE_QUANTUM) for unit, price in prices.items() if price is not None}

    def _factor(self, node: yaml.Node | None, where: str, fx: dict[str, Decimal]) -> Decimal:
        currency = str(node.value) if isinstance(node, yaml.ScalarNode) else "USD"
        if currency == "USD":
            return Decimal(1)
        if node is not None and currency not in fx:
            self._fault(node, f"{where}.currency", f"no fixed rate for {currency}; add fx: {{{currency}: ...}}")
        return fx.get(currency, Decimal(1))

    def _failed(self, node: yaml.Node | None) -> str:
        if node is None:
            return FAILED[0]
        if str(node.value) not in FAILED:
            self._fault(node, "failed", f"must be one of {', '.join(FAILED)}")
        return str(node.value)

    def _pairs(self, node: yaml.Node, where: str, known: tuple[str, ...]) -> Iterator[tuple[str, yaml.Node]]:
        for key, key_node, value in self._section(node, where):
            if key in known:
                yield key, value
                continue
            near = get_close_matches(key, known, n=1)
            reason = UNSUPPORTED.get(key) or (f"did you mean {near[0]}?" if near else f"keys: {', '.join(known)}")
            self.hint = self.hint or reason
            self._fault(key_node, f"{where}.{key}".strip("."), f"unknown key; {reason}")

    def _section(self, node: yaml.Node | None, where: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Each key once, with the nodes of key and value."""
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, where, "is not a mapping")
            return
        seen: set[str] = set()
        for key_node, value in node.value:
            key = str(key_node.value)
            if key in seen:
                self._fault(key_node, f"{where}.{key}".strip("."), "stands twice")
                continue
            seen.add(key)
            self.places[f"{where}.{key}".strip(".")] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            yield key, key_node, value

    def _numbers(
        self, node: yaml.Node | None, where: str, check: Callable[[Decimal], str | None]
    ) -> dict[str, Decimal]:
        pairs = [(key, self._number(value, f"{where}.{key}", check)) for key, _, value in self._section(node, where)]
        return {key: number for key, number in pairs if number is not None}

    def _number(self, node: yaml.Node, where: str, check: Callable[[Decimal], str | None]) -> Decimal | None:
        try:
            number = Decimal(str(node.value)) if isinstance(node, yaml.ScalarNode) else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        fault = check(number) if number.is_finite() else "is not a number"
        if fault:
            self._fault(node, where, fault)
            return None
        return number

    def _price(self, number: Decimal) -> str | None:
        if number < 0:
            return "is below 0"
        if number > LARGEST_PRICE:
            return f"is above {LARGEST_PRICE:,} per million"
        return None if number == number.quantize(PRICE_QUANTUM) else "has more than six decimals"

    def _rate(self, number: Decimal) -> str | None:
        return None if 0 < number < 10**6 else "is not a rate of exchange above 0"

    def _share(self, number: Decimal) -> str | None:
        return None if 0 <= number <= 1 else "is not a share from 0 to 1"

    def _fault(self, node: yaml.Node, where: str, message: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(self.path, mark.line + 1, mark.column + 1, where, message))
