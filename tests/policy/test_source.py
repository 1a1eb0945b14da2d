"""Strict YAML: what is read, and what is refused where."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from costctl.errors import CostctlError
from costctl.policy.load import load_policy
from costctl.policy.source import QUICK, Source, _read, _UnreadableError, key_of, read_source
from tests.policy.example import problems, refused


def value(text: str) -> object:
    """What one plain scalar is read as."""
    source = read_source(f"a: {text}", "x")
    assert source.problems == []
    return source.values["a"]


@pytest.mark.parametrize(
    "text",
    [
        "no", "yes", "on", "off", "True", "FALSE", "y", "1_000", "010", "0o17", "0x1F", "12:30", "1:30:00",
        "2026-03-05", "2026-03-05T14:00Z", ".inf", ".nan", "1.", "1e", "+", "8k", "45%", "Null", "NULL", "=",
        "1" * 19, "1e100",
    ],
)  # fmt: skip
def test_only_what_yaml_1_2_calls_a_value_is_one_and_the_rest_is_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("false", False), ("0", 0), ("-7", -7), ("+7", 7), ("120", 120), ("'120'", "120"),
     ('"true"', "true"),
     ("''", ""), ("[]", ()), ("{}", {}), ("[1, [x]]", (1, ("x",)))],
)  # fmt: skip
def test_values_of_each_kind(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("text", "expected"), [("0.1", "0.1"), ("-2.50", "-2.50"), (".5", "0.5"), ("1e-3", "0.001")])
def test_a_decimal_is_the_text_of_the_file_never_a_float(text: str, expected: str) -> None:
    found = value(text)
    assert isinstance(found, Decimal)
    assert str(found) == expected


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert list(read_source("1: a\ntrue: b\nno: c\n", "x").values) == ["1", "true", "no"]


def test_every_value_has_its_mark() -> None:
    marks = read_source("a: {b: [x, y]}\nc:\n  - d: 1\n", "x").marks
    assert marks == {
        (): (1, 1), ("a",): (1, 1), ("a", "b"): (1, 5), ("a", "b", 0): (1, 9), ("a", "b", 1): (1, 12),
        ("c",): (2, 1), ("c", 0): (3, 5), ("c", 0, "d"): (3, 5),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: !!str x", "2:7: name: tags (!) are not read; write the plain value"),
        ("name: !python/object:os.system x", "2:7: name: tags (!) are not read; write the plain value"),
        ("name: &n x", "2:7: name: anchors (&n) are not read; write the value where it is used"),
        ("tiers: &t {A: {models: [m]}}", "2:8: tiers: anchors (&t) are not read; write the value where it is used"),
        ("name: *n", "2:7: name: aliases (*n) are not read; write the value again"),
        ("name: x\nname: y", "3:1: name: stands twice; one of the two would be lost"),
        ("routing: {sticky: user, sticky: session}",
         "2:25: routing.sticky: stands twice; one of the two would be lost"),
        ("routing: {<<: {sticky: user}}",
         "2:11: routing.<<: merge keys are not read; write the keys where they are used"),
        ("name:", "2:1: name: has no value; write one, or take the key out"),
        ("name: null", "2:1: name: has no value; write one, or take the key out"),
        ("gates: [~]", "2:9: gates[0]: has no value; write one, or take the key out"),
        ("? [a, b]\n: c", "2:3: a key must be a text"),
        ("? {a: b}\n: [c, {d: e}]", "2:3: a key must be a text"),
        ("*a : c", "2:1: a key must be a text"),
        ("&a name: c", "2:1: name: anchors and tags are not read"),
        ("---\nname: x", "2:1: a second document; a policy is one"),
        ('name: "\\uD800"', "2:7: name: holds half a character"),
        ('"\\uD800": 1', "2:1: a key holds half a character"),
    ],
)  # fmt: skip
def test_what_strict_yaml_refuses_has_its_place(text: str, expected: str) -> None:
    error = refused(f"version: 1\n{text}\n")
    assert error.code == "E401"
    assert [str(problem) for problem in error.problems] == [f"policy.yaml:{expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "policy.yaml:1:1: holds nothing"),
        ("# nothing\n", "policy.yaml:1:1: holds nothing"),
        ("- a\n", "policy.yaml:1:1: is not a mapping of keys"),
        ("just words", "policy.yaml:1:1: is not a mapping of keys"),
        ("*a", "policy.yaml:1:1: is not a mapping of keys"),
        ("a: [1, 2", "policy.yaml:1:9: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: b: c", "policy.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("a: 1\n\tb: 2", "policy.yaml:2:1: not YAML: found character '\\t' that cannot start any token"),
        ("a: 1\nb: x\x07y", "policy.yaml:2:5: not YAML: holds a character that may not stand in a text file"),
        ('a: "\\U00110000"', "policy.yaml:1:1: not YAML: an escaped character or a version number is out of range"),
        ('a: "\\UFFFFFFFF"', "policy.yaml:1:1: not YAML: an escaped character or a version number is out of range"),
        ("a: " + "[" * 40, "policy.yaml:1:35: nested deeper than 32 levels"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_mapping_at_all_is_e400(text: str, expected: str) -> None:
    error = refused(text)
    assert error.code == "E400"
    assert error.message == f"cannot read the policy: {expected}"
    assert error.hint == "a policy is a YAML mapping that begins with `version: 1`"
    assert [str(problem) for problem in error.problems] == [expected]


def test_faults_before_broken_yaml_are_told_too() -> None:
    error = refused("a: &x 1\nb: *x\nc: [")
    assert error.code == "E400"
    assert [problem.line for problem in error.problems] == [1, 2, 3]
    assert error.message.startswith("cannot read the policy: policy.yaml:3:5: not YAML")


def test_what_cannot_be_read_is_told_once() -> None:
    """An alias has no value, so nobody says that the value is no list."""
    assert problems("version: 1\ntiers: {A: {models: *m}}") == [
        "2:21: tiers.A.models: aliases (*m) are not read; write the value again"
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path
    (folder / "latin.yaml").write_bytes(b"version: 1\nname: caf\xe9\n")
    for path, ending in (
        (folder / "none.yaml", "none.yaml: No such file or directory"),
        (folder, ": Is a directory"),
        (folder / "latin.yaml", "latin.yaml:2: is not UTF-8 text"),
    ):
        with pytest.raises(CostctlError) as caught:
            load_policy(path)
        assert caught.value.code == "E400"
        assert caught.value.message.endswith(ending)


def test_a_file_may_begin_with_a_byte_order_mark_and_end_lines_as_windows_does(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\r\nname: caf\xc3\xa9\r\n")
    assert load_policy(path).name == "café"


def test_a_place_as_people_write_it() -> None:
    assert key_of(()) == ""
    assert key_of(("a", 0, "b", 1)) == "a[0].b[1]"


PIECES = (
    "version: 1\n", 'a: {"ñ😀": 1, foo: 2}\n', "b:\n  - x: \"é\"\n    y: 'z'\n", "c: |\n  text\n  más\n", "# ñ 😀\n",
    "d: [1, 2, {e: 3}]\r\n", "f: >-\n  a\n  b\n", '"g h": ~\n', "i: 1e3 # x\n", "k: {a: 1,b: 2}\n", 'l: [a:b, "c":d]\n',
    "? m\n: n\n", "o: !t x\n", "p: &q r\n", "s: *q\n", "---\n", "t: {u, v}\n", "x: 'it''s'\n", "v: -\n", "n: [\n",
    'w: "\\ud83d"\n',
)  # fmt: skip


@given(some.lists(some.sampled_from(PIECES), min_size=1, max_size=5))
def test_the_quick_parser_reads_what_the_plain_one_reads(pieces: list[str]) -> None:
    """Values, places and problems; what either refuses is told by the plain one."""
    text = "".join(pieces)
    said: list[Any] = []
    for loader in (yaml.SafeLoader, QUICK):
        try:
            found = _read(Source("p"), text, loader)
        except (yaml.YAMLError, _UnreadableError):
            said.append(None)
        else:
            said.append((found.values, found.marks, found.problems, found.broken))
    assert said[1] in (None, said[0])


def test_a_fault_is_told_in_the_words_of_the_plain_parser() -> None:
    with pytest.raises(CostctlError, match="not YAML: mapping values are not allowed here") as raised:
        read_source("version: 1\na: b: c\n", "policy.yaml")
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (2, 5)
