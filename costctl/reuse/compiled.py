"""Kernels as machine code, where numba is installed."""

from __future__ import annotations

import sys
from functools import cache
from importlib import util
from types import FunctionType, ModuleType
from typing import Any


@cache
def compiled_copy(module: ModuleType) -> ModuleType | None:
    """A copy of a kernel module whose functions are machine code, kept on disk between runs; None without numba.

    The copy shares the classes of the module, so that tuples made for one engine have the types of the other.
    """
    if util.find_spec("numba") is None:
        return None
    import numba  # noqa: PLC0415  (0.3 s)

    name = f"{module.__name__}_compiled"
    assert module.__file__ is not None
    spec = util.spec_from_file_location(name, module.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = util.module_from_spec(spec)
    sys.modules[name] = copy
    spec.loader.exec_module(copy)
    for one, value in list(vars(copy).items()):
        if isinstance(value, type) and value.__module__ == name:
            setattr(copy, one, getattr(module, one))
        elif isinstance(value, FunctionType) and value.__module__ == name:
            setattr(copy, one, numba.njit(cache=True, nogil=True)(value))
        elif isinstance(value, FunctionType):  # of another kernel, which is then machine code as well
            setattr(copy, one, getattr(compiled_copy(sys.modules[value.__module__]), one))
    return copy


def warm() -> None:
    """Import numba and let it load what its first function needs; both take long and nothing of it is lost."""
    if util.find_spec("numba") is not None:
        import numba  # noqa: PLC0415  (0.2 s)

        first: Any = numba.njit(_nothing)
        first()


def _nothing() -> int:
    return 0
