"""The decision of a policy as one Python file that any application can import: `costctl_route.py`.

Its code is that of `costctl.export.runtime`, put together; its data are the policy, the tier rules and the learned
router. It needs the standard library of Python 3.9 and reads no file.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, NamedTuple

from costctl import __version__
from costctl.export.policy_data import lanes_data, learned_data, names_of, routing_data, windows_of
from costctl.export.rules_data import characters_data, rules_data
from costctl.policy.schema import Policy
from costctl.prices.book import PriceBook
from costctl.tiers.content import Content
from costctl.tiers.learned import Router

FILE = "costctl_route.py"
_HOUSE = Path(__file__).parents[1]
_FORM = "tiers/form.py"
# Each after those that it imports.
_MODULES = tuple(
    f"export/runtime/{name}.py"
    for name in (
        "words", "cues", "features", "holding", "tier_rules", "body", "learned_router", "deciding", "entry",
    )
)  # fmt: skip
_ENDING = """
_DECIDER = Decider(_DATA)
decide = _DECIDER.decide
costctl_tier = TierPlugin(_DECIDER)

if __name__ == "__main__":
    sys.exit(main(_DECIDER))
"""


class _Source(NamedTuple):
    """One module without its imports and its docstring."""

    title: str
    code: str
    imports: frozenset[tuple[str, str]]
    names: frozenset[str]


def decision_data(policy: Policy, content: Content, book: PriceBook, router: Router | None = None) -> dict[str, Any]:
    """What `costctl.export.runtime.deciding.Decider` decides by; JSON, without prices and secrets.

    Raises:
        CostctlError: E463 where the learned router does not fit the policy.
    """
    return {
        "lanes": lanes_data(policy, windows_of(policy, book), names_of(policy, book)),
        "tier_count": len(policy.tiers),
        "routing": routing_data(policy),
        "learned": learned_data(policy, book, router),
        "tier_rules": rules_data(content),
        "characters": characters_data(),
    }


def decision_file(
    policy: Policy, policy_digest: str, content: Content, book: PriceBook, router: Router | None = None,
    version: str = __version__,
) -> str:  # fmt: skip
    """The text of `costctl_route.py`; the same policy, rules, prices and version give the same bytes.

    Raises:
        CostctlError: E463 as `decision_data`.
    """
    data = decision_data(policy, content, book, router)
    sources = [_source(path) for path in (_FORM, *_MODULES)]
    names = [name for source in sources for name in source.names]
    assert len(names) == len(set(names)), f"names stand twice: {sorted(one for one in names if names.count(one) > 1)}"
    title = json.dumps(policy.name, ensure_ascii=True)[1:-1]
    head = [
        f"# The decision of the policy {title}: which tier takes a request, and why.",
        f"# policy {policy_digest[:16]}, costctl {version}",
        "# generated - edit the policy, not this file",
        "#",
        "# decide(body, metadata) -> dict; `costctl_tier` is a classifier_plugin of LiteLLM's router;",
        f"# python {FILE} < body.json. Python 3.9 or newer, nothing else.",
        "from __future__ import annotations",
        "",
        *_imports({one for source in sources for one in source.imports}),
    ]
    body = [f"# {'-' * 8} {source.title}\n\n{source.code}\n\n" for source in sources]
    return "\n".join(head) + "\n\n" + "\n".join(body) + _data_lines(data) + _ENDING


def _data_lines(data: dict[str, Any]) -> str:
    """The data as JSON, a line for each part; raw text is safe, as no JSON has three quotes in a row."""
    lines = ",\n".join(f"{json.dumps(name)}:{_json(part)}" for name, part in data.items())
    return f'_DATA: dict[str, Any] = json.loads(r"""{{\n{lines}\n}}""")\n'


def _json(part: Any) -> str:
    if isinstance(part, dict):
        return "{\n" + ",\n".join(f"{json.dumps(name)}:{_row(one)}" for name, one in part.items()) + "\n}"
    return _row(part)


def _row(part: Any) -> str:
    return json.dumps(part, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _source(path: str) -> _Source:
    text = (_HOUSE / path).read_text("utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    imports: set[tuple[str, str]] = set()
    names: set[str] = set()
    for number, node in enumerate(tree.body):
        if isinstance(node, ast.ImportFrom | ast.Import) or number == 0:
            imports |= _imported(node)
            for line in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[line] = ""
        names |= _names(node)
    title = (ast.get_docstring(tree) or "").splitlines()[0]
    return _Source(title, "\n".join(lines).strip("\n"), frozenset(imports), frozenset(names))


def _imported(node: ast.stmt) -> set[tuple[str, str]]:
    """Module and name (empty for the module itself) of what comes from outside the house."""
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        is_own = module == "__future__" or module.startswith("costctl.")
        return set() if is_own else {(module, one.name) for one in node.names}
    return {(one.name, "") for one in node.names} if isinstance(node, ast.Import) else set()


def _imports(found: set[tuple[str, str]]) -> list[str]:
    """The lines that import all of this."""
    plain = sorted(module for module, name in found if not name)
    modules = sorted({module for module, name in found if name})
    named = {module: sorted(name for other, name in found if other == module and name) for module in modules}
    return [*(f"import {one}" for one in plain), *(f"from {one} import {', '.join(named[one])}" for one in modules)]


def _names(node: ast.stmt) -> set[str]:
    """What a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
