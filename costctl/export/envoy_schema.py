"""The closed schema of the Kubernetes resources that costctl writes for the Envoy AI Gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from costctl.export.shape import NAME, SECONDS, WHOLE, ByType, Choice, Items, Keys, Number, Shape, Text
from costctl.policy.keys import unknown

_AI, _GATEWAY, _K8S = "aigateway.envoyproxy.io", "gateway.envoyproxy.io", "gateway.networking.k8s.io"
_HOST = Text(r"[a-z0-9-]+(\.[a-z0-9-]+)+", "the name of a host")
_TYPED = Text()


def _resource(version: str, spec: Shape) -> Keys:
    return Keys(
        {"apiVersion": Choice((version,)), "kind": _TYPED, "metadata": Keys({"name": NAME}), "spec": spec},
    )


def _reference(group: str, kind: str) -> Keys:
    return Keys({"group": Choice((group,)), "kind": Choice((kind,)), "name": NAME})


_KEY = Keys({"secretRef": Keys({"name": NAME})})
_RULE = Keys(
    {
        "matches": Items(
            Keys(
                {
                    "headers": Items(
                        Keys({"type": Choice(("Exact",)), "name": Choice(("x-ai-eg-model",)), "value": Text()})
                    )
                }
            )
        ),
        "backendRefs": Items(
            Keys(
                {
                    "name": NAME, "modelNameOverride": Text(), "priority": Number(0, 1_000, is_whole=True),
                    "weight": Number(1, 1_000_000, is_whole=True),
                }
            )
        ),
    },
    {"timeouts": Keys({"request": SECONDS})},
)  # fmt: skip
_COST = Keys({"metadataKey": Text(), "type": Choice(("InputToken", "OutputToken", "TotalToken"))})
_ROUTE = Keys(
    {"parentRefs": Items(_reference(_K8S, "Gateway")), "rules": Items(_RULE), "llmRequestCosts": Items(_COST)}
)
_SERVICE = Keys(
    {
        "schema": Keys({"name": Choice(("OpenAI", "Anthropic"))}, {"prefix": Text(r"/.+", "a path")}),
        "backendRef": _reference(_GATEWAY, "Backend"),
    }
)
_SECURITY = Keys(
    {"targetRefs": Items(_reference(_AI, "AIServiceBackend")), "type": Choice(("APIKey", "AnthropicAPIKey"))},
    {"apiKey": _KEY, "anthropicAPIKey": _KEY},
)
_ENDPOINT = Keys({"fqdn": Keys({"hostname": _HOST, "port": Number(1, 65_535, is_whole=True)})})
_TLS = Keys(
    {
        "targetRefs": Items(_reference(_GATEWAY, "Backend")),
        "validation": Keys({"wellKnownCACertificates": Choice(("System",)), "hostname": _HOST}),
    }
)
_RETRY = Keys(
    {
        "numRetries": WHOLE,
        "numAttemptsPerPriority": WHOLE,
        "perRetry": Keys({"backOff": Keys({"baseInterval": SECONDS, "maxInterval": SECONDS})}, {"timeout": SECONDS}),
        "retryOn": Keys(
            {
                "httpStatusCodes": Items(Number(400, 599, is_whole=True)),
                "triggers": Items(Choice(("connect-failure", "reset", "retriable-status-codes"))),
            }
        ),
    }
)
_TRAFFIC = Keys({"targetRefs": Items(_reference(_K8S, "HTTPRoute")), "retry": _RETRY})
_RESOURCE = ByType(
    "kind",
    {
        "AIGatewayRoute": _resource(f"{_AI}/v1beta1", _ROUTE),
        "AIServiceBackend": _resource(f"{_AI}/v1beta1", _SERVICE),
        "BackendSecurityPolicy": _resource(f"{_AI}/v1beta1", _SECURITY),
        "Backend": _resource(f"{_GATEWAY}/v1alpha1", Keys({"endpoints": Items(_ENDPOINT)})),
        "BackendTLSPolicy": _resource(f"{_K8S}/v1", _TLS),
        "BackendTrafficPolicy": _resource(f"{_GATEWAY}/v1alpha1", _TRAFFIC),
    },
)


def faults_of(documents: list[Any]) -> list[str]:
    """Everything that is wrong: keys and values, then names that nobody has."""
    wrong = [fault for number, one in enumerate(documents, 1) for fault in _RESOURCE.faults(one, f"document {number}")]
    return wrong or list(_references(documents))


def _references(documents: list[dict[str, Any]]) -> Iterator[str]:
    named: dict[str, list[str]] = {}
    for one in documents:
        named.setdefault(one["kind"], []).append(one["metadata"]["name"])
    for kind, names in named.items():
        yield from (f"{kind} {name}: stands twice" for name in sorted({one for one in names if names.count(one) > 1}))
    routes = [one for one in documents if one["kind"] == "AIGatewayRoute"]
    yield from [] if routes else ["there must be an AIGatewayRoute"]
    yield from _order([rule for one in routes for rule in one["spec"]["rules"]])
    tries = {
        one["metadata"]["name"]: one["spec"]["retry"] for one in documents if one["kind"] == "BackendTrafficPolicy"
    }
    for one in routes:
        yield from _reached(one, tries.get(one["metadata"]["name"]))
    for one in documents:
        spec, at = one["spec"], f"{one['kind']} {one['metadata']['name']}"
        for wanted, kind in _wanted(one["kind"], spec):
            if wanted not in named.get(kind, []):
                yield f"{at}: {wanted}: {unknown(wanted, named.get(kind, []), kind)}"
        if one["kind"] == "BackendSecurityPolicy":
            field = "apiKey" if spec["type"] == "APIKey" else "anthropicAPIKey"
            yield from [] if field in spec else [f"{at}: type {spec['type']} needs {field}"]


def _wanted(kind: str, spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and kind of every resource of this file that a resource refers to."""
    if kind == "AIGatewayRoute":
        yield from ((ref["name"], "AIServiceBackend") for rule in spec["rules"] for ref in rule["backendRefs"])
    if kind == "AIServiceBackend":
        yield spec["backendRef"]["name"], "Backend"
    if kind in {"BackendSecurityPolicy", "BackendTLSPolicy"}:
        yield from ((ref["name"], ref["kind"]) for ref in spec["targetRefs"])
    if kind == "BackendTrafficPolicy":
        # The gateway makes a plain route of the same name.
        yield from ((ref["name"], "AIGatewayRoute") for ref in spec["targetRefs"])


def _reached(route: dict[str, Any], retry: dict[str, Any] | None) -> Iterator[str]:
    """Every model of a chain must be asked by a retry: without one nobody is asked after the first."""
    name, least = route["metadata"]["name"], 1 if retry is None else retry["numRetries"] + 1
    each = 1 if retry is None else retry["numAttemptsPerPriority"]
    for rule in route["spec"]["rules"]:
        tries = each * len({ref["priority"] for ref in rule["backendRefs"]})
        if tries > least:
            yield f"{name}: numRetries must be at least {tries - 1}, so that the last priority is asked"


def _order(rules: list[dict[str, Any]]) -> Iterator[str]:
    """Each tier once, and the priorities of its models from 0 on without a gap."""
    values = [rule["matches"][0]["headers"][0]["value"] for rule in rules]
    yield from (f"{value}: stands twice" for value in sorted({one for one in values if values.count(one) > 1}))
    for value, rule in zip(values, rules, strict=True):
        priorities = [ref["priority"] for ref in rule["backendRefs"]]
        if priorities != sorted(priorities) or set(priorities) != set(range(max(priorities) + 1)):
            yield f"{value}: priorities must rise from 0 without a gap"
