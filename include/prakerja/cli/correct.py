"""`prakerja correct`: what a roster says of somebody, put right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prakerja.cli.common import answered, say, today
from prakerja.errors import PrakerjaError

if TYPE_CHECKING:
    from prakerja.cohorts.corrections import Request

BYTES_MAX = 10_000_000


def correct(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]", help="JSON objects with card_number and what to correct; - reads standard input."
        ),
    ] = None,
    because: Annotated[
        str | None, typer.Option(help="Why: it is kept, and told to whoever asks. No numbers of people in it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--as", metavar="ID", help="Who answers for it: a person's id.")] = None,
    digest: Annotated[
        str | None, typer.Option(help="The corrected NIKs that you approve: their digest, or the start of it.")
    ] = None,
    sign_with: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="Sign the approval with your SSH key, or an agent's by its public one."),
    ] = None,
    dismiss: Annotated[
        bool, typer.Option("--dismiss", help="Refuse the corrected NIKs of --digest; with --because.")
    ] = False,
) -> None:
    """Correct recipients: nik, full_name, phone, email, region_code. A NIK waits for another person's approval.

    Without FILE and --digest, show the corrected NIKs that wait.
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
        raise typer.BadParameter("a file is corrected, or a digest is approved: give one of them")
    if name is None:
        raise typer.BadParameter("say who you are: --as")
    if digest is not None:
        if dismiss != bool(because) or (dismiss and sign_with):
            raise typer.BadParameter("say why it is dismissed, and only then: --dismiss, --because")
        if sign_with:
            why, person = "approved", _signer(name)
        else:
            why, person = answered(because or "approved", name, "correct" if dismiss else "approve")
        schema.require_schema()
        request = corrections.decide(digest, person, today(), is_approved=not dismiss, because=why, sign_with=sign_with)
        done = "dismisses" if dismiss else "approves"
        people = len(request.people)
        typer.echo(f"{person} {done} {people:,} corrected NIK{'' if people == 1 else 's'}")
        return
    if because is None or sign_with or dismiss:
        raise typer.BadParameter("corrections have a reason, --because; --sign-with and --dismiss go with --digest")
    because, person = answered(because, name, "correct")
    entries = corrections.read_entries(_text_of(str(file)))
    schema.require_schema()
    count, request_digest = corrections.correct(
        entries, because=because, corrected_by=person, on=today(), show=lambda each: typer.echo(str(each))
    )
    if not count:
        typer.echo("nothing to correct: it is in force already, or waits")
        return
    typer.echo(f"{count:,} {'person' if count == 1 else 'people'} corrected")
    if request_digest:
        waiting = next(each for each in corrections.waiting() if each.request == request_digest)
        typer.echo(f"their NIKs wait for another person: {waiting.command}")


def _text_of(file: str) -> str:
    try:
        data = sys.stdin.buffer.read(BYTES_MAX + 1) if file == "-" else _read(Path(file))
        text = data.decode("utf-8")
    except OSError as error:
        raise PrakerjaError(f"the file of corrections cannot be read ({error.strerror}): give a file, or -") from None
    except UnicodeDecodeError:
        raise PrakerjaError("the file of corrections is not UTF-8: write it anew") from None
    if len(data) > BYTES_MAX:
        raise PrakerjaError(f"more than {BYTES_MAX:,} bytes are no corrections: give fewer at once")
    return text


def _read(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(BYTES_MAX + 1)


def _signer(name: str) -> str:
    """Return the id of a person who approves by a signature: their login is not asked."""
    from prakerja.people import load_people

    return load_people().find(name, "approve").id


def _print_waiting(requests: list[Request]) -> None:
    for request in requests:
        typer.echo(f"{request.corrected_by}, {request.corrected_on}: {request.because}")
        for line in request.people:
            typer.echo(f"  {line}")
        typer.echo(f"  another person must approve it: {request.command}")
    if not requests:
        say("no corrected NIK waits for approval")
