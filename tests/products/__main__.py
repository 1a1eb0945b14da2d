"""Install the products and try the exports against them: `python -m tests.products [--quick] [NAME ...]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from tests import ROOT
from tests.products.installing import QUICK, can_run, install, is_installed, products, tests_of


def main() -> int:
    """Without names all products, with `--quick` those of every change; the exit code is that of pytest."""
    parser = argparse.ArgumentParser(prog="python -m tests.products", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(products())}")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument("--install-only", action="store_true", help="install, and run no test")
    given = parser.parse_args()
    names = given.names or (QUICK if given.quick else products())
    wrong = [name for name in names if name not in products()]
    if wrong:
        parser.error(f"no product is called {', '.join(wrong)}; there are {', '.join(products())}")
    for name in names:
        if not can_run(name):
            print(f"{name}: left out, as there is no node and npm here", flush=True)
            # Whoever names a product wants it tried; a change is not held up by what the machine lacks.
            if given.names:
                return 1
    names = [name for name in names if can_run(name)]
    for name in names:
        if not is_installed(name):
            begun = time.monotonic()
            install(name)
            print(f"{name}: installed in {time.monotonic() - begun:.0f} s", flush=True)
    if given.install_only:
        return 0
    command = [sys.executable, "-m", "pytest", "-m", "products", "--durations=5", *map(str, map(tests_of, names))]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
