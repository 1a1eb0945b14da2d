"""Tests of products that are not installed, or that nothing here runs, are not collected; others bear a mark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.products.installing import can_run, is_installed, products, tests_of

collect_ignore = [tests_of(name).name for name in products() if not (is_installed(name) and can_run(name))]
_HERE = Path(__file__).parent
_PRODUCTS = {tests_of(name).name for name in products()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == _HERE and item.path.name in _PRODUCTS:
            item.add_marker("products")
