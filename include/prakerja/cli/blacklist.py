"""`prakerja blacklist`: the published list, for its publisher and its readers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prakerja.cli import root_keys
from prakerja.cli.common import AsJson, Because, Name, lines_of_stdin, print_table, reason_and_person, say, today
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.keys import KeyStore
from prakerja.settings import WIB, Settings

if TYPE_CHECKING:
    from prakerja_blacklist.format.roots import TrustedRoot
    from prakerja_blacklist.format.signatures import PublicKey
    from prakerja_blacklist.format.subject_keys import SubjectKey
    from prakerja_blacklist.reader.freshness import Freshness
    from prakerja_blacklist.reader.sync import Client

app = typer.Typer(help="Verify, read and sync the published blacklist; change its keys.", no_args_is_help=True)
app.add_typer(root_keys.app, name="root")

Synced = Annotated[
    Path | None,
    typer.Option("--in", metavar="DIR", help="A copy that `blacklist sync` keeps; default the published list."),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="A folder, an object-storage URL, or the service's URL; default PRAKERJA_PUBLISH.",
    ),
]
Pin = Annotated[
    Path | None,
    typer.Option(help="The publisher's public key, PEM: a copy that does not follow from it answers nobody."),
]
Root = Annotated[
    Path | None,
    typer.Option(help="A root of the publisher, JSON, in place of --pin: only keys that its holders endorse count."),
]
WithoutRoot = Annotated[
    bool,
    typer.Option(help="Tell readers that pin no root at once; those that pin one learn it when holders have signed."),
]
AtOnce = Annotated[bool, typer.Option(help="Do it now, without waiting until readers know the new key.")]


@app.command("verify")
def verify(
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The published folder; default PRAKERJA_PUBLISH.")
    ] = None,
) -> None:
    """Verify every published version: signature, hashes, schema, and that snapshot + delta = next snapshot."""
    from rich.table import Table

    from prakerja.blacklist.publisher import configured_keys, storage, verification
    from prakerja_blacklist.format import contract

    main = storage.find_list(folder or Settings.from_environment().publish)
    earlier = [root for root in storage.earlier_lists(main) if (root / contract.POINTER).is_file()]
    for root in (main, *earlier):
        table = Table("version", "created", "entries", "added", "withdrawn", "key", "result_sha256")
        for manifest in verification.verify_versions(root, None if root == main else main):
            counts = manifest.counts
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
        own = KeyStore.from_environment().has_signing_key() and configured_keys.load_signing_key().public.key_id
        key_id = manifest.signing_key_id
        source = "this home's own key" if own == key_id else "the key that is published beside the list: pin it"
        typer.echo(f"{root}: {table.row_count} versions are whole and signed, by {source} ({key_id})")


@app.command("check")
def check(folder: Synced = None, pin: Pin = None, root: Root = None) -> None:
    """Check NIKs from standard input, one a line: print `listed` or `not listed` for each, in order."""
    subjects, key, freshness = _open_list(folder, pin, root)
    malformed = []
    for position, nik in enumerate(lines_of_stdin(), 1):
        is_nik = len(nik) == 16 and nik.isascii() and nik.isdecimal()
        if not is_nik:
            malformed.append(position)
        typer.echo("listed" if is_nik and key.digest(nik) in subjects else "not listed")
    if freshness.is_stale:
        say(_describe_freshness(freshness, "the list"))
    if malformed:
        say(f"not a NIK (sixteen digits) in line {', '.join(map(str, malformed[:10]))}: correct the input")
        raise typer.Exit(1)


@app.command("sync")
def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The reader's folder, with the last trusted list.")],
    source: From = None,
    pin: Annotated[
        Path | None,
        typer.Option(help="The publisher's public key, PEM, from a person whom you trust; default this home's own."),
    ] = None,
    root: Root = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ"], help="The instant (UTC) to take as now, for a replayed past."),
    ] = None,
) -> None:
    """Fetch the newest list, verify it, and replace the copy in DIR; apply deltas where possible."""
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import programme_schedule

    settings = Settings.from_environment()
    client = _client(folder, [] if root else [_read_pin(pin)] if pin else _own_pins(), _read_root(root, pin))
    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    try:
        synced = client.sync(storage.open_source(source or settings.publish, settings.api_key), now)
    except PrakerjaError:
        with contextlib.suppress(PrakerjaError):  # what was refused may be the copy itself
            if kept := client.trusted():
                say(_describe_freshness(kept.freshness(now, programme_schedule()), "kept"))
        raise
    trusted = synced.trusted
    how = {"full": "the whole list", "delta": f"{len(synced.changes):,} changes", "unchanged": "nothing new"}[
        synced.how
    ]
    typer.echo(f"version {trusted.version}: {trusted.entries:,} entries, by {how}; {folder}")
    freshness = trusted.freshness(now, programme_schedule())
    if freshness.is_stale:
        say(_describe_freshness(freshness, "the list"))


@app.command("status")
def status(
    folder: Synced = None,
    pin: Pin = None,
    root: Root = None,
    as_json: AsJson = False,
    wait: Annotated[
        int, typer.Option(metavar="SECONDS", help="The longest wait for a list that is not stale; then exit with 1.")
    ] = 0,
) -> None:
    """Show the published version, the date of its data, when the next is due, and whether it is stale."""
    import json

    from rich.table import Table

    patience = time.monotonic() + wait
    while True:
        freshness = _freshness(folder, pin, root)
        if not freshness.is_stale or time.monotonic() >= patience:
            break
        time.sleep(min(2, wait))
    if as_json:
        typer.echo(json.dumps(_as_mapping(freshness)))
    else:
        table = Table("platform", "data as of")
        for platform, day in sorted(freshness.data_as_of.items()):
            table.add_row(platform, day)
        print_table(table)
        typer.echo(_describe_freshness(freshness, "the list"))
        if folder is None:
            typer.echo(_describe_root_keys())
    if freshness.is_stale:
        raise typer.Exit(1)


@app.command("approve")
def approve(
    digest: Annotated[str | None, typer.Option(help="The change to approve: its digest.")] = None,
    because: Annotated[str | None, typer.Option(help="The reason why the list may change by so much.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="ID", help="The person who is responsible: an id from the list of people."),
    ] = None,
) -> None:
    """Approve an unusual change of the list, or show the changes that wait for approval.

    A version that would grow or shrink the list by too much is not published before a person approves it.
    """
    from prakerja import schema
    from prakerja.blacklist.publisher import pending

    schema.require_schema()
    if digest is None and because is None and name is None:
        changes = pending.list_unusual_changes(today())
        for change in changes:
            typer.echo(f"{change} --because WHY --as ID")
        if not changes:
            typer.echo("no change of the list waits for approval")
        return
    if digest is None or because is None or name is None:
        raise typer.BadParameter("an approval needs change, reason and person: --digest, --because, --as")
    because, name = reason_and_person(because, name, "publish")
    change = pending.approve_unusual_change(digest, today(), because=because, approved_by=name)
    typer.echo(
        f"{name} approves {change.added:,} added and {change.withdrawn:,} withdrawn; clear the task that publishes"
    )


@app.command("rotate-signing-key")
def rotate_signing_key(because: Because, name: Name, now: AtOnce = False, without_root: WithoutRoot = False) -> None:
    """Announce a new signing key to the readers. Run it again once they know it, to sign with the new key.

    Where root keys are in use, it writes a proposal, which announces the key once holders have signed it.
    """
    from prakerja.blacklist.publisher import rotation

    because, name = reason_and_person(because, name, "publish")
    done = rotation.rotate_signing_key(
        datetime.now(WIB), because=because, answered_by=name, at_once=now, without_root=without_root
    )
    typer.echo(done)


@app.command("rotate-subject-key")
def rotate_subject_key(
    because: Because, name: Name, now: Annotated[bool, typer.Option(help="End an overlap that is running.")] = False
) -> None:
    """Create a new key of the subjects. The next version re-issues the list; the earlier key overlaps."""
    from prakerja.blacklist.publisher import rotation

    because, name = reason_and_person(because, name, "publish")
    typer.echo(rotation.rotate_subject_key(datetime.now(WIB), because=because, answered_by=name, at_once=now))


@app.command("revoke-key")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="The id of a signing key, as in the manifests.")],
    because: Because,
    name: Name,
    without_root: WithoutRoot = False,
) -> None:
    """Revoke a stolen signing key: readers trust nothing that it signed. Another key must sign already.

    Where root keys are in use, it writes a proposal, which revokes the key once holders have signed it. The key that
    signs may be named then: the proposal announces another one too.
    """
    from prakerja.blacklist.publisher import publishing, root_ceremony

    because, name = reason_and_person(because, name, "publish")
    if not without_root and root_ceremony.has_root():
        path = root_ceremony.propose_revocation(key_id, datetime.now(WIB), because=because, answered_by=name)
        typer.echo(root_keys.describe_proposal(path))
        return
    publishing.revoke_key(key_id, datetime.now(WIB), because=because, answered_by=name)
    typer.echo(f"{key_id} is revoked: readers learn of it when they sync; another key signs the newest version")


@app.command("restore")
def restore() -> None:
    """Restore the published folder: write what the warehouse has recorded, move aside what lies in its place.

    Publishing refuses to write over a file that is not what was published, and names this command.
    """
    from prakerja import schema
    from prakerja.blacklist.publisher import restoring

    schema.require_schema()
    restored = restoring.restore()
    for name in restored.displaced:
        typer.echo(f"{name}: moved into {restored.aside}")
    for name in restored.written:
        typer.echo(f"{name}: written again")
    for problem in restored.problems:
        say(problem)
    if restored.problems:
        raise typer.Exit(1)
    typer.echo(
        f"the folder has what was published, up to version {restored.version}"
        if restored.version
        else "nothing was published yet"
    )


@app.command("republish")
def republish(
    because: Because,
    name: Name,
    without_root: Annotated[bool, typer.Option(help="Leave the root keys behind, since too many were lost.")] = False,
) -> None:
    """Publish every version anew, in an empty folder, after the signing key was lost: readers must pin another key.

    Set PRAKERJA_PUBLISH to the empty folder first, of every process.
    """
    from prakerja import schema
    from prakerja.blacklist.publisher import configured_keys, restoring

    because, name = reason_and_person(because, name, "publish")
    schema.require_schema()
    version = restoring.republish(because=because, answered_by=name, without_root=without_root)
    typer.echo(
        f"published up to version {version}, signed by {configured_keys.load_signing_key().public.key_id}: "
        "let each reader pin that key, and read here"
    )


def _client(folder: Path, pins: Sequence[PublicKey], root: TrustedRoot | None = None) -> Client:
    from prakerja.blacklist.publisher import configured_keys
    from prakerja_blacklist.reader.sync import Client

    has_key = KeyStore.from_environment().has_subject_key()
    return Client(folder, pins, configured_keys.load_subject_keys() if has_key else [], root=root)


def _read_pin(pin: Path) -> PublicKey:
    from prakerja_blacklist.format.signatures import PublicKey

    try:
        return PublicKey.from_pem(pin.read_bytes())
    except OSError as error:
        raise PrakerjaError(f"{pin} cannot be read ({error.strerror}): give the publisher's key as PEM") from None


def _read_root(root: Path | None, pin: Path | None) -> TrustedRoot | None:
    """Return the root to pin, if any. Raise `PrakerjaError`."""
    from prakerja_blacklist.reader.root_follower import read_pinned_root

    if root and pin:
        raise typer.BadParameter("a root takes the place of a key: give --root or --pin")
    return read_pinned_root(root) if root else None


def _describe_root_keys() -> str:
    """Return the line that says whether root keys are in use."""
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.root_keys import load_root_state

    try:
        return load_root_state(storage.find_list(Settings.from_environment().publish)).describe()
    except PrakerjaError as error:
        return f"the root keys cannot be read: {error}"


def _own_pins() -> list[PublicKey]:
    from prakerja.blacklist.publisher import configured_keys

    return [configured_keys.load_signing_key().public] if KeyStore.from_environment().has_signing_key() else []


def _open_list(folder: Path | None, pin: Path | None, root: Path | None) -> tuple[Any, SubjectKey, Freshness]:
    from prakerja.blacklist.publisher import configured_keys, storage, verification
    from prakerja.blacklist.publisher.freshness import freshness_of, programme_schedule

    if folder:
        # A home's own key is not pinned by itself: the copy may be of another publisher's list.
        client = _client(folder, [_read_pin(pin)] if pin else [], _read_root(root, pin))
        opened = client.open_list()
        return (
            opened.subjects,
            client.key_of(opened.trusted),
            opened.trusted.freshness(datetime.now(UTC), programme_schedule()),
        )
    version = verification.latest_version(storage.find_list(Settings.from_environment().publish))
    key = configured_keys.load_subject_key()
    if key.key_id != version.manifest.key_id:
        raise PrakerjaError(
            f"the list's subjects have the key {version.manifest.key_id}, but PRAKERJA_SUBJECT_KEY is {key.key_id}: "
            "correct it, or publish the list again if the key was rotated"
        )
    return version.subjects, key, freshness_of(version.manifest, datetime.now(UTC))


def _freshness(folder: Path | None, pin: Path | None, root: Path | None) -> Freshness:
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import load_freshness, programme_schedule

    now = datetime.now(UTC)
    if folder is None:
        return load_freshness(storage.find_list(Settings.from_environment().publish), now)
    trusted = _client(folder, [_read_pin(pin)] if pin else [], _read_root(root, pin)).trusted()
    if trusted is None:
        raise NotReadyError(f"{folder} has no list yet: sync it first")
    return trusted.freshness(now, programme_schedule())


def _describe_freshness(freshness: Freshness, what: str) -> str:
    state = "expired" if freshness.is_expired else "stale" if freshness.is_stale else "fresh"
    return (
        f"{what}: version {freshness.version} of {_minute(freshness.created_at)}, {state}; the next "
        f"{'was' if freshness.is_stale else 'is'} due by {_minute(freshness.next_version_by)}, "
        f"{'expired' if freshness.is_expired else 'expires'} at {_minute(freshness.expires_at)}"
    )


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(WIB):%Y-%m-%d %H:%M} WIB"


def _as_mapping(freshness: Freshness) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(freshness).items()
    }
