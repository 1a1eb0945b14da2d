"""Where the price files are."""

from __future__ import annotations

from pathlib import Path


def pricing_folder() -> Path:
    """The price files: beside the package in a wheel, at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "_pricing"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "pricing"
