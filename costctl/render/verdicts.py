"""Gates and drift for machines that show findings: JUnit XML and GitLab's code quality report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from costctl.render.cells import escaped_json, safe
from costctl.report import Report

PASS, NOT_RUN = "PASS", "NOT RUN"
POLICY = "policy.yaml"


def gates_of(report: Report) -> Iterator[Mapping[str, str]]:
    """Each verdict as text that acts nowhere: gate, verdict, level, and what was found."""
    for row in report.tables["gates"].dicts() if "gates" in report.tables else ():
        value, reason = row.get("value", row.get("now_value")), row.get("reason")
        told = "no value" if value is None else f"found {value}"
        yield {
            "gate": safe(str(row["gate"])), "level": str(row["level"]),
            "verdict": str(row.get("verdict", row.get("now_verdict")) or NOT_RUN),
            "found": safe(told + (f" ({reason})" if reason else ""), 400),
        }  # fmt: skip


def policy_file(report: Report) -> str:
    """The file whose gates these are, as the run was told it."""
    return safe(str(report.provenance.get("policy_file") or POLICY), 400)


def drift_of(report: Report) -> Iterator[Mapping[str, str]]:
    """Each difference of exported files as text that acts nowhere: its file, key, what was found and the cause."""
    folder = str(report.provenance.get("folder", ""))
    for row in report.tables["drift"].dicts() if "drift" in report.tables else ():
        yield {
            "path": safe(f"{folder}/{row['path']}", 400), "key": safe(str(row["key"]), 200),
            "found": safe(str(row["says"]), 300), "cause": str(row["cause"]),
        }  # fmt: skip


def is_mended(report: Report) -> bool:
    """Whether the differences that were found are written over."""
    return bool(report.totals.get("written_count"))


def to_junit(report: Report) -> str:
    """A test case for each gate: broken it fails, without a verdict it is an error; as a warning both are skipped."""
    cases = list(gates_of(report))
    counts = {"tests": len(cases), "failures": 0, "errors": 0, "skipped": 0}
    suites = Xml.Element("testsuites", name="costctl")
    suite = Xml.SubElement(suites, "testsuite", name=f"costctl {report.command}")
    for case in cases:
        made = Xml.SubElement(suite, "testcase", classname="costctl.gates", name=case["gate"], file=policy_file(report))
        kind = _kind(case)
        if kind is not None:
            Xml.SubElement(made, kind, message=f"{case['verdict']} at level {case['level']}: {case['found']}")
            counts[{"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]] += 1
    for element in (suites, suite):
        element.attrib.update({name: str(count) for name, count in counts.items()})
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def _kind(case: Mapping[str, str]) -> str | None:
    if case["verdict"] == PASS:
        return None
    if case["level"] != "error":
        return "skipped"
    return "error" if case["verdict"] == NOT_RUN else "failure"


def to_gitlab(report: Report) -> str:
    """An entry for each gate that did not pass, each drift (at its file, all else at the policy's), each warning."""
    path = policy_file(report)
    found = [
        _entry(path, "gate", case["gate"], f"{case['verdict']}: {case['gate']}, {case['found']}",
               "major" if case["level"] == "error" else "minor")
        for case in gates_of(report) if case["verdict"] != PASS
    ]  # fmt: skip
    found += [
        _entry(one["path"], "drift", one["key"], f"out of step: {one['key']} {one['found']} (cause: {one['cause']})",
               "info" if is_mended(report) else "major")
        for one in drift_of(report)
    ]  # fmt: skip
    found += [
        _entry(path, item.code, f"{number}", safe(item.message, 400), "info")
        for number, item in enumerate(report.warnings)
    ]
    return escaped_json(json.dumps(found, indent=2, ensure_ascii=False)) + "\n"


def _entry(path: str, check: str, what: str, description: str, severity: str) -> dict[str, Any]:
    """The fingerprint leaves the figures out, so that a gate is the same finding in two runs."""
    return {
        "description": description,
        "check_name": f"costctl/{check}",
        "fingerprint": hashlib.sha256(f"{path}\0{check}\0{what}".encode()).hexdigest(),
        "severity": severity,
        "location": {"path": path, "lines": {"begin": 1}},
    }
