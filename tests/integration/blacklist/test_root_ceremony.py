"""The ceremony of root keys: proposed by the publisher, signed where nothing but the reader's package is, published."""

from __future__ import annotations

import json
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from prakerja.blacklist.publisher import configured_keys, root_ceremony, rotation
from prakerja.blacklist.publisher.root_keys import load_root_state
from prakerja.blacklist.service import running
from prakerja.blacklist.service.list_routes import read_key_file
from prakerja.errors import PrakerjaError
from prakerja.keys import new_signing_key
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.keyring import UntrustedError, file_name
from prakerja_blacklist.format.roots import endorsement_name, root_name
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.reader.root_follower import read_pinned_root
from prakerja_blacklist.reader.sources import Folder
from prakerja_blacklist.reader.sync import Client
from tests.support.published_list import AT, revoke, tree
from tests.support.publisher import MAY_SIGN, NEXT, WHO, manifest, published, reader, ring, rotations, signer, verified
from tests.support.root_holders import (
    RESPONSIBLE,
    Holder,
    ask,
    copy_package,
    proposal_in,
    publish_killed,
    run_offline,
)


def follower(folder: Path, listed: Path, number: int = 1) -> Client:
    """A reader that pins a root."""
    return Client(folder, [], configured_keys.load_subject_keys(), root=read_pinned_root(listed / root_name(number)))


def source(listed: Path) -> Folder:
    return Folder(UPath(listed))


def test_root_keys_from_the_first_to_a_list_that_they_vouch_for(
    listed: Path, own_keys: Path, home: Path, tmp_path: Path
) -> None:
    """With the real commands, each holder on a machine of their own; one has a passphrase."""
    published("first")
    assert "no root keys: whoever has the signing key can announce keys of their own" in ask("status", code=1)
    package, keys = copy_package(tmp_path / "offline"), [tmp_path / f"{name}.pem" for name in "abc"]
    for key, given in zip(keys, ("", "", "open sesame\nopen sesame\n"), strict=True):
        made = run_offline(package, "sign", "make-key", key, *(["--passphrase"] if given else []), given=given)
        assert made.returncode == 0, made.stderr
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in keys[2].read_bytes()
    assert "is there already" in run_offline(package, "sign", "make-key", keys[0]).stderr
    told = ask("root", "propose", *(each for key in keys for each in ("--key", f"{key}.pub")))
    proposal = proposal_in(told)

    first = tmp_path / "first copy.json"
    first.write_bytes(proposal.read_bytes())
    declined = run_offline(package, "sign", first, "--key", keys[0], given="no\n")
    assert (declined.returncode, first.read_bytes()) == (1, proposal.read_bytes())
    assert "root 1" in declined.stdout
    assert f"{signer()}  signs lists" in declined.stdout
    assert run_offline(package, "sign", first, "--key", keys[0], given="yes\n").returncode == 0
    assert "has 1 of the 2 signatures of root 1" in ask("root", "publish", first, *RESPONSIBLE, code=1)
    assert not (listed / root_name(1)).exists()
    wrong = run_offline(package, "sign", proposal, "--key", keys[2], "--yes", given="open sesam\n")
    assert (wrong.returncode, "or its passphrase" in wrong.stderr) == (1, True)
    signed = run_offline(package, "sign", proposal, "--key", keys[2], "--yes", given="open sesame\n")
    assert signed.returncode == 0, signed.stderr
    before = {name: data for name, data in tree(listed).items() if "root-" not in name}
    assert "root 1" in ask("root", "publish", first, proposal, *RESPONSIBLE)

    assert {name: data for name, data in tree(listed).items() if "root-" not in name} == before
    assert "keyring 1 is endorsed" in ask("status", code=1)
    assert "2 of 3 keys" in ask("root", "status")
    assert rotations() == ["keyring_endorsed", "root_changed"]
    for each in (follower(home / "follower", listed), reader(home / "reader")):
        assert each.sync(source(listed), AT).trusted.version == 1
    secrets = [key.read_bytes() for key in keys]
    kept = [path.read_bytes() for path in (home / "own").rglob("*") if path.is_file()]
    assert not any(secret in data for secret in secrets for data in kept)


def test_who_is_no_holder_and_what_is_no_proposal_are_refused(
    rooted: Path, holders: list[Holder], tmp_path: Path
) -> None:
    proposal = root_ceremony.propose_root([each.key.public for each in holders[:2]], None, AT)
    with pytest.raises(PrakerjaError, match="no signature of"):
        holders[3].sign(proposal)
    bent = json.loads(proposal.read_bytes())
    for fields in ({"keyrings": []}, {"root": None, "in_force": None}, {"in_force": None}, {"contract": "x"}):
        proposal.write_text(json.dumps(bent | fields))
        with pytest.raises(PrakerjaError):
            holders[0].sign(proposal)
    assert "is a private key, which must not be on this machine" in ask(
        "root", "propose", "--key", holders[0].private, code=1
    )
    own = tmp_path / "own.pem"
    own.write_bytes(configured_keys.load_signing_key().public.pem)
    assert "a key that signs lists is no root key" in ask("root", "propose", "--key", own, code=1)
    assert "asks for 3 signatures of 2 keys" in ask(
        "root", "propose", "--key", holders[0].public, "--key", holders[1].public, "--threshold", 3, code=1
    )
    assert "names a key twice" in ask("root", "propose", "--key", holders[0].public, "--key", holders[0].public, code=1)
    assert "there is nothing to sign" in ask("root", "propose", code=1)


def test_a_signing_key_is_announced_once_the_holders_have_signed(
    rooted: Path, home: Path, holders: list[Holder]
) -> None:
    old, clients = signer(), [follower(home / "follower", rooted), reader(home / "reader")]
    before = tree(rooted)
    told = rotation.rotate_signing_key(AT, **WHO)
    assert "is announced once holders of root keys have signed" in told
    assert rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    assert {name for name in tree(rooted) if "keys" in name} == {name for name in before if "keys" in name}
    proposal = proposal_in(rotation.rotate_signing_key(AT, **WHO))
    root_ceremony.publish([holders[1].sign(proposal), holders[2].sign(proposal)], AT, **WHO)
    assert set(ring(rooted).values()) == {None}
    assert "signs from the next version on" in rotation.rotate_signing_key(MAY_SIGN, **WHO)
    revoke([6])
    published("third", MAY_SIGN)
    assert manifest(rooted, 3).signing_key_id == signer() != old
    assert ring(rooted)[old] == 2, "older readers learn at once that the key before is retired"
    assert "keyring 3 is not endorsed" in ask("root", "status")
    for client in clients:
        assert client.sync(source(rooted), MAY_SIGN).trusted.signing_key_id == signer()
    proposal = root_ceremony.propose_keyring(MAY_SIGN)
    root_ceremony.publish([holders[0].sign(proposal), holders[2].sign(proposal)], MAY_SIGN, **WHO)
    assert load_root_state(UPath(rooted)).endorsed == 3
    assert clients[0].sync(source(rooted), MAY_SIGN).trusted.keyring == 3
    assert verified(rooted) == [1, 2, 3]


def test_an_announced_key_of_the_environment_waits_for_the_holders(
    rooted: Path, holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = new_signing_key().decode()
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", new)
    published("second", NEXT)
    assert len(ring(rooted)) == 1
    proposal = root_ceremony.propose_keyring(NEXT)
    root_ceremony.publish([each.sign(proposal) for each in holders[:2]], NEXT, **WHO)
    assert len(ring(rooted)) == 2
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", new)
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    assert published("third", NEXT) == 3


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_stolen_signing_key_is_replaced_and_revoked_in_one_ceremony(
    rooted: Path, home: Path, own_keys: Path, holders: list[Holder], is_announced: bool
) -> None:
    stolen, clients = signer(), [follower(home / "follower", rooted), reader(home / "reader")]
    if is_announced:
        proposal = proposal_in(rotation.rotate_signing_key(AT, **WHO))
        root_ceremony.publish([each.sign(proposal) for each in holders[:2]], AT, **WHO)
    for client in clients:
        client.sync(source(rooted), AT)
    pem = (own_keys / "signing_key.pem").read_bytes()
    proposal = proposal_in(ask("revoke-key", stolen, *RESPONSIBLE))
    assert signer() == stolen, "nothing has happened yet"
    told = ask("root", "publish", holders[0].sign(proposal), holders[2].sign(proposal), *RESPONSIBLE)
    assert f"{signer()} signs from now on" in told
    assert list(ring(rooted)) == [signer()] != [stolen]
    assert (own_keys / f"signing_key_retired_{stolen}.pem").read_bytes() == pem
    assert manifest(rooted, 2).signing_key_id == signer()
    now = datetime.now(UTC) + timedelta(minutes=1)
    for client in clients:
        assert client.sync(source(rooted), now).trusted.version == 2
    assert rotations()[-2:] == ["signing_changed", "signing_revoked"]
    assert ask("root", "publish", holders[0].sign(proposal), holders[2].sign(proposal), *RESPONSIBLE)
    assert verified(rooted) == [1, 2]
    assert published("third", now) == 3


def test_a_thief_of_the_signing_key_reaches_nobody_who_pins_the_root(
    rooted: Path, home: Path, own_keys: Path, holders: list[Holder]
) -> None:
    """The thief announces a key by the stolen one and writes it into the folder; the publisher does not follow it."""
    victim, older = follower(home / "follower", rooted), reader(home / "reader")
    for each in (victim, older):
        each.sync(source(rooted), AT)
    stolen_pin = keyring.Trust.from_pins([configured_keys.load_signing_key().public])
    trust = stolen_pin.follow(lambda name: (rooted / name).read_bytes() if (rooted / name).exists() else None)
    stolen, theirs = configured_keys.load_signing_key(), SigningKey.generate()
    made = keyring.build_next_keyring(trust, stolen, theirs, 2, AT, signed_by=stolen.public.key_id)
    assert made
    (rooted / file_name(2)).write_bytes(made)
    published("second", NEXT)
    assert theirs.public.key_id not in victim.sync(source(rooted), NEXT).trusted.trust.keys
    assert theirs.public.key_id in older.sync(source(rooted), NEXT).trusted.trust.keys
    assert load_root_state(UPath(rooted)).endorsed == 1
    proposal = proposal_in(ask("revoke-key", stolen.public.key_id, *RESPONSIBLE))
    signed = [each.sign(proposal) for each in holders[:2]]
    assert "is not what this warehouse has published" in ask("root", "publish", *signed, *RESPONSIBLE, code=1)
    ask("restore")
    ask("root", "publish", *signed, *RESPONSIBLE)
    now = datetime.now(UTC) + timedelta(minutes=1)
    assert victim.sync(source(rooted), now).trusted.signing_key_id == signer() != stolen.public.key_id


def test_at_night_with_no_holder_at_hand_older_readers_are_told_at_once(
    rooted: Path, home: Path, own_keys: Path, holders: list[Holder]
) -> None:
    stolen, pinned, older = signer(), follower(home / "follower", rooted), reader(home / "reader")
    for each in (pinned, older):
        each.sync(source(rooted), AT)
    told = ask("rotate-signing-key", "--now", "--without-root", *RESPONSIBLE)
    assert "signs from the next version on" in told
    ask("revoke-key", stolen, "--without-root", *RESPONSIBLE)
    now = datetime.now(UTC) + timedelta(minutes=1)
    assert older.sync(source(rooted), now).trusted.signing_key_id == signer() != stolen
    with pytest.raises(UntrustedError, match="the root has not endorsed it"):
        pinned.sync(source(rooted), now)
    kept = pinned.trusted()
    assert kept
    assert kept.version == 1
    assert "is not endorsed: readers that pin the root believe keyring 1" in ask("root", "status")
    proposal = proposal_in(ask("root", "propose"))
    ask("root", "publish", holders[1].sign(proposal), holders[2].sign(proposal), *RESPONSIBLE)
    assert pinned.sync(source(rooted), now).trusted.signing_key_id == signer()
    assert stolen in pinned.open_list().trusted.trust.revoked


def test_a_lost_root_key_is_replaced_and_counts_no_more(rooted: Path, home: Path, holders: list[Holder]) -> None:
    a, b, lost, new = holders
    pinned = follower(home / "follower", rooted)
    pinned.sync(source(rooted), AT)
    stale = root_ceremony.propose_root([a.key.public, b.key.public], None, AT)
    proposal = proposal_in(
        ask("root", "propose", *(each for holder in (a, b, new) for each in ("--key", holder.public)))
    )
    copies = [holder.sign(proposal) for holder in (a, new)]
    assert "has 1 of the 2 signatures of root 1" in ask("root", "publish", *copies, *RESPONSIBLE, code=1)
    told = ask("root", "publish", *copies, b.sign(proposal), *RESPONSIBLE)
    assert "readers that pin an earlier one follow it by themselves" in told
    assert pinned.sync(source(rooted), AT).how == "unchanged"
    assert follower(home / "newcomer", rooted, 2).sync(source(rooted), AT).trusted.version == 1
    with pytest.raises(PrakerjaError, match="the list's keys have changed since this was proposed"):
        root_ceremony.publish([a.sign(stale), b.sign(stale)], AT, **WHO)
    rotation.rotate_signing_key(AT, **WHO)
    announced = root_ceremony.propose_keyring(AT)
    with pytest.raises(PrakerjaError, match="no signature of"):
        lost.sign(announced)
    root_ceremony.publish([new.sign(announced), a.sign(announced)], AT, **WHO)
    assert pinned.sync(source(rooted), AT).trusted.keyring == 2


def test_a_ceremony_that_is_killed_anywhere_is_taken_up_again(
    rooted: Path, home: Path, own_keys: Path, holders: list[Holder]
) -> None:
    stolen, pinned = signer(), follower(home / "follower", rooted)
    pinned.sync(source(rooted), AT)
    proposal = root_ceremony.propose_revocation(stolen, AT, **WHO)
    signed, killed, step = [each.sign(proposal) for each in holders[:2]], 0, 0
    while (code := publish_killed(signed, NEXT, step := step + 1)) != 0:
        killed += code == -9
        assert code == -9, f"at step {step}"
    assert killed >= 10
    assert list(ring(rooted)) == [signer()] != [stolen]
    assert pinned.sync(source(rooted), NEXT).trusted.signing_key_id == signer()
    assert sorted(rotations()) == sorted(
        [
            "keyring_endorsed",
            "root_changed",
            "signing_announced",
            "keyring_endorsed",
            "signing_changed",
            "signing_revoked",
        ]
    )
    assert verified(rooted) == [1, 2]


def test_a_folder_that_was_emptied_gets_its_roots_back(rooted: Path, home: Path, holders: list[Holder]) -> None:
    before = tree(rooted)
    for name in (root_name(1), endorsement_name(1, 1)):
        (rooted / name).unlink()
    ask("restore")
    assert tree(rooted) == before
    (rooted / root_name(1)).write_bytes(b"{}")
    assert "the root keys cannot be read" in ask("status", code=1)
    ask("restore")
    assert tree(rooted) == before


def test_a_list_that_is_published_anew_keeps_its_root_keys_unless_they_are_left_behind(
    rooted: Path, home: Path, holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = (rooted / root_name(1)).read_bytes()
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "anew"))
    ask("republish", *RESPONSIBLE)
    anew = home / "anew" / "blacklist"
    assert (anew / root_name(1)).read_bytes() == root
    assert "refuse the list" in ask("root", "status")
    in_force = [each.key.public for each in holders[:3]]  # a new root: what was endorsed of the list before ends
    proposal = root_ceremony.propose_root(in_force, None, AT)
    root_ceremony.publish([each.sign(proposal) for each in holders[:2]], AT, **WHO)
    shutil.copy(rooted / endorsement_name(1, 1), anew / endorsement_name(1, 1))
    assert follower(home / "follower", anew).sync(source(anew), AT).trusted.root.roots[1:]
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "without"))
    ask("republish", "--without-root", *RESPONSIBLE)
    assert "no root keys" in ask("root", "status")
    root_ceremony.propose_root([each.key.public for each in holders[1:]], None, AT)


def test_readers_and_the_service_take_a_root_in_place_of_a_key(rooted: Path, home: Path) -> None:
    root, pem = rooted / root_name(1), rooted / "keys" / f"{signer()}.pem"
    reads = ("sync", home / "copy", "--from", rooted.parent, "--at", "2021-03-15T01:00:00Z")
    assert "version 1" in ask(*reads, "--root", root)
    assert "expired" in ask("status", "--in", home / "copy", "--root", root, code=1)
    assert "was synced with --root" in ask("status", "--in", home / "copy", "--pin", pem, code=1)
    assert "--root or --pin" in ask(*reads, "--root", root, "--pin", pem, code=2)
    assert "cannot be read" in ask(*reads, "--root", home / "nothing.json", code=1)
    assert "does not fit" in ask(*reads, "--root", rooted / file_name(1), code=1)
    service = running.build_service(str(rooted.parent), None, read_pinned_root(root))
    service.lists.refresh()
    assert service.lists.problem == ""
    assert signer() in service.lists.trust.keys
    for name in (file_name(1), root_name(1), endorsement_name(1, 1)):
        assert read_key_file(service, source(rooted), name.removeprefix("keys/")) == (rooted / name).read_bytes()


def test_without_root_keys_no_ceremony_is_asked_for(listed: Path, own_keys: Path) -> None:
    published("first")
    assert "there are no root keys yet" in ask("root", "propose", code=1)
    assert "is announced, and may sign from" in rotation.rotate_signing_key(AT, **WHO)
