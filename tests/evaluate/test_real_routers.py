"""On public answers of two models: better than length on unseen domains, and promises that hold."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_limits

from costctl.evaluate.curve import quality
from costctl.evaluate.judge import beside, crossed_parts, group_folds_of
from tests.benchmarks.learned import broken_promises, gsm8k, mmlu
from tests.support import needs_shared

pytestmark = [needs_shared, pytest.mark.shared]


def test_on_unseen_domains_it_is_well_above_length() -> None:
    labels = mmlu()
    assert labels.groups is not None
    with threadpool_limits(1):
        parts = crossed_parts(labels.sample, group_folds_of(labels.groups, 3))
    found = quality(parts[:, 0], labels.sample.cheap, labels.sample.dear)
    length = next(one.quality for one in beside(labels.sample, "", 3) if one.router == "length alone")
    assert found is not None
    assert length is not None
    assert found.apgr >= length.apgr + 0.03


def test_promises_hold_in_domain() -> None:
    """Of 200 resamples 28 may break; a tenth of them is drawn here, all of them in the benchmark."""
    with threadpool_limits(1):
        found = broken_promises(gsm8k(), 400, 20)
    for broken, kept, _, _ in found.values():
        assert broken <= 5
        assert kept >= 10
