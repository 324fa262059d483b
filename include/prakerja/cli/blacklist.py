"""`prakerja blacklist`: the published list, for who publishes it and for who reads it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prakerja.cli.common import AsJson, Because, Name, answered, lines_of_stdin, print_table, say, today
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.keys import KeyStore
from prakerja.settings import WIB, Settings

if TYPE_CHECKING:
    from prakerja.blacklist.client import Client
    from prakerja.blacklist.freshness import Freshness
    from prakerja.blacklist.signing import PublicKey, SubjectKey

app = typer.Typer(help="The published blacklist.", no_args_is_help=True)

Synced = Annotated[
    Path | None, typer.Option("--in", metavar="DIR", help="A folder of `blacklist sync`; default what is published.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="PLACE", help="A folder, an object-storage URL, or a service; default what we publish."
    ),
]


@app.command("verify")
def verify(
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The published folder; default PRAKERJA_PUBLISH.")
    ] = None,
) -> None:
    """Verify every version: signature, hashes, schema, and snapshot + delta = snapshot."""
    from rich.table import Table

    from prakerja.blacklist import signing, sources, verification

    main = sources.folder_of(folder or Settings.from_environment().publish)
    earlier = sorted(path for path in main.parent.glob(f"{main.name}-*") if (path / sources.POINTER).is_file())
    for root in (main, *earlier):
        table = Table("version", "created", "entries", "added", "withdrawn", "key", "result_sha256")
        for verified in verification.verified_versions(root, None if root == main else main):
            manifest, counts = verified.manifest, verified.manifest.counts
            table.add_row(
                str(manifest.version),
                manifest.created_at,
                str(counts.entries),
                str(counts.added),
                str(counts.withdrawn),
                manifest.key_id,
                manifest.result_sha256[:16],
            )
        print_table(table)
        own = KeyStore.from_environment().has_signing_key() and signing.signing_key().public.key_id
        key_id = manifest.signing_key_id
        whose = "this home's own key" if own == key_id else "the key that lies beside the list: pin it"
        typer.echo(f"{root}: {table.row_count} versions are whole and signed, by {whose} ({key_id})")


@app.command("check")
def check(folder: Synced = None) -> None:
    """Read NIKs from standard input; print for each, in order, whether it is listed."""
    subjects, key, freshness = _list_to_ask(folder)
    malformed = []
    for position, nik in enumerate(lines_of_stdin(), 1):
        is_nik = len(nik) == 16 and nik.isascii() and nik.isdecimal()
        if not is_nik:
            malformed.append(position)
        typer.echo("listed" if is_nik and key.digest(nik) in subjects else "not listed")
    if freshness.is_stale:
        say(_describe_freshness(freshness, "the list"))
    if malformed:
        say(f"no NIK (sixteen digits) in line {', '.join(map(str, malformed[:10]))}: check what was asked")
        raise typer.Exit(1)


@app.command("sync")
def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The reader's folder: it keeps the last trusted list.")],
    source: From = None,
    pin: Annotated[
        Path | None, typer.Option(help="The publisher's public key, PEM, from a person you trust; default our own.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ"], help="The instant to believe in (UTC), for a replayed past."),
    ] = None,
) -> None:
    """Fetch the newest list, verify it, and put it in the place of the one before; by deltas where they do."""
    from prakerja.blacklist import sources

    settings = Settings.from_environment()
    client = _client(folder, pin)
    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    try:
        synced = client.sync(sources.source_of(source or settings.publish, settings.api_key), now)
    except PrakerjaError:
        if kept := client.trusted():
            say(_describe_freshness(kept.freshness(now), "kept"))
        raise
    trusted = synced.trusted
    how = {"full": "the whole list", "delta": f"{len(synced.changes):,} changes", "unchanged": "nothing new"}[
        synced.how
    ]
    typer.echo(f"version {trusted.version}: {trusted.entries:,} entries, by {how}; {folder}")
    if trusted.freshness(now).is_stale:
        say(_describe_freshness(trusted.freshness(now), "the list"))


@app.command("status")
def status(
    folder: Synced = None,
    as_json: AsJson = False,
    wait: Annotated[
        int, typer.Option(metavar="SECONDS", help="Wait so long for a list that is not stale; then the exit code is 1.")
    ] = 0,
) -> None:
    """Say which version is published, as of which data, when the next is due, and whether it is stale."""
    import json

    from rich.table import Table

    patience = time.monotonic() + wait
    while True:
        freshness = _freshness(folder)
        if not freshness.is_stale or time.monotonic() >= patience:
            break
        time.sleep(min(2, wait))
    if as_json:
        typer.echo(json.dumps(_plain(freshness)))
    else:
        table = Table("platform", "data as of")
        for platform, day in sorted(freshness.data_as_of.items()):
            table.add_row(platform, day)
        print_table(table)
        typer.echo(_describe_freshness(freshness, "the list"))
    if freshness.is_stale:
        raise typer.Exit(1)


@app.command("approve")
def approve(
    digest: Annotated[str | None, typer.Option(help="The change that you answer for: its digest.")] = None,
    because: Annotated[str | None, typer.Option(help="Why the list may change by so much.")] = None,
    name: Annotated[str | None, typer.Option("--as", help="Who answers for it.")] = None,
) -> None:
    """Show a list that would grow or shrink by too much; with --digest, --because and --as, answer for it."""
    from prakerja import schema
    from prakerja.blacklist import publishing

    schema.require_schema()
    if digest is None and because is None and name is None:
        jumps = publishing.waiting_jumps(today())
        for jump in jumps:
            typer.echo(f"{jump} --because WHY --as ID")
        if not jumps:
            typer.echo("no change of the list waits for approval")
        return
    if digest is None or because is None or name is None:
        raise typer.BadParameter("an approval names change, reason and person: --digest, --because, --as")
    because, name = answered(because, name, "publish")
    jump = publishing.approve_jump(digest, today(), because=because, approved_by=name)
    typer.echo(
        f"{name} answers for {jump.added:,} added and {jump.withdrawn:,} withdrawn; clear the task that publishes"
    )


@app.command("rotate-signing-key")
def rotate_signing_key(
    because: Because, name: Name, now: Annotated[bool, typer.Option(help="Do not wait.")] = False
) -> None:
    """Announce a new signing key to the readers; said again once they know it, let it sign."""
    from prakerja.blacklist import rotation

    because, name = answered(because, name, "publish")
    typer.echo(rotation.rotate_signing_key(datetime.now(WIB), because=because, answered_by=name, at_once=now))


@app.command("rotate-subject-key")
def rotate_subject_key(
    because: Because, name: Name, now: Annotated[bool, typer.Option(help="Cut an overlap short.")] = False
) -> None:
    """Make a new key of the subjects: the next version re-issues the list, and the earlier key overlaps."""
    from prakerja.blacklist import rotation

    because, name = answered(because, name, "publish")
    typer.echo(rotation.rotate_subject_key(datetime.now(WIB), because=because, answered_by=name, at_once=now))


@app.command("revoke-key")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="A signing key, as manifests name it.")],
    because: Because,
    name: Name,
) -> None:
    """A signing key was stolen: readers believe nothing of it any more. Another one must sign by now."""
    from prakerja.blacklist import publishing

    because, name = answered(because, name, "publish")
    publishing.revoke_key(key_id, datetime.now(WIB), because=because, answered_by=name)
    typer.echo(f"{key_id} is revoked: readers learn it when they sync; the newest version is signed by another key")


def _client(folder: Path, pin: Path | None = None) -> Client:
    from prakerja.blacklist import signing
    from prakerja.blacklist.client import Client

    keys = KeyStore.from_environment()
    pins: list[PublicKey] = []
    if pin:
        try:
            pins = [signing.PublicKey.from_pem(pin.read_bytes())]
        except OSError as error:
            raise PrakerjaError(f"{pin} cannot be read ({error.strerror}): give the publisher's key as PEM") from None
    elif keys.has_signing_key():
        pins = [signing.signing_key().public]
    return Client(folder, pins, signing.subject_keys() if keys.has_subject_key() else [])


def _list_to_ask(folder: Path | None) -> tuple[Any, SubjectKey, Freshness]:
    from prakerja.blacklist import signing, sources, verification
    from prakerja.blacklist.freshness import of_manifest

    if folder:
        client = _client(folder)
        opened = client.opened()
        return opened.subjects, client.key_of(opened.trusted), opened.trusted.freshness(datetime.now(UTC))
    version = verification.latest(sources.folder_of(Settings.from_environment().publish))
    key = signing.subject_key()
    if key.key_id != version.manifest.key_id:
        raise PrakerjaError(
            f"the list's subjects have the key {version.manifest.key_id}, this is {key.key_id}: "
            "correct PRAKERJA_SUBJECT_KEY, or publish the list anew where the key was rotated"
        )
    return version.subjects, key, of_manifest(version.manifest, datetime.now(UTC))


def _freshness(folder: Path | None) -> Freshness:
    from prakerja.blacklist import sources
    from prakerja.blacklist.freshness import published

    now = datetime.now(UTC)
    if folder is None:
        return published(sources.folder_of(Settings.from_environment().publish), now)
    trusted = _client(folder).trusted()
    if trusted is None:
        raise NotReadyError(f"{folder} holds no list yet: sync it first")
    return trusted.freshness(now)


def _describe_freshness(freshness: Freshness, what: str) -> str:
    state = "expired" if freshness.is_expired else "stale" if freshness.is_stale else "fresh"
    return (
        f"{what}: version {freshness.version} of {_minute(freshness.created_at)}, {state}; the next "
        f"{'was' if freshness.is_stale else 'is'} due by {_minute(freshness.next_version_by)}, "
        f"{'expired' if freshness.is_expired else 'expires'} at {_minute(freshness.expires_at)}"
    )


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(WIB):%Y-%m-%d %H:%M} WIB"


def _plain(freshness: Freshness) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(freshness).items()
    }
