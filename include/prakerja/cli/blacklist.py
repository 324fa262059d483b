"""`prakerja blacklist`: the published list, for its publisher and its readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prakerja.cli import root_keys
from prakerja.cli.common import AsJson, Because, Name, print_table, reason_and_person, say, today
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from prakerja.settings import WIB, Settings
from prakerja_blacklist.commands import witness_options

if TYPE_CHECKING:
    from upath import UPath

    from prakerja_blacklist.format.roots import TrustedRoot
    from prakerja_blacklist.format.signatures import PublicKey
    from prakerja_blacklist.format.subject_keys import SubjectKey
    from prakerja_blacklist.reader.freshness import Freshness
    from prakerja_blacklist.reader.kept_list import KeptList

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
Witnesses = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="NAME=KEY.pem@URL", help=witness_options.WITNESS),
]
Needed = Annotated[int | None, typer.Option("--witnesses", metavar="K", help=witness_options.NEEDED)]
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

    lists: list[tuple[UPath, UPath | None]] = []
    for main in storage.find_lists(folder or Settings.from_environment().publish):
        earlier = [root for root in storage.earlier_lists(main) if (root / contract.POINTER).is_file()]
        lists += [(main, None), *((each, main) for each in earlier)]
    for root, of in lists:
        table = Table("version", "created", "entries", "added", "withdrawn", "key", "result_sha256")
        for manifest in verification.verify_versions(root, of):
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
    from prakerja_blacklist.commands.check import answer_niks

    if code := answer_niks(*_open_list(folder, pin, root)):
        raise typer.Exit(code)


@app.command("sync")
def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The reader's folder, with the last trusted list.")],
    source: From = None,
    pin: Annotated[
        Path | None,
        typer.Option(help="The publisher's public key, PEM, from a person whom you trust; default this home's own."),
    ] = None,
    root: Root = None,
    witness: Witnesses = None,
    witnesses: Needed = None,
    change_witnesses: Annotated[bool, typer.Option("--change-witnesses", help=witness_options.CHANGES)] = False,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ"], help="The instant (UTC) to take as now, for a replayed past."),
    ] = None,
) -> None:
    """Fetch the newest list, verify it, and replace the copy in DIR; apply deltas where possible."""
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import programme_schedule
    from prakerja_blacklist.commands.common import read_pins
    from prakerja_blacklist.commands.sync import sync_folder
    from prakerja_blacklist.reader.sync import Client
    from prakerja_blacklist.reader.witnesses import GivenWitnesses, parse_witness

    settings = Settings.from_environment()
    given = GivenWitnesses([parse_witness(each) for each in witness or []], witnesses, change_witnesses)
    pins = [] if root else read_pins(pin) or _own_pins()
    client = Client(folder, pins, _subject_keys(), root=_read_root(root, pin), witnesses=given)
    now = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    place = source or settings.publish
    sync_folder(client, lambda: storage.open_source(place, settings.api_key), now, programme_schedule())


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
    from prakerja.blacklist.publisher import contracts_in_force
    from prakerja_blacklist.commands.status import list_witnesses, show_freshness

    def list_notes() -> dict[str, list[str]]:
        if folder is None:
            return {"root_keys": [_describe_root_keys()], "contracts": contracts_in_force.describe_contracts()}
        return {"witnesses": list_witnesses(_kept_list(folder, pin, root))}

    code = show_freshness(
        lambda: _freshness(folder, pin, root), _print_platforms, list_notes, wait=wait, as_json=as_json
    )
    if code:
        raise typer.Exit(code)


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


@app.command("end-contract")
def end_contract(
    contract: Annotated[str, typer.Argument(metavar="CONTRACT", help="As in the manifests: prakerja.blacklist/1.")],
    because: Because,
    name: Name,
    from_day: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The day (WIB) from which on no version is published by it."),
    ],
) -> None:
    """End a contract of the list from a day on, once the list is published by a later one too.

    Readers of the contract keep its last version until that expires. Before the day, another day may be given.
    """
    from prakerja import schema
    from prakerja.blacklist.publisher import contracts_in_force

    because, name = reason_and_person(because, name, "publish")
    schema.require_schema()
    day = from_day.date()
    contracts_in_force.end_contract(contract, day, datetime.now(WIB), because=because, ended_by=name)
    typer.echo(f"{contract} ends: no version is published by it from {day} on. Tell its readers")


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


@app.command("witness")
def witness(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The witness's own folder: what it has seen.")],
    pin: Annotated[
        list[Path], typer.Option(help="The publisher's public key, PEM, from a person. Repeat it for more.")
    ],
    key: Annotated[Path, typer.Option(metavar="WITNESS.pem", help="The witness's private key (`witness-key`).")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where statements are published, by a web server.")],
    source: From = None,
    every: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Look again so often, without end; default once.")
    ] = None,
) -> None:
    """Follow the list as a witness: sign each version that continues what was seen (docs/runbooks/witnesses.md)."""
    from prakerja.blacklist.publisher import storage
    from prakerja_blacklist.commands.common import read_pins
    from prakerja_blacklist.commands.witness import follow, read_private_key
    from prakerja_blacklist.witness.following import Follower

    settings = Settings.from_environment()
    pins = [public for each in pin for public in read_pins(each)]
    follower = Follower(folder, pins, read_private_key(key), out)
    place = source or settings.publish
    code = follow(follower, lambda: storage.open_source(place, settings.api_key), every, say, typer.echo)
    if code:
        raise typer.Exit(code)


@app.command("witness-key")
def witness_key(file: Annotated[Path, typer.Argument(metavar="FILE", help="The new private key.")]) -> None:
    """Make the key of a witness: FILE, which is private, and FILE.pub, which its readers pin."""
    from prakerja_blacklist.commands.witness_key import make_key

    typer.echo(make_key(file))


def _subject_keys() -> list[SubjectKey]:
    from prakerja.blacklist.publisher import configured_keys

    return configured_keys.load_subject_keys() if KeyStore.from_environment().has_subject_key() else []


def _read_root(root: Path | None, pin: Path | None) -> TrustedRoot | None:
    from prakerja_blacklist.commands.common import read_root

    if root and pin:
        raise typer.BadParameter("a root takes the place of a key: give --root or --pin")
    return read_root(root)


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


def _kept_list(folder: Path, pin: Path | None, root: Path | None) -> KeptList:
    """Return a reader's folder. A home's own key is not pinned by itself: the copy may be of another publisher's."""
    from prakerja_blacklist.commands.common import read_pins
    from prakerja_blacklist.reader.kept_list import KeptList

    return KeptList(folder, read_pins(pin), _subject_keys(), root=_read_root(root, pin))


def _open_list(
    folder: Path | None, pin: Path | None, root: Path | None
) -> tuple[Sequence[bytes], SubjectKey, Freshness]:
    from prakerja.blacklist.publisher import configured_keys, storage, verification
    from prakerja.blacklist.publisher.freshness import freshness_of, programme_schedule

    if folder:
        kept = _kept_list(folder, pin, root)
        opened = kept.open_list()
        freshness = opened.trusted.freshness(datetime.now(UTC), programme_schedule())
        return opened.subjects, kept.key_of(opened.trusted), freshness
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
    from prakerja.blacklist.publisher.freshness import load_freshness as load_published
    from prakerja.blacklist.publisher.freshness import programme_schedule
    from prakerja_blacklist.commands.status import load_freshness

    if folder is None:
        return load_published(storage.find_list(Settings.from_environment().publish), datetime.now(UTC))
    return load_freshness(_kept_list(folder, pin, root), programme_schedule())


def _print_platforms(days: Iterable[tuple[str, str]]) -> None:
    from rich.table import Table

    table = Table("platform", "data as of")
    for platform, day in days:
        table.add_row(platform, day)
    print_table(table)
