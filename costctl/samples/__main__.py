"""`python -m costctl.samples DIR`: make the sample logs again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from costctl.errors import CostctlError
from costctl.samples.story_log import REQUESTS_IN_REPO
from costctl.samples.write import SEED, write_samples


def main(arguments: list[str] | None = None) -> int:
    """Write the samples and name the files; the exit code says whether that worked."""
    parser = argparse.ArgumentParser(prog="python -m costctl.samples", description="Write the sample logs.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--requests", type=int, default=REQUESTS_IN_REPO, help="size of the story")
    given = parser.parse_args(arguments)
    try:
        written = write_samples(given.folder, given.seed, given.requests)
    except CostctlError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return int(error.exit_code)
    sys.stdout.writelines(f"{path}\n" for path in written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
