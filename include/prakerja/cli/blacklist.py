"""`prakerja blacklist`: the published list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import lines_of_stdin, print_table, say
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings

app = typer.Typer(help="The published blacklist.", no_args_is_help=True)


@app.command("verify")
def verify(
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
    print_table(table)
    own = Settings.from_environment().has_signing_key() and signing.signing_key().public.key_id
    whose = "this home's own key" if own == manifest["signing_key_id"] else "the key that lies beside the list: pin it"
    typer.echo(f"{root}: {table.row_count} versions are whole and signed, by {whose} ({manifest['signing_key_id']})")


@app.command("check")
def check() -> None:
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
    for position, nik in enumerate(lines_of_stdin(), 1):
        is_nik = len(nik) == 16 and nik.isascii() and nik.isdecimal()
        if not is_nik:
            malformed.append(position)
        typer.echo("listed" if is_nik and key.subject(nik) in listed else "not listed")
    if malformed:
        say(f"no NIK (sixteen digits) in line {', '.join(map(str, malformed[:10]))}: check what was asked")
        raise typer.Exit(1)
