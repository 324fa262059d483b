"""The command line: `prakerja`. Results on standard output, progress and messages on standard error.

Exit codes: 0 done; 1 the answer is no, or something was refused, rejected or left undecided; 2 wrong usage.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from prakerja.errors import PrakerjaError
from prakerja.settings import Settings

app = typer.Typer(
    name="prakerja",
    help="Takes in the purchases of Kartu Prakerja, reminds, revokes and publishes the blacklist.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
db = typer.Typer(help="The warehouse.", no_args_is_help=True)
blacklist = typer.Typer(help="The published blacklist.", no_args_is_help=True)


class ListByDefault(typer.core.TyperGroup):
    """A group whose command `list` is meant where none is named: `prakerja holds 12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if is_named else ["list", *args])


holds = typer.Typer(cls=ListByDefault, help="The people whom decisions hold, and what is found out about them.")
appeal = typer.Typer(no_args_is_help=True, help="Appeals of people who are revoked.")
feeds = typer.Typer(
    help="The feeds: what was accepted, rejected (why), restated, missing, by platform and business date."
)
app.add_typer(db, name="db")
app.add_typer(holds, name="holds")
app.add_typer(appeal, name="appeal")
app.add_typer(feeds, name="feeds")
app.add_typer(blacklist, name="blacklist")

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def main() -> None:
    """The entry: whatever goes wrong is one line on standard error, never a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app(standalone_mode=True)
    except PrakerjaError as error:
        _say(str(error))
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has enough of it
        sys.exit(1)
    except Exception as error:  # a defect of ours: kept for whoever mends it, without the error's own text
        kept = _keep(error)
        _say(f"internal error ({type(error).__name__}): this is a defect; where it happened is kept in {kept}")
        sys.exit(1)


# -- db ----------------------------------------------------------------------------------------------------------------


@db.command("upgrade")
def db_upgrade() -> None:
    """Create or migrate the warehouse's schema."""
    from prakerja import warehouse

    typer.echo(f"the warehouse is at revision {warehouse.upgrade()}")


@db.command("stop")
def db_stop() -> None:
    """Stop the embedded PostgreSQL of this home; the next command starts it again."""
    from prakerja import warehouse

    _say("the embedded PostgreSQL is stopped" if warehouse.stop_embedded_server() else "none was running")


# -- worlds and replays ------------------------------------------------------------------------------------------------


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The folder to write: landing/, calendar.yaml, expected.json.")],
    cohorts: Annotated[str, typer.Option(help="Cohorts of the calendar, as 12,13.")] = "12,13",
    scale: Annotated[float, typer.Option(min=0.00001, max=1, help="Share of the cohorts' real size.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 7,
    nasty: Annotated[bool, typer.Option(help="With damaged, late, restated, doubtful and borderline rows.")] = False,
) -> None:
    """Write a world: a landing zone, its calendar, and what must come out of it."""
    from prakerja.simulation import world

    written = world.write(_numbers(cohorts), scale, seed, out, is_nasty=nasty, progress=_say_progress)
    typer.echo(f"{out}: {written.recipients:,} recipients, {written.deliveries} deliveries, {written.rows:,} rows")


@app.command()
def replay(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day to play (WIB).")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day to play.")],
    cohorts: Annotated[str | None, typer.Option(help="Only the runs of these cohorts, as 12,13.")] = None,
    approve_as: Annotated[
        str | None, typer.Option(help="Approve revocations and reinstatements in advance, as NAME.")
    ] = None,
) -> None:
    """Run the real DAGs over the landing zone for past days, in order; print the cohort table."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    for day, option in ((first, "--from"), (last, "--to")):
        if not 2000 <= day.year <= 2100:
            raise typer.BadParameter(f"{day:%Y-%m-%d} is not in this century", param_hint=option)
    if last < first:
        raise typer.BadParameter(f"{last:%Y-%m-%d} is before {first:%Y-%m-%d}", param_hint="--to")
    wanted = None if cohorts is None else _numbers(cohorts)
    columns = (
        TextColumn("replaying {task.fields[day]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[run]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=(last - first).days + 1, day=first.date(), run="starting")
        from prakerja.replay import days

        played = days.play(
            first.date(),
            last.date(),
            wanted,
            approve_as,
            lambda day, run: bar.update(task, completed=(day - first.date()).days, day=day, run=run),
        )
        bar.update(task, completed=(last - first).days + 1, day=last.date(), run=f"{played.runs} runs")
    from prakerja.cohorts import overview

    table = [
        row
        for row in overview.cohort_table()
        if (row["cohort"] in wanted if wanted else row["cohort"] in played.cohorts or row["selected"])
    ]
    _print_cohorts(table)
    _print_published()
    problems = days.problems(played, table, last.date())
    for line in dict.fromkeys([*problems, *_waiting(table)]):
        _say(line)
    if problems:
        raise typer.Exit(1)


# -- looking -----------------------------------------------------------------------------------------------------------


@app.command()
def cohorts(as_json: AsJson = False) -> None:
    """The cohort table: where each gelombang stands, what was decided, what waits."""
    from prakerja import warehouse
    from prakerja.cohorts import overview

    warehouse.require_schema()
    table = overview.cohort_table()
    if as_json:
        typer.echo(json.dumps(table, indent=2))
        return
    _print_cohorts(table)
    for line in _waiting(table):
        _say(line)


@app.command()
def explain(
    cards: Annotated[
        list[str], typer.Argument(metavar="CARD...", help="Card numbers; - reads them from standard input.")
    ],
    as_json: AsJson = False,
) -> None:
    """The evidence for recipients, in order of time. The card is not echoed."""
    from prakerja import warehouse
    from prakerja.cohorts.people import is_card
    from prakerja.revocations import explanation

    warehouse.require_schema()
    asked = [card for given in cards for card in (_lines_of_stdin() if given == "-" else [given])]
    for position, story in enumerate(explanation.explain(asked), 1):
        if as_json:
            typer.echo(json.dumps(story))
        else:
            _print_story(position, story)
    malformed = [n for n, card in enumerate(asked, 1) if not is_card(card)]
    if malformed:
        _say(f"no card number (sixteen digits) in place {', '.join(map(str, malformed[:10]))}: check what was asked")
        raise typer.Exit(1)


@app.command()
def approve(
    cohort: Annotated[int, typer.Argument(metavar="COHORT")],
    digest: Annotated[
        str | None, typer.Option(help="The batch that you approve: its digest, or the start of it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--as", help="Who approves.")] = None,
) -> None:
    """Show what of a cohort waits for approval; with --digest and --as, approve that very batch."""
    from prakerja import warehouse
    from prakerja.calendar import cohort as cohort_of
    from prakerja.revocations import approval
    from prakerja.revocations.decision import made_decision
    from prakerja.settings import WIB

    if (digest is None) != (name is None) or not (name or "?").strip():
        raise typer.BadParameter("an approval names the batch and the person: --digest and --as")
    wave = cohort_of(cohort)
    warehouse.require_schema()
    with warehouse.transaction() as connection:
        made = made_decision(connection, wave.cohort)
        waiting = approval.waiting(connection, made) if made else []
        if made is None or not waiting:
            raise PrakerjaError(f"gelombang-{cohort}: nothing waits for approval")
        if digest is None or name is None:
            for batch in waiting:
                _print_batch(made, batch, approval.review(connection, made, batch))
            return
        found = [batch for batch in waiting if approval.is_named(batch, digest)]
        if not found:
            raise PrakerjaError(f"gelombang-{cohort}: no batch {digest} waits: see `prakerja approve {cohort}`")
        (batch,) = found
        approval.approve(connection, batch, name.strip(), datetime.now(WIB).date())
    then = "clear the task approve_revocation" if batch.subject == "revocation" else "the next platform_feeds does it"
    typer.echo(f"{name.strip()} approves {_people(batch)} of gelombang-{cohort}; {then}")


@holds.command("list")
def holds_list(
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]")] = None,
    unmask: Annotated[
        bool, typer.Option("--unmask", help="Show cards and values as delivered: personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The people whom decisions hold: why, by which row, and what was found since. Masked."""
    from rich.table import Table

    from prakerja import warehouse
    from prakerja.calendar import cohort as cohort_of
    from prakerja.revocations.holds import list_holds

    if cohort is not None:
        cohort_of(cohort)
    warehouse.require_schema()
    found = list_holds(cohort, is_masked=not unmask)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("gelombang", "card", "because", "row", "reasons", "state", "found by")
    for hold in found:
        row, resolution = hold["row"], hold["resolution"]
        table.add_row(
            str(hold["cohort"]),
            hold["card"],
            hold["because"],
            f"{row['platform']} {row['business_date']} r{row['revision']}, line {row['line']}" if row else "",
            ", ".join(row["reasons"]) if row else "",
            hold["state"],
            f"{resolution['resolved_by']}: {resolution['because']}" if resolution else "",
        )
    _print(table)
    still = sum(hold["state"] in {"open", "resolvable"} for hold in found)
    typer.echo(f"{len(found):,} held, {still:,} of them to be looked into")


@holds.command("resolve")
def holds_resolve(
    card: Annotated[str, typer.Argument(metavar="CARD")],
    because: Annotated[str, typer.Option(help="What you found, and where.")],
    name: Annotated[str, typer.Option("--as", help="Who answers for it.")],
    is_purchased: Annotated[bool, typer.Option("--purchased/--not-purchased", help="Bought in time, or not.")],
) -> None:
    """Say what you found out about someone who is held. Not purchased: another person must approve the revocation."""
    from prakerja import warehouse
    from prakerja.revocations import holds as all_holds
    from prakerja.revocations.approval import SHOWN
    from prakerja.settings import WIB

    if not because.strip() or not name.strip():
        raise typer.BadParameter("say why, and who you are: --because and --as")
    warehouse.require_schema()
    batch = all_holds.resolve(
        card,
        is_purchased=is_purchased,
        because=because.strip(),
        resolved_by=name.strip(),
        on=datetime.now(WIB).date(),
    )
    if batch is None:
        typer.echo("resolved: purchased; the hold is lifted")
        return
    typer.echo(
        f"resolved: not purchased; another person must approve: "
        f"prakerja approve {batch.cohort} --digest {batch.digest[:SHOWN]} --as NAME"
    )


@appeal.command("open")
def appeal_open(
    card: Annotated[str, typer.Argument(metavar="CARD")],
    file: Annotated[Path, typer.Option("--text-file", help="What the person says; - reads it from standard input.")],
    name: Annotated[str, typer.Option("--as", help="Who takes it in.")],
) -> None:
    """Take in what a revoked person says (card or NIK)."""
    from prakerja import warehouse
    from prakerja.revocations.appeals import open_appeal
    from prakerja.settings import WIB

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise PrakerjaError(f"{file} is no text that can be read: name a file in UTF-8") from None
    warehouse.require_schema()
    number = open_appeal(card, text, opened_by=name.strip() or "?", on=datetime.now(WIB).date())
    typer.echo(f"appeal {number} is open: somebody who did not approve the revocation decides it")


@appeal.command("list")
def appeal_list(as_json: AsJson = False) -> None:
    """The appeals, the open ones first. Their texts (with --json) are personal."""
    from rich.table import Table

    from prakerja import warehouse
    from prakerja.revocations.appeals import list_appeals

    warehouse.require_schema()
    found = list_appeals()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("appeal", "gelombang", "card", "opened", "state", "decided by", "because")
    for each in found:
        table.add_row(
            str(each["appeal_id"]),
            str(each["cohort"]),
            f"•••• {each['card_ends']}",
            each["opened_on"],
            each["state"],
            each["decided_by"] or "",
            each["because"] or "",
        )
    _print(table)


@appeal.command("decide")
def appeal_decide(
    number: Annotated[int, typer.Argument(metavar="APPEAL")],
    is_upheld: Annotated[bool, typer.Option("--uphold/--dismiss", help="Reinstate, or let the revocation stand.")],
    because: Annotated[str, typer.Option(help="Why.")],
    name: Annotated[str, typer.Option("--as", help="Who decides.")],
) -> None:
    """Decide an appeal, once and for all. Upheld, the next platform_feeds reinstates the person."""
    from prakerja import warehouse
    from prakerja.revocations import appeals
    from prakerja.settings import WIB

    if not because.strip() or not name.strip():
        raise typer.BadParameter("say why, and who you are: --because and --as")
    warehouse.require_schema()
    on = datetime.now(WIB).date()
    appeals.decide(number, is_upheld=is_upheld, because=because.strip(), decided_by=name.strip(), on=on)
    then = "upheld: the next platform_feeds reinstates" if is_upheld else "dismissed: the revocation stands"
    typer.echo(f"appeal {number} is {then}")


@feeds.callback(invoke_without_command=True)
def feeds_grid(context: typer.Context, as_json: AsJson = False) -> None:
    """The feeds: what was accepted, rejected (why), restated, missing, by platform and business date."""
    if context.invoked_subcommand is not None:
        return
    from prakerja import warehouse
    from prakerja.cohorts.overview import missing_now
    from prakerja.feeds import overview

    warehouse.require_schema()
    deliveries = overview.list_deliveries()
    missing = [(platform, day.isoformat()) for platform, day in missing_now()]
    if as_json:
        owed: list[dict[str, Any]] = [
            {
                "platform": platform,
                "business_date": day,
                "revision": None,
                "status": "missing",
                "reason": None,
                "rows": 0,
                "loaded": 0,
                "quarantined": {},
                "duplicates": 0,
            }
            for platform, day in missing
        ]
        typer.echo(json.dumps(deliveries + owed, indent=2))
    else:
        _print_feeds(deliveries, missing)


@feeds.command("quarantine")
def feeds_quarantine(
    platform: Annotated[str | None, typer.Option(help="Only this platform.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="From this business date.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="To this business date.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason.")] = None,
    unmask: Annotated[bool, typer.Option("--unmask", help="Show values as delivered: they are personal data.")] = False,
    as_json: AsJson = False,
) -> None:
    """The quarantined rows in force: where each stands, why, and its values, masked."""
    from rich.table import Table

    from prakerja import warehouse
    from prakerja.feeds import overview
    from prakerja.platforms import platforms

    if platform is not None and platform not in platforms():
        raise PrakerjaError(f"platform {platform!r} is unknown: known are {', '.join(platforms())}")
    warehouse.require_schema()
    rows = overview.list_quarantine(
        platform, first and first.date(), last and last.date(), reason, is_masked=not unmask
    )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("platform", "business date", "line", "reasons", "as delivered")
    for row in rows:
        told = ", ".join(f"{key} {value!r}" for key, value in row["delivered"].items() if key != "voucher_code")
        where = f"{row['business_date']} r{row['revision']}"
        table.add_row(row["platform"], where, str(row["line"]), ", ".join(row["reasons"]), told)
    _print(table)
    typer.echo(f"{len(rows):,} rows")


@feeds.command("accept")
def feeds_accept(
    platform: Annotated[str, typer.Argument(metavar="PLATFORM")],
    day: Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"])],
    because: Annotated[str, typer.Option(help="Why it may be taken in all the same.")],
    name: Annotated[str | None, typer.Option("--as", help="Who answers for it; default: whoever is logged in.")] = None,
) -> None:
    """Accept a delivery that was rejected for its quarantine bound; recorded with who, when, why."""
    import getpass

    from prakerja import warehouse
    from prakerja.feeds import intake
    from prakerja.feeds.ledger import Waiver
    from prakerja.settings import WIB

    if not because.strip():
        raise typer.BadParameter("say why", param_hint="--because")
    warehouse.require_schema()
    waiver = Waiver(name or getpass.getuser(), because.strip())
    entry = intake.accept(platform, day.date(), waiver, datetime.now(WIB).date())
    typer.echo(
        f"accepted {platform} {entry.business_date} r{entry.revision}: {entry.loaded:,} loaded, "
        f"{entry.quarantined:,} quarantined"
    )


@feeds.command("docs")
def feeds_docs() -> None:
    """Build Great Expectations' Data Docs of the deliveries: a static site; gives the path of its first page."""
    from prakerja import warehouse
    from prakerja.feeds import data_docs

    warehouse.require_schema()
    typer.echo(str(data_docs.build()))


# -- the blacklist -----------------------------------------------------------------------------------------------------


@blacklist.command("verify")
def blacklist_verify(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The published folder; default PRAKERJA_PUBLISH.")
    ] = None,
) -> None:
    """Verify every version: signature, hashes, schema, and snapshot + delta = snapshot."""
    from rich.table import Table

    from prakerja.blacklist import signing, verification

    root = verification.blacklist_root(str(folder or Settings.from_environment().publish))
    table = Table("version", "created", "entries", "added", "withdrawn", "result_sha256")
    for manifest, _ in verification.verified_versions(root):
        counts = manifest["counts"]
        table.add_row(
            str(manifest["version"]),
            manifest["created_at"],
            str(counts["entries"]),
            str(counts["added"]),
            str(counts["withdrawn"]),
            manifest["result_sha256"][:16],
        )
    _print(table)
    own = Settings.from_environment().has_signing_key() and signing.signing_key().public.key_id
    whose = "this home's own key" if own == manifest["signing_key_id"] else "the key that lies beside the list: pin it"
    typer.echo(f"{root}: {table.row_count} versions are whole and signed, by {whose} ({manifest['signing_key_id']})")


@blacklist.command("check")
def blacklist_check() -> None:
    """Read NIKs from standard input; print for each, in order, whether it is listed."""
    from prakerja.blacklist import signing, verification

    root = verification.blacklist_root(Settings.from_environment().publish)
    manifest, entries = verification.latest_entries(root)
    key = signing.subject_key()
    if key.key_id != manifest["key_id"]:
        raise PrakerjaError(
            f"the list's subjects have the key {manifest['key_id']}, this is {key.key_id}: correct PRAKERJA_SUBJECT_KEY"
        )
    listed = {entry.subject for entry in entries}
    malformed = []
    for position, nik in enumerate(_lines_of_stdin(), 1):
        is_nik = len(nik) == 16 and nik.isascii() and nik.isdecimal()
        if not is_nik:
            malformed.append(position)
        typer.echo("listed" if is_nik and key.subject(nik) in listed else "not listed")
    if malformed:
        _say(f"no NIK (sixteen digits) in line {', '.join(map(str, malformed[:10]))}: check what was asked")
        raise typer.Exit(1)


# -- the sandbox -------------------------------------------------------------------------------------------------------


@app.command()
def sandbox(
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8095,
) -> None:
    """Run the SMS gateway that delivers to nobody; set PRAKERJA_SANDBOX_URL to its address."""
    from prakerja.reminders import sandbox as gateway

    home = Settings.from_environment().make_home()
    _say(f"the SMS sandbox listens on http://{host}:{port}; Ctrl-C stops it")
    gateway.serve(home / "sandbox.sqlite", host, port)


# -- printing ----------------------------------------------------------------------------------------------------------


def _print_cohorts(table: list[dict[str, Any]]) -> None:
    from rich.table import Table

    counts = (
        "selected",
        "purchased",
        "held",
        "at_risk",
        "overdue",
        "excluded",
        "revoked",
        "reinstated",
        "reinstatements_proposed",
        "cases",
        "reminded",
    )
    titles = {"reinstatements_proposed": "proposed", "at_risk": "at risk"}
    shown = Table("gelombang", "deadline", "status")
    for name in counts:
        shown.add_column(titles.get(name, name), justify="right")
    for row in table:
        shown.add_row(str(row["cohort"]), row["deadline_on"], row["status"], *(f"{row[name]:,}" for name in counts))
    _print(shown)


def _waiting(table: list[dict[str, Any]]) -> list[str]:
    """What blocks cohorts, and what they wait for, a line each."""
    lines = []
    for row in table:
        if row["status"] == "blocked":
            lines.append(f"gelombang-{row['cohort']} is blocked: {row['reason']}: {row['detail']}")
        elif row["missing_feeds"]:
            owed = row["missing_feeds"]
            more = f" and {len(owed) - 5} more" if len(owed) > 5 else ""
            lines.append(f"gelombang-{row['cohort']} waits for {', '.join(owed[:5])}{more}")
    return lines


def _print_published() -> None:
    from prakerja.blacklist import verification
    from prakerja.errors import NotReadyError

    try:
        root = verification.blacklist_root(Settings.from_environment().publish)
    except NotReadyError:
        _say("no list is published yet")
        return
    manifest, entries = verification.latest_entries(root)
    typer.echo(f"published: version {manifest['version']} of the blacklist, {len(entries):,} entries, in {root}")


def _print_feeds(deliveries: list[dict[str, Any]], missing: list[tuple[str, str]]) -> None:
    from rich.table import Table

    from prakerja.feeds.overview import count_unmatched, day_status

    owed = set(missing)
    by_cell: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for delivery in deliveries:
        by_cell.setdefault((delivery["platform"], delivery["business_date"]), []).append(delivery)
    names = sorted({platform for platform, _ in by_cell.keys() | owed})
    grid = Table(
        "business date", *names, caption="rows in force, (quarantined); r2: restated; !: far from the usual number"
    )
    for day in sorted({day for _, day in by_cell.keys() | owed}):
        cells = []
        for name in names:
            cell = by_cell.get((name, day), [])
            status = day_status(name, date.fromisoformat(day), cell, is_owed=(name, day) in owed)
            in_force = next((delivery for delivery in cell if delivery["is_in_force"]), None)
            if in_force is None:
                cells.append(f"[red]{status}[/red]" if status in {"missing", "rejected"} else status)
                continue
            bad = in_force["rows"] - in_force["loaded"] - in_force["duplicates"]
            revision = f" r{in_force['revision']}" if status == "restated" else ""
            warning = " [yellow]![/yellow]" if in_force["warnings"] else ""
            cells.append(f"{in_force['rows']:,}{f' ({bad})' if bad else ''}{revision}{warning}")
        grid.add_row(day, *cells)
    _print(grid)
    typer.echo(f"{count_unmatched():,} cards stand in no loaded roster")
    for delivery in deliveries:
        if delivery["status"] == "rejected":
            typer.echo(
                f"rejected {delivery['platform']} {delivery['business_date']} r{delivery['revision']}: "
                f"{delivery['reason']}: {delivery['detail']}"
            )


def _people(batch: Any) -> str:
    what = "revocation" if batch.subject == "hold" else batch.subject
    return f"{batch.people:,} {what}{'' if batch.people == 1 else 's'}"


def _print_batch(made: Any, batch: Any, review: dict[str, Any]) -> None:
    from rich.table import Table

    from prakerja.revocations.approval import SHOWN

    doubts = review["doubts"]
    typer.echo(f"gelombang-{made.cohort}: {_people(batch)}{' of someone held' if batch.subject == 'hold' else ''}")
    typer.echo(f"  proposed by {batch.proposed_by} on {batch.proposed_on}")
    typer.echo(
        f"  of {made.selected:,} selected: {made.purchased:,} purchased, {made.held:,} held, {made.overdue:,} overdue, "
        f"{made.excluded:,} excluded"
    )
    typer.echo(
        f"  decided by {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} of an unusual size, {doubts['waived']:,} accepted over their bound"
    )
    rates = Table("gelombang", "selected", "revoked", "rate", title="against earlier decisions")
    here = {f"{made.cohort}, this batch": (made.selected, batch.people)}
    for number, (selected, people) in {**review["rates"], **here}.items():
        rates.add_row(str(number), f"{selected:,}", f"{people:,}", f"{people / selected:.1%}")
    _print(rates)
    sample = Table("card", "region", "because", "reminders", title="a sample of it")
    for row in review["sample"]:
        sample.add_row(f"•••• {row['card_ends']}", row["region_code"], row["because"], str(row["reminded"]))
    _print(sample)
    approved = f"approved by {', '.join(batch.approved_by)}; " if batch.approved_by else ""
    command = f"prakerja approve {made.cohort} --digest {batch.digest[:SHOWN]} --as NAME"
    typer.echo(f"{approved}{batch.approvals_needed} needed: {command}")


def _print_story(position: int, story: dict[str, Any]) -> None:
    from rich.table import Table

    where = f"gelombang-{story['cohort']}" if story["cohort"] is not None else "no cohort"
    typer.echo(f"{position}. {where}: {story['state']} ({story['because']})")
    if not story["events"]:
        return
    table = Table("at (UTC)", "what", "evidence")
    for event in story["events"]:
        told = ", ".join(
            f"{key} {value}" for key, value in event.items() if key not in {"at", "what"} and value is not None
        )
        table.add_row(event["at"].replace("+00:00", "").replace("T", " "), event["what"], told)
    _print(table)


def _print(table: Any) -> None:
    from rich.console import Console

    # A pipe has no width: a table that is read by another program is not folded to eighty columns.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def _lines_of_stdin() -> Iterable[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of cohorts: give 12,13", param_hint="--cohorts") from None


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _say_progress(line: str) -> None:
    if sys.stderr.isatty():
        _say(line)


def _keep(error: Exception) -> Path:
    """Keep where an unexpected error happened: files and lines only, since its text may quote personal data."""
    path = Settings.from_environment().make_home() / "logs" / "defects.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}\n")
    return path
