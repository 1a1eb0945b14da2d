"""What files hold, before they are audited: their format and why, what they carry, and what can be done with it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from costctl.audit import pages
from costctl.audit.carried import FACTS, FEATURES, Feature
from costctl.audit.notes import missing_logs, refused_strangers, uncounted_agents, zoneless
from costctl.audit.options import AuditOptions
from costctl.audit.read import reading_of, select_attempts
from costctl.errors import CostctlError, InputError
from costctl.formats import generic, profile
from costctl.formats.base import LogFormat
from costctl.formats.contained import pieces_of
from costctl.formats.detect import carried_records, format_named, not_utf8, sample_of
from costctl.formats.evidence import evidence, unread_columns
from costctl.formats.ingest import read_all
from costctl.formats.pool import Workers
from costctl.formats.propose import CORE, Guess, is_enough, mapping_file, propose
from costctl.formats.propose import left_out as missing_columns
from costctl.formats.sources import Source, find_sources
from costctl.formats.sums import settled
from costctl.formats.told import FileCounts
from costctl.formats.workspace import create_tables
from costctl.report import Report, Table, Warning
from costctl.request import FROM_TEXT
from costctl.store import Store
from costctl.tiers.rules import load_rules

PROPOSALS_MAX = 5
OF_A_LOG = (*CORE, "aggregate_request_count")  # without these a log of usual names is read wrongly
SUMS = "single requests"  # what sums over requests lack
Counts = dict[str, dict[str, int]]  # by format, the count of requests by fact; "" counts them all


def check_files(logs: Sequence[str], options: AuditOptions) -> Report:
    """Read the files without a workspace and say of each what it is; nothing is kept.

    Raises:
        CostctlError: where there is no such file, option or mapping.
    """
    with tempfile.TemporaryDirectory(prefix="costctl-") as folder, Store.in_memory(threads=options.threads) as store:
        spool = Path(folder) / "spool"
        missing: list[InputError] = []
        sources = [source._replace(is_asked_for=False) for source in find_sources(list(logs), spool, missing)]
        workers = Workers(sources, options.processes)
        create_tables(store)
        reading = reading_of(options, load_rules(options.tier_rules), secrets.token_bytes(32))
        try:
            files, left_out = read_all(store, sources, reading, spool, options.progress, workers)
        finally:
            workers.stop()
        by_label = {source.label: source for source in sources}
        mapped = reading.log_format if options.mapping else None
        report = _told(store, by_label, files, left_out, mapped)
        return replace(report, warnings=(*missing_logs(missing), *report.warnings))


def _told(
    store: Store, sources: Mapping[str, Source], files: Sequence[FileCounts], left_out: Mapping[str, InputError],
    mapped: LogFormat | None,
) -> Report:  # fmt: skip
    select_attempts(store, files)
    accepted = sum(item.accepted for item in files)
    carried, sums = _carried(store)
    kept = sum(counts[""] for counts in carried.values())
    guessed = dict(_guesses(sources, files, left_out, mapped))
    missed = {label: missing_columns(sample_of(sources[label]), guesses) for label, guesses in guessed.items()
              if label in left_out}  # fmt: skip
    texts = {label: mapping_file(guesses, missed.get(label, ())) for label, guesses in guessed.items()}
    totals = {
        "file_count": len(sources), "recognised_count": len(files), "left_out_count": len(left_out),
        "records_read_count": sum(item.records_read for item in files), "accepted_count": kept,
        "merged_count": accepted - kept, "ignored_count": sum(item.ignored for item in files),
        "rejected_count": sum(item.rejected for item in files),
    }  # fmt: skip
    tables = (
        Table.of("files", ("source_file", "log_format", "record_count", "accepted_count", "ignored_count",
                           "rejected_count"),
                 [(item.label, item.format_name, item.records_read, item.accepted, item.ignored, item.rejected)
                  for item in files]),
        Table.of("signatures", ("log_format", "title", "signature", "matching_count", "sampled_count"),
                 list(_signatures(sources, files, mapped))),
        Table.of("unread_columns", ("log_format", "path", "note"), list(_unread(sources, files, mapped))),
        pages.table(store, "kinds", "record_kinds.sql"),
        Table.of("carries", ("log_format", "fact", "request_count", "share_ratio"),
                 [(name, fact.name, counts[fact.name], counts[fact.name] / counts[""])
                  for name, counts in carried.items() for fact in FACTS if counts[""]]),
        Table.of("features", ("log_format", "command", "feature", "works", "request_count", "missing"),
                 [row for name, counts in carried.items() for row in _features(name, counts, is_sum=name in sums)]),
        pages.table(store, "totals_checked", "totals_checked.sql"),
        pages.table(store, "conventions", "conventions.sql"),
        Table.of("left_out", ("source_file", "code", "reason", "hint"),
                 [(label, error.code, error.message, error.hint) for label, error in left_out.items()]),
        Table.of("mapping", ("source_file", "field", "path", "doubt"),
                 [(label, guess.field, generic.written_path(guess.path), guess.doubt)
                  for label, guesses in guessed.items() for guess in guesses]),
        Table.of("left_out_columns", ("source_file", "path", "field", "reason"),
                 [(label, generic.written_path(one.path), one.field or None, one.reason)
                  for label, columns in missed.items() for one in columns]),
    )  # fmt: skip
    warnings = (
        *zoneless(store),
        *uncounted_agents(store),
        *_not_utf8(sources, [*guessed, *left_out]),
        *refused_strangers(list(pages.table(store, "rejected", "rejected.sql").dicts())),
        *(Warning("W128", f"{label}: none of its records is a request; a mapping is proposed",
                  "look at what is unsure or left out")
          for label in guessed if label in left_out),
    )  # fmt: skip
    return Report("formats check", totals, {table.name: table for table in tables if table.rows}, warnings,
                  {"logs": list(sources), "mapping_files": texts})  # fmt: skip


def _not_utf8(sources: Mapping[str, Source], labels: Sequence[str]) -> Iterator[Warning]:
    """Tables of another encoding: their names and texts with accents cannot be read."""
    for label in list(dict.fromkeys(labels))[:PROPOSALS_MAX]:
        if (hint := not_utf8(sources[label])) is not None:
            text = f"{label} is not UTF-8: its columns are shown as Windows writes them, and none of that name is read"
            yield Warning("W138", text, f"convert it first: {hint}")


def is_nothing_recognised(report: Report) -> bool:
    """Whether no file of the check holds a request."""
    return not report.totals["recognised_count"]


def proposed_mapping(report: Report) -> str:
    """The one mapping that the check proposes, as text of a file.

    Raises:
        CostctlError: E132 where it proposes none, or one for each of several files.
    """
    texts: Any = report.provenance["mapping_files"]
    if not texts:
        raise CostctlError("E132", "no mapping to propose: the files are recognised, or nothing looks like a request",
                           "without --mapping the check says what each file is")  # fmt: skip
    if len(set(texts.values())) > 1:
        raise CostctlError("E132", f"{len(texts)} files need a mapping each: {', '.join(texts)}", "name one file")
    return str(next(iter(texts.values())))


def _carried(store: Store) -> tuple[Counts, set[str]]:
    """By format, how many requests (or sums) carry each fact; and the formats whose rows are sums."""
    facts = ", ".join(f"count(*) FILTER ({fact.sql})" for fact in FACTS)
    found: Counts = {}
    sums: set[str] = set()
    for source in ("request_source", *(["aggregate_source"] if store.holds("aggregate_source") else [])):
        rows = store.query(
            f"SELECT f.format_name, count(*), {facts} FROM {source} r JOIN source_file f USING (file_id) "
            "GROUP BY f.format_name ORDER BY count(*) DESC, f.format_name"
        )
        for name, *counts in rows:
            found[name] = dict(zip(("", *(fact.name for fact in FACTS)), counts, strict=True))
            sums |= {name} if source == "aggregate_source" else set()
    return found, sums


def _features(log_format: str, counts: Mapping[str, int], *, is_sum: bool) -> Iterator[tuple[Any, ...]]:
    for feature in FEATURES:
        if feature.only_sums and not is_sum:
            continue
        if feature.reads_texts and log_format == profile.NAME:
            yield (log_format, feature.command, feature.name, "no", 0, "the texts themselves")
            continue
        is_mappable = log_format == generic.FORMAT.name
        verdict = _verdict(feature, counts, is_sum=is_sum, is_mappable=is_mappable)
        yield (log_format, feature.command, feature.name, *verdict)


def _verdict(
    feature: Feature, counts: Mapping[str, int], *, is_sum: bool, is_mappable: bool
) -> tuple[str, int, str]:  # fmt: skip
    """Whether a feature works, on how many requests at most, and what the others lack (with what --map could name)."""
    if is_sum and not feature.of_sums:
        return "no", 0, SUMS
    most = min(counts[need] for need in feature.needs)
    lacking = [fact for fact in FACTS if fact.name in feature.needs and counts[fact.name] < counts[""]]
    if not lacking:
        return "yes", most, ""
    absent = [fact for fact in lacking if not counts[fact.name]]
    missing = ", ".join(f"{fact.name} ({fact.fields})" if is_mappable else fact.name for fact in absent or lacking)
    return ("no", 0, missing) if absent else ("partly", most, missing)


def _signatures(
    sources: Mapping[str, Source], files: Sequence[FileCounts], mapped: LogFormat | None
) -> Iterator[tuple[Any, ...]]:
    """Why the first file of each format was taken for it."""
    first = {item.format_name: item.label for item in reversed(files)}
    for name, label in sorted(first.items()):
        if name == profile.NAME:
            count = next(item.records_read for item in files if item.format_name == name)
            yield name, profile.TITLE, f"{profile.KEY} in the metadata of the file", count, count
            continue
        log_format = mapped or format_named(name)
        records = sample_of(sources[label])
        keys, count = evidence(log_format, records)
        if not count:  # its lines hold lists of records
            records = pieces_of(records) or carried_records(records) or records
            keys, count = evidence(log_format, records)
        yield name, "your mapping" if mapped else log_format.title, ", ".join(keys), count, len(records)


def _unread(
    sources: Mapping[str, Source], files: Sequence[FileCounts], mapped: LogFormat | None
) -> Iterator[tuple[str, str, str]]:
    """The columns of the first file with usual or mapped names that no field is read from."""
    first = next((item.label for item in files if item.format_name == generic.FORMAT.name), None)
    if first is None:
        return
    records = sample_of(sources[first])
    for path in unread_columns(settled(mapped or generic.FORMAT, records), records):
        note = "worked out from the text of the prompts" if generic.folded(path) in FROM_TEXT else ""
        yield generic.FORMAT.name, path, note


def _guesses(
    sources: Mapping[str, Source], files: Sequence[FileCounts], left_out: Mapping[str, InputError],
    mapped: LogFormat | None,
) -> Iterator[tuple[str, list[Guess]]]:  # fmt: skip
    """Mappings for the first files of unknown shapes, and for logs of usual names that lack what matters most."""
    if mapped is not None:
        return
    strange = [label for label, error in left_out.items() if error.code == "E121"]
    for label in strange[:PROPOSALS_MAX]:
        guesses = propose(sample_of(sources[label]))
        if is_enough(guesses):
            yield label, guesses
    for item in [item for item in files if item.format_name == generic.FORMAT.name][:PROPOSALS_MAX]:
        records = sample_of(sources[item.label])
        usual = evidence(generic.FORMAT, records)[0]
        more = [guess for guess in propose(records) if guess.field in OF_A_LOG and guess.field not in usual]
        if more:
            yield item.label, more
