"""Whether a text is an expression of CEL: operators, calls, members, indices, lists and literals.

Macros are calls to it, and types are not checked. Names that no variable has are told.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from costctl.policy.keys import unknown

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}]))"""
)
_BINARY = ({"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}, {"*", "/", "%"})
_LITERALS = {"true", "false", "null"}


class _BrokenError(Exception):
    """What is wrong, for people."""


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def faults_of(expression: str, variables: Collection[str]) -> list[str]:
    """Why the expression does not parse, or which names in it are no variables.

    >>> faults_of('headers["x"] == "a" && budget_used > 95', {"headers", "budget_used"})
    []
    >>> faults_of("budget_usd > 95", {"headers", "budget_used"})
    ['budget_usd: unknown variable, did you mean budget_used?']
    """
    try:
        parser = _Parser(_tokens(expression))
        parser.expression()
        parser.end()
    except _BrokenError as error:
        return [f"not an expression: {error}"]
    names = dict.fromkeys(name for name in parser.names if name not in variables)
    return [f"{name}: {unknown(name, sorted(variables), 'variable')}" for name in names]


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            blanks = len(text[at:]) - len(text[at:].lstrip())
            raise _BrokenError(f"character {at + blanks + 1} does not belong there")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "the end", len(text))]


class _Parser:
    """Reads tokens by falling precedence; `names` are the variables that it met."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self.names: list[str] = []

    def expression(self) -> None:
        """A condition with its two outcomes, or what stands below that."""
        self._binary(0)
        if self._take("?"):
            self._binary(0)
            self._need(":")
            self.expression()

    def end(self) -> None:
        """Nothing follows."""
        self._refuse("end")

    def _binary(self, level: int) -> None:
        if level == len(_BINARY):
            self._unary()
            return
        self._binary(level + 1)
        while self._now.kind in {"sign", "name"} and self._now.text in _BINARY[level]:
            self._at += 1
            self._binary(level + 1)

    def _unary(self) -> None:
        while self._take("!") or self._take("-"):
            pass
        self._primary()
        while True:
            if self._take("."):
                self._refuse("name")
            elif self._take("["):
                self.expression()
                self._need("]")
            elif self._take("("):
                self._list(")")
            else:
                return

    def _primary(self) -> None:
        token = self._now
        if self._take("("):
            self.expression()
            self._need(")")
        elif self._take("["):
            self._list("]")
        elif token.kind in {"number", "text"}:
            self._at += 1
        elif token.kind == "name" and token.text != "in":
            self._at += 1
            if token.text not in _LITERALS and self._now.text != "(":
                self.names.append(token.text)
        else:
            raise _BrokenError(f"{token.text} at character {token.at + 1} where a value should be")

    def _list(self, closing: str) -> None:
        if self._take(closing):
            return
        self.expression()
        while self._take(","):
            self.expression()
        self._need(closing)

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, sign: str) -> bool:
        is_it = self._now.kind == "sign" and self._now.text == sign
        self._at += is_it
        return is_it

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise _BrokenError(f"{self._now.text} at character {self._now.at + 1} where {sign} should be")

    def _refuse(self, kind: str) -> None:
        """Take a token of this kind, and refuse every other."""
        if self._now.kind != kind:
            wanted = "the end" if kind == "end" else f"a {kind}"
            raise _BrokenError(f"{self._now.text} at character {self._now.at + 1} where {wanted} should be")
        self._at += 1
