"""An embedding that is not installed is refused with its remedy, whatever it asks of its package first."""

from __future__ import annotations

from importlib import metadata

import pytest

from costctl.errors import CostctlError
from costctl.reuse import embed


def test_a_missing_package_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(embed, "_wordllama_folder", lambda: None)
    monkeypatch.setattr(metadata, "version", version)
    embed._wordllama_parts.cache_clear()
    try:
        with pytest.raises(CostctlError, match="the embedding 'wordllama' is not installed") as refused:
            embed.embed(["hello"], "wordllama")
        assert refused.value.hint == "pip install 'costctl[semantic]'"
    finally:
        embed._wordllama_parts.cache_clear()
