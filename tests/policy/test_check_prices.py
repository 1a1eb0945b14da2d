"""Models and providers that no price list knows are refused wherever a policy names them, without a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy
from costctl.prices.book import load_book

HEAD = "version: 1\ntiers: {A: {models: [gpt-4o-mini, mine]}}\n"
OWN = (
    "self_hosted: [{name: mine, usd_per_hour: 1, tokens_per_s: 1}, {name: self/x, usd_per_hour: 1, tokens_per_s: 1}]\n"
)
OPENAI = "no provider is named 'opnai'; did you mean openai?"
NEAR_4O = "no price for 'gpt-4oo'; did you mean openai/gpt-4o,"


def read(text: str, prices: Path | None = None) -> Policy:
    return parse_policy(HEAD + OWN + text, "p", book=load_book(prices))


def problems(text: str, prices: Path | None = None) -> list[str]:
    with pytest.raises(CostctlError) as error:
        read(text, prices)
    assert error.value.code == "E401"
    return [str(one).removeprefix("p:") for one in error.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limits: {opnai: {requests_per_min: 5}}", f"4:10: limits.opnai: {OPENAI}"),
        ("limits: {wwww: {requests_per_min: 5}}",
         "4:10: limits.wwww: no provider is named 'wwww'; a provider is what stands before the / of its models"),
        ("scenarios: {outage: {provider: opnai, from: '2026-03-05T14:00Z', for: 45m}}",
         f"4:22: scenarios.outage.provider: {OPENAI}"),
        ("cache: {prompt: {providers: [openai, opnai]}}", f"4:38: cache.prompt.providers[1]: {OPENAI}"),
        ("cache: {prompt: {opt_in: [opnai]}}", f"4:27: cache.prompt.opt_in[0]: {OPENAI}"),
        ("assume: {output_tokens_ratio: {gpt-4oo: 2}}", f"4:32: assume.output_tokens_ratio.gpt-4oo: {NEAR_4O}"),
        ("assume: {input_tokens_ratio: {gpt-4oo: 2}}", f"4:31: assume.input_tokens_ratio.gpt-4oo: {NEAR_4O}"),
        ("assume: {output_tokens_per_s: {gpt-4oo: 2}}", f"4:32: assume.output_tokens_per_s.gpt-4oo: {NEAR_4O}"),
        ("assume: {first_token_ms: {gpt-4oo: 2}}", f"4:27: assume.first_token_ms.gpt-4oo: {NEAR_4O}"),
        ("scenarios: {price_ratio: {gpt-4oo: 2}}", f"4:27: scenarios.price_ratio.gpt-4oo: {NEAR_4O}"),
        ("scenarios: {price_ratio: {self/x: 2}}",
         "4:27: scenarios.price_ratio.self/x: an engine of one's own has no price per token; its price is usd_"),
        ("scenarios: {price_ratio: {gpt-4o: 2, openai/gpt-4o: 3}}",
         "4:38: scenarios.price_ratio.openai/gpt-4o: it is openai/gpt-4o, which scenarios.price_ratio.gpt-4o names"),
        ("assume: {output_tokens_ratio: {gpt-4o: 2, openai/gpt-4o: 3}}",
         "4:43: assume.output_tokens_ratio.openai/gpt-4o: it is openai/gpt-4o, which assume.output"),
    ],
)  # fmt: skip
def test_a_name_that_prices_do_not_know_is_refused(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(expected)


def test_all_are_told_at_once_with_what_else_is_wrong() -> None:
    text = "limits: {opnai: {requests_per_min: 0}}\nassume: {first_token_ms: {gpt-4oo: 1}}\nrouting: {default: Z}\n"
    assert [one.split(": ")[1] for one in problems(text)] == [
        "limits.opnai", "limits.opnai.requests_per_min", "assume.first_token_ms.gpt-4oo", "routing.default",
    ]  # fmt: skip


def test_names_that_are_known_are_read(tmp_path: Path) -> None:
    """Providers of the list, of engines of one's own and of own rates; models by any of their names."""
    read(
        "limits: {openai: {requests_per_min: 5}, self: {requests_per_min: 5}}\n"
        "cache: {prompt: {providers: [openai], opt_in: [anthropic]}}\n"
        "assume: {output_tokens_ratio: {gpt-4o: 2, openai/gpt-4o-mini: 1, mine: 1, self/x: 2}}\n"
        "scenarios: {price_ratio: {gpt-4o: 2}, outage: {provider: aws, from: '2026-03-05T14:00Z', for: 45m}}\n"
    )
    rates = tmp_path / "rates.yaml"
    rates.write_text("models: {acme-1: {input: 1, output: 2}}\n", "utf-8")
    text = "scenarios: {price_ratio: {acme-1: 2}}\nlimits: {own: {requests_per_min: 5}}\n"
    read(text, rates)
    assert [one.partition(":")[0] for one in problems(text)] == ["4", "5"]
