"""`prakerja correct`: correct recipients of a roster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prakerja.cli.common import SignWith, identify_signer, reason_and_person, say, today
from prakerja.errors import PrakerjaError

if TYPE_CHECKING:
    from prakerja.cohorts.corrections import Request

BYTES_MAX = 10_000_000


def correct(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]", help="JSON objects with card_number and the corrected fields; - reads standard input."
        ),
    ] = None,
    because: Annotated[
        str | None,
        typer.Option(help="The reason. It is kept for good and shown to others: leave out cards, NIKs and phones."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="ID", help="The person who is responsible: an id from the list of people."),
    ] = None,
    digest: Annotated[
        str | None, typer.Option(help="The corrected NIKs to approve: their digest, or the start of it.")
    ] = None,
    sign_with: SignWith = None,
    dismiss: Annotated[
        bool, typer.Option("--dismiss", help="Dismiss the corrected NIKs of --digest; needs --because.")
    ] = False,
) -> None:
    """Correct recipients of a roster: nik, full_name, phone, email, region_code.

    A corrected NIK waits until another person approves it with --digest. Without FILE and --digest, show the corrected
    NIKs that wait.
    """
    from prakerja import schema
    from prakerja.cohorts import corrections

    if file is None and digest is None:
        if because or name or sign_with or dismiss:
            raise typer.BadParameter("give a file of corrections, or --digest")
        schema.require_schema()
        _print_waiting(corrections.waiting())
        return
    if file is not None and digest is not None:
        raise typer.BadParameter("give a file to correct, or a digest to approve, but not both")
    if name is None:
        raise typer.BadParameter("give the person who is responsible: --as")
    if digest is not None:
        if dismiss != bool(because) or (dismiss and sign_with):
            raise typer.BadParameter("--dismiss needs --because, and --because needs --dismiss; neither is signed")
        if sign_with:
            reason, person = "approved", identify_signer(name)
        else:
            reason, person = reason_and_person(because or "approved", name, "correct" if dismiss else "approve")
        schema.require_schema()
        request = corrections.decide(
            digest, person, today(), is_approved=not dismiss, because=reason, sign_with=sign_with
        )
        verb = "dismisses" if dismiss else "approves"
        people = len(request.people)
        typer.echo(f"{person} {verb} {people:,} corrected NIK{'' if people == 1 else 's'}")
        return
    if because is None or sign_with or dismiss:
        raise typer.BadParameter("a file of corrections needs --because; --sign-with and --dismiss need --digest")
    because, person = reason_and_person(because, name, "correct")
    entries = corrections.read_entries(_read_text(str(file)))
    schema.require_schema()
    count, request_digest = corrections.correct(
        entries, because=because, corrected_by=person, on=today(), show=lambda change: typer.echo(str(change))
    )
    if not count:
        typer.echo("nothing to correct: the corrections are in force already, or wait for approval")
        return
    typer.echo(f"{count:,} {'person' if count == 1 else 'people'} corrected")
    if request_digest:
        waiting = next(request for request in corrections.waiting() if request.request == request_digest)
        typer.echo(f"their NIKs wait for another person: {waiting.command}")


def _read_text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read(BYTES_MAX + 1) if file == "-" else _read(Path(file))
        text = data.decode("utf-8")
    except OSError as error:
        raise PrakerjaError(f"the file of corrections cannot be read ({error.strerror}): give a file, or -") from None
    except UnicodeDecodeError:
        raise PrakerjaError("the file of corrections is not UTF-8: save it as UTF-8") from None
    if len(data) > BYTES_MAX:
        raise PrakerjaError(f"the file of corrections has more than {BYTES_MAX:,} bytes: split it")
    return text


def _read(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(BYTES_MAX + 1)


def _print_waiting(requests: list[Request]) -> None:
    for request in requests:
        typer.echo(f"{request.corrected_by}, {request.corrected_on}: {request.because}")
        for line in request.people:
            typer.echo(f"  {line}")
        typer.echo(f"  another person must approve: {request.command}")
    if not requests:
        say("no corrected NIK waits for approval")
