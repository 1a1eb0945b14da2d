"""Write the comment of a pull request, where the token may; needs Python alone.

Usage: comment.py FILE update|new|hide-and-new NUMBER, with TOKEN, GITHUB_REPOSITORY and GITHUB_API_URL of the runner.
A comment of an earlier run is found by the hidden marker with which the file begins. A token that may only read, as on
pull requests from forks, is no fault: the summary of the job says the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

PER_PAGE, PAGES_MAX = 100, 30
TIMEOUT_S = 30
MODES = ("update", "new", "hide-and-new")
MAY_NOT = (401, 403, 404)
HIDE = "mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { clientMutationId } }"


def ask(method: str, url: str, sent: object = None) -> Any:
    """One request to the API, and what it answers."""
    head = {
        "Authorization": f"Bearer {os.environ['TOKEN']}", "Accept": "application/vnd.github+json",
        "Content-Type": "application/json",
    }  # fmt: skip
    data = None if sent is None else json.dumps(sent).encode()
    with urlopen(Request(url, data, head, method=method), timeout=TIMEOUT_S) as answer:  # noqa: S310  (the runner's own)
        return json.load(answer)


def earlier(comments: str, marker: str) -> Iterator[dict[str, Any]]:
    """The comments that begin with the marker."""
    for page in range(1, PAGES_MAX + 1):
        found = ask("GET", f"{comments}?per_page={PER_PAGE}&page={page}")
        yield from (one for one in found if str(one.get("body", "")).startswith(marker))
        if len(found) < PER_PAGE:
            return


def write(text: str, mode: str, number: str) -> str:
    """Write the text as a comment; says what was done."""
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    issues = f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/issues"
    comments = f"{issues}/{int(number)}/comments"
    marker = text.split("\n", 1)[0]
    found = [] if mode == "new" else list(earlier(comments, marker))
    if mode == "update" and found:
        ask("PATCH", f"{issues}/comments/{int(found[-1]['id'])}", {"body": text})
        return "updated the comment"
    for one in found:
        ask("POST", os.environ.get("GITHUB_GRAPHQL_URL", f"{api}/graphql"),
            {"query": HIDE, "variables": {"id": one["node_id"]}})  # fmt: skip
    ask("POST", comments, {"body": text})
    return "wrote a comment"


def main(file: str, mode: str, number: str) -> int:
    """Write it; 0 also where the token may not, 2 for a mode that there is not."""
    if mode not in MODES:
        sys.stdout.write(f"::error::comment: must be off or one of {', '.join(MODES)}\n")
        return 2
    try:
        said = write(Path(file).read_text("utf-8"), mode, number)
    except HTTPError as error:
        why = "the token may not write comments here" if error.code in MAY_NOT else f"the API answered {error.code}"
        sys.stdout.write(f"::notice::no comment: {why}; the summary of the job says the same\n")
    except (URLError, TimeoutError, OSError, ValueError, KeyError) as error:
        sys.stdout.write(f"::notice::no comment: {type(error).__name__}; the summary of the job says the same\n")
    else:
        sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2], sys.argv[3]))
