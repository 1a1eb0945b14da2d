"""What changes how the numbers are to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from costctl.audit import pages
from costctl.audit.conventions import HINTS, broken_conventions
from costctl.audit.disputes import disputes
from costctl.audit.doubts import doubts
from costctl.audit.old_prices import old_prices
from costctl.audit.questions import stranger_count
from costctl.audit.read import LogRead
from costctl.audit.unfinished import missing_pages
from costctl.errors import InputError
from costctl.formats.strangers import stranger_of
from costctl.formats.values import CACHED_EXCEED, ZONELESS
from costctl.prices.book import PriceBook
from costctl.prices.lint import own_doubts
from costctl.prices.resolve import NO_REGION
from costctl.report import Table, Warning, counted
from costctl.store import Store

UNPRICED_SHOWN = 5
UNREADABLE_SHOWN = 5
KINDS_SHOWN = 3
NO_LOG_CODES = ("E120", "E121")  # empty, or nothing that is a request


def warnings(store: Store, read: LogRead, tables: Mapping[str, Table]) -> tuple[Warning, ...]:
    """Everything that a reader of the totals must know, most weighty first."""
    found, book, days = read.totals, read.book, read.days
    said = [*_sums(found), *_nothing(store, read), *missing_pages(_formats_of(store)), *own_doubts(book)]
    unpriced = list(tables["unpriced"].dicts())
    for row in unpriced[:UNPRICED_SHOWN]:
        said.append(_unpriced(row, book, store))
    if len(unpriced) > UNPRICED_SHOWN:
        rest = sum(int(str(row["request_count"])) for row in unpriced[UNPRICED_SHOWN:])
        models = counted(len(unpriced) - UNPRICED_SHOWN, "further model is", "further models are")
        text = f"{models} unpriced, {counted(rest, 'request is', 'requests are')} left out"
        said.append(Warning("W201", text, "table unpriced names them: --output json"))
    said += _refused(tables["rejected"])
    said += _beside(store, tables["rejected"])
    said += _unread(tables.get("unread"))
    said += zoneless(store)
    said += uncounted_agents(store)
    said += [Warning(*row) for row in store.query("SELECT code, message, hint FROM near_said ORDER BY code")]
    if found["undated_count"]:
        text = counted(found["undated_count"], "request carries", "requests carry")
        said.append(
            Warning("W131", f"{text} no date; {_day_of_undated(book, days)}", "" if days else "--priced-at DATE")
        )
    said += doubts(store, book)
    uncounted = store.scalar("SELECT count(*) FROM request WHERE usage_source = 'missing' AND status = 'ok'")
    if uncounted:
        text = counted(uncounted, "successful request carries", "successful requests carry")
        text += " no token counts: left out of the total"
        said.append(Warning("W121", text, _where_counts_are(store)))
    if found["cache_unknown_count"]:
        text = counted(found["cache_unknown_count"], "request does", "requests do")
        said.append(Warning("W120", f"{text} not say what was cached; priced as uncached"))
    said += disputes(store)
    said += broken_conventions(tables["conventions"]) if "conventions" in tables else []
    others = [f"{count:,} in {name}" for name, count in store.query(pages.page("currencies.sql")) if name != "USD"]
    if others:
        text = f"logged costs that are not in USD are neither summed nor compared: {', '.join(others)}"
        said.append(Warning("W150", text, "our own costs do not rest on them"))
    said += _assumed(store, has_aggregates=read.has_aggregates)
    said += _in_a_region(store)
    said += old_prices(store, book, days)
    for name in ("token_budgets", "latency_budgets"):
        for row in tables[name].dicts() if name in tables else ():
            if row.get("day_count", row.get("request_count")) == 0:
                said.append(_unused_budget(row))
    broken = sum(int(str(row["over_count"] or 0)) for row in tables["token_budgets"].dicts())
    if broken:
        text = f"token budgets were exceeded {counted(broken, 'time', 'times')}"
        said.append(Warning("W140", text, "table token_budgets names the worst"))
    said += _hidden_prompts(store)
    strangers = stranger_count(store)
    if strangers:
        text = (
            f"{counted(strangers, 'answer of a batch is', 'answers of a batch are')} of another model than the request "
            "with their custom_id asked for, and counted without what was asked"
        )
        said.append(Warning("W124", text, "audit each batch with its own input file"))
    return (*said, *_left_out(read.skipped))


def _unused_budget(row: Mapping[str, Any]) -> Warning:
    """Why a budget was compared with nothing."""
    text = f"a budget is set for {row.get('name', row.get('endpoint'))}, "
    if row["over_count"] is not None:
        return Warning(
            "W141", text + "which no request of this log has", "--by endpoint or --by user_profile shows what there is"
        )
    if "scope" not in row:
        return Warning("W141", text + "of which no successful request has a latency", "--map latency_ms=...")
    if row["scope"] == "user_profile":
        text += "of which no request has both a date and a user"
        return Warning("W141", text, "--map started_at=... --map user_id=...")
    return Warning("W141", text + "of which no request has a date", "--map started_at=...")


def reading_warnings(store: Store, read: LogRead, tables: Mapping[str, Table]) -> list[Warning]:
    """Those of them that say what was lost or is in doubt of the records themselves, in the same order."""
    return [
        *_sums(read.totals),
        *_nothing(store, read),
        *own_doubts(read.book),
        *_refused(tables["rejected"]),
        *_beside(store, tables["rejected"]),
        *_unread(tables["unread"]),
        *zoneless(store),
        *uncounted_agents(store),
        *disputes(store),
        *_hidden_prompts(store),
        *_left_out(read.skipped),
    ]


def refused_strangers(rejected: Sequence[Mapping[str, Any]]) -> list[Warning]:
    """Requests that another format than that of their file would have read, by that format."""
    said = []
    for row in rejected:
        name = stranger_of(str(row["reason"]))
        if name is not None:
            records = counted(int(row["record_count"]), "record is a request", "records are requests")
            text = f"{records} of another format than the rest of the file and left out: {name}"
            read = f"costctl audit {quote(str(row['source_file']))} --log-format {name}"
            hint = f"read them: {read}; or split the file by format"
            said.append(Warning("W111", f"{text}, the first at {_place(row)}", hint))
    return said


def missing_logs(missing: Sequence[InputError]) -> list[Warning]:
    """Agents whose history was asked for and is not there, while another log is; files of folders that are not read."""
    return [
        Warning("W122", error.message, error.hint) if error.code == "E102"
        else Warning("W123", f"{error.message}: the other logs are read without it", error.hint)
        for error in missing
    ]  # fmt: skip


def _refused(table: Table) -> list[Warning]:
    """Records that were refused: those of other formats, and those that nobody understands."""
    rejected: list[dict[str, Any]] = list(table.dicts())
    said = refused_strangers(rejected)
    others = [row for row in rejected if stranger_of(str(row["reason"])) is None]
    if others:
        first = min(others, key=lambda row: (str(row["source_file"]), int(row["source_line"])))
        records = counted(sum(int(row["record_count"]) for row in others), "record was", "records were")
        text = f"{records} not understood, the first at {_place(first)}: {first['reason']}"
        said.append(Warning("W110", text, "see them: costctl rejects"))
    return said


def _beside(store: Store, rejected: Table) -> list[Warning]:
    """Files of unknown columns, read as if cached tokens lay inside the input, that say only the contrary."""
    said: list[Warning] = []
    if not any(row["reason"] == CACHED_EXCEED for row in rejected.dicts()):
        return said
    for label, count, line in store.query(pages.page("cached_beside.sql"), {"reason": CACHED_EXCEED}):
        records = counted(count, "record has", "records have")
        text = (
            f"{label}: {records} more cached tokens than input, the first on line {line}, and no total says that these "
            "lie inside the input: all evidence is that they lie beside it; the other records are read as if inside"
        )
        said.append(Warning("W119", text, HINTS["cached tokens lie beside the input"]))
    return said


def _formats_of(store: Store) -> list[tuple[str, str]]:
    """The files of the report with their formats."""
    return store.query(
        "SELECT label, format_name FROM source_file WHERE file_id IN (SELECT file_id FROM report_file) ORDER BY label"
    )


def _nothing(store: Store, read: LogRead) -> list[Warning]:
    """Why a log of which records were read has no bill."""
    found = read.totals
    if found["request_count"] or found.get("aggregate_row_count") or not found["records_read_count"]:
        return []
    parts = []
    if found["merged_count"]:  # what is merged into nothing asks for an answer that stands elsewhere
        questions = counted(found["merged_count"], "is a request", "are requests")
        parts.append(f"{questions} of a batch without the answers")
    kinds = store.query(f"SELECT kind, record_count FROM ({pages.page('ignored.sql')}) LIMIT {KINDS_SHOWN}")
    parts += [f"{count:,} x {kind}" for kind, count in kinds]
    records = counted(found["records_read_count"], "record")
    text = f"none of {records} is a request that was answered: {', '.join(parts)}"
    hint = "audit it together with the output file of the batch" if found["merged_count"] else (
        "what each file holds, and what of it is read: costctl formats check FILE"
    )  # fmt: skip
    return [Warning("W134", text, hint)]


def _assumed(store: Store, *, has_aggregates: bool) -> list[Warning]:
    """Requests, and sums over requests, of a service tier whose price is not published."""
    tables = {"request": ("request", "requests")}
    if has_aggregates:
        tables["usage_aggregate"] = ("sum over requests", "sums over requests")
    found = [(store.scalar(f"SELECT count(*) FROM {table} WHERE is_price_assumed"), of) for table, of in tables.items()]
    what = " and ".join(counted(count, *of) for count, of in found if count)
    if not what:
        return []
    text = (
        f"{what} of a service tier without a published price of their time: half of list is assumed for batch and flex,"
        " list for the others (costctl estimate assumes nothing: unpriced)"
    )
    return [Warning("W210", text)]


def _in_a_region(store: Store) -> list[Warning]:
    """What ran on Bedrock, nobody knows where, and is priced as in one region."""
    count = store.scalar("SELECT count(*) FROM bill WHERE ends_with(price_reason, $reason)", {"reason": NO_REGION})
    if not count:
        return []
    rows = counted(int(count), "row names", "rows name")
    text = f"{rows} a model on Bedrock and no region: the price of one region is assumed"
    hint = "global inference profiles cost less: log the model's whole id, or --map region=COLUMN"
    return [Warning("W306", text, hint)]


def uncounted_agents(store: Store) -> list[Warning]:
    """Tokens that only spans of agents count: where calls of a model stand below them, they are those of the calls."""
    if not store.scalar("SELECT count(*) FROM left_out_usage"):
        return []
    count, given, answered = store.query(pages.page("left_out_usage.sql"))[0]
    if not count:
        return []
    spans = counted(int(count), "span that is no call of a model counts", "spans that are no calls of a model count")
    text = f"{spans} {given:,} input and {answered:,} output tokens, and no call in the same trace counts any: left out"
    return [Warning("W139", text, "log each call of a model as a span of its own, with its usage")]


def zoneless(store: Store) -> list[Warning]:
    """Times that name no zone, which are read as UTC: days and prices of the day rest on that."""
    count = store.scalar(
        "SELECT sum(value_count) FROM unread_value WHERE column_name = $name AND file_id IN "
        "(SELECT file_id FROM report_file)",
        {"name": ZONELESS},
    )  # fmt: skip
    if not count:
        return []
    are = "is" if count == 1 else "are"
    text = f"{counted(int(count), 'time names', 'times name')} no zone and {are} read as UTC"
    hint = "if their clock was another one, log the offset behind them: 2026-03-13T10:00:00+01:00"
    return [Warning("W137", text, hint)]


def _unread(table: Table | None) -> list[Warning]:
    """Values that no one could read, by column; no table where all could be."""
    said = []
    for row in table.dicts() if table else ():
        count = int(str(row["value_count"]))
        if row["column_name"] == "cache_write_split":
            records = counted(count, "record splits", "records split")
            text = f"{records} less than all cache writes by lifetime: the rest is priced as 5-minute writes"
            said.append(Warning("W118", text))
            continue
        values = counted(count, "value", "values")
        said.append(Warning("W112", f"{values} of {row['column_name']} could not be read: taken as unknown"))
    return said


def _hidden_prompts(store: Store) -> list[Warning]:
    """Logs whose texts are only a part of what was paid for."""
    hidden, texts = store.query(pages.page("prompt_coverage.sql"))[0]
    if hidden * 10 <= texts:
        return []
    text = f"in {hidden:,} of {counted(texts, 'request', 'requests')} the logged text is only a part of the prompt"
    return [Warning("W160", f"{text} that was paid for", "repeats and tiers rest on that part")]


def _place(row: Mapping[str, Any]) -> str:
    return f"{Path(str(row['source_file'])).name}:{row['source_line']}"


def _where_counts_are(store: Store) -> str:
    """What to do about missing counts; some logs never have any."""
    names = store.query(
        "SELECT DISTINCT s.format_name FROM request r JOIN source_file s USING (file_id) "
        "WHERE r.usage_source = 'missing' AND r.status = 'ok'"
    )
    if names == [("azure_diagnostics",)]:
        return "Azure's diagnostic log has no counts: use the gateway log of API Management, or the answers' bodies"
    return "map them: --map input_tokens=... --map output_tokens=..."


def _left_out(skipped: Mapping[str, InputError]) -> list[Warning]:
    """Files of a folder that are no logs, and those that may be and cannot be read."""
    said = []
    strange = [label for label, error in skipped.items() if error.code in NO_LOG_CODES]
    damaged = {label: error for label, error in skipped.items() if error.code not in NO_LOG_CODES}
    for label, error in list(damaged.items())[:UNREADABLE_SHOWN]:
        hint = f"left out whole{'; ' + error.hint if error.hint else ''}"
        said.append(Warning("W126", f"{error} [{error.code}]" if label in str(error) else f"{label}: {error}", hint))
    if len(damaged) > UNREADABLE_SHOWN:
        files = counted(len(damaged) - UNREADABLE_SHOWN, "further file", "further files")
        said.append(Warning("W126", f"{files} cannot be read: left out whole", "costctl formats check FOLDER"))
    if strange:
        text = f"{counted(len(strange), 'file holds', 'files hold')} no request, skipped: {', '.join(strange[:3])}"
        said.append(Warning("W122", text))
    return said


def _sums(found: Mapping[str, Any]) -> list[Warning]:
    """Rows that are sums over many requests, and why they are not added to the requests."""
    count = found.get("aggregate_row_count")
    if not count:
        return []
    of = found.get("aggregate_request_count")
    many = "an unknown number of requests" if of is None else counted(of, "request", "requests")
    text = f"{counted(count, 'row is a sum', 'rows are sums')} over {many}"
    if found["request_count"]:
        text += "; they stand in table usage_aggregates and in no total, as they may count the same requests again"
        return [Warning("W125", text, "costctl audit LOG --output json shows the table")]
    return [Warning("W125", f"{text}: no latencies, no tiers, and nothing that costctl simulate could replay")]


def _day_of_undated(book: PriceBook, days: Mapping[str, str]) -> str:
    """At which day's prices requests without a date were priced, and who chose it."""
    if "prices_as_of" in days:
        return f"priced as of {days['prices_as_of']}, as the whole log is"
    if "priced_at" in days:
        return f"priced at {days['priced_at']}, as you asked"
    return f"priced at {book.dated.isoformat()}, the date of the price set"


def _where_models_are(store: Store) -> str:
    """What to do about requests that name no model; a rollout names it once, for all that follows."""
    names = store.query(
        "SELECT DISTINCT s.format_name FROM request r JOIN source_file s USING (file_id) "
        "WHERE r.model IS NULL AND r.price_status = 'unpriced'"
    )
    if names == [("codex_cli",)]:
        return (
            "the file begins after the line that names the model (turn_context): audit it whole, or together with the "
            "part before it where both hold one count in common"
        )
    return "say where the log names it: --map request_model=...; costctl formats check proposes a column"


def _unpriced(row: dict[str, Any], book: PriceBook, store: Store) -> Warning:
    """One model without a price, and what its reason asks for."""
    reason, requests = str(row["reason"]), int(str(row["request_count"]))
    if not requests:  # sums over requests
        name = "of no model" if row["model"] is None else f"of {row['model']}"
        hint = "export them grouped by model" if row["model"] is None else "give a price: --prices rates.yaml"
        return Warning("W201", f"sums {name} are unpriced and left out of the total: {reason}", hint)
    if row["model"] is None:
        names = counted(requests, "request names", "requests name")
        text = f"{names} no model, unpriced and left out of the total: {reason}"
        return Warning("W201", text, _where_models_are(store))
    left = counted(requests, "request is", "requests are")
    text = f"{row['model']} is unpriced, {left} left out of the total: {reason}"
    if "counts no" in reason:
        return Warning("W201", text, "say where the log counts: --map input_tokens=... --map output_tokens=...")
    near = book.near(str(row["model"])) if reason.startswith("no price for") else []
    if near:
        return Warning("W201", text, f"near names with a price: {', '.join(near)}; or give one: --prices rates.yaml")
    return Warning("W201", text, "give a price: --prices rates.yaml; costctl init writes an example")
