"""A list to publish, its keys, and the service over it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, rotation
from prakerja.blacklist.publisher.contracts_in_force import end_contract
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.blacklist.service import running
from prakerja.calendar import Cohort
from prakerja.cohorts import standing
from prakerja.cohorts.contacts import Contact, Contacts
from prakerja.monitor import figures
from prakerja.programme import programme
from prakerja.revocations import decision, reinstatement, revocation
from prakerja.serving import protocol
from prakerja.serving import running as server
from prakerja_blacklist.format.contract import FIRST_CONTRACT, POINTER
from tests.conftest import begin
from tests.support.auditor import PUBLISHED_AT, PUBLISHED_ON, Auditor
from tests.support.later_contract import LATER, publish_by_it
from tests.support.published_list import AT, DAY, reinstate, revoke, write_people
from tests.support.publisher import NEXT, WHO, published
from tests.support.root_holders import Holder, begin_roots
from tests.support.running_service import NOW, TODAY, Api, await_version, served
from tests.support.signed_batch import digest_of, sign
from tests.support.simulated_publisher import Repository
from tests.support.small_cohort import AT as DECIDED_AT
from tests.support.small_cohort import DECIDED_ON, PEOPLE, bought, carry_out, restate


@pytest.fixture
def listed(home: Path) -> Path:
    """Ten people of gelombang 12, five of them revoked; gives the blacklist's folder."""
    write_people()
    return home / "publish" / "blacklist"


@pytest.fixture
def later(listed: Path) -> Path:
    """One version of five; two more were revoked since, and one reinstated."""
    published("first")
    revoke([6, 7])
    reinstate(2)
    return listed


@pytest.fixture
def later_by_two(later: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `later`, and the list is published by a later contract too from now on; gives the folder of that list."""
    publish_by_it(monkeypatch)
    return later.parent / LATER.folder


@pytest.fixture
def both(later_by_two: Path, later: Path) -> Path:
    """Version 2 is published by both contracts; gives the folder of the later one's list."""
    assert published("second", NEXT) == 2
    return later_by_two


@pytest.fixture
def ended(both: Path) -> Path:
    """The first contract has ended with version 3; version 4 is published by the later one alone, in this folder."""
    end_contract(FIRST_CONTRACT.name, date(2021, 3, 18), NEXT, because="all have moved", ended_by="siti")
    revoke([8])
    assert published("third", NEXT + timedelta(days=1)) == 3
    revoke([9])
    assert published("fourth", NEXT + timedelta(days=2)) == 4
    return both


@pytest.fixture
def own_keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys that are nobody else's: a home of the test's own, with the same warehouse; gives its folder of keys."""
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", warehouse.url(login="warehouse").render_as_string(hide_password=False))
    monkeypatch.setenv("PRAKERJA_HOME", str(home / "own"))
    return home / "own" / "keys"


@pytest.fixture
def rekeyed(own_keys: Path, later: Path) -> Path:
    """As `later`, and the subjects have got another key since; gives the folder of the list under the earlier one."""
    earlier = configured_keys.load_subject_key().key_id
    rotation.rotate_subject_key(AT, **WHO)
    return Path(folder_under_key(later, earlier))


@pytest.fixture
def rotated(listed: Path, own_keys: Path) -> Path:
    """Three versions; the second and the third are signed by other keys, and the key before is not configured."""
    published("first")
    for occasion in ("second", "third"):
        rotation.rotate_signing_key(AT, at_once=True, **WHO)
        revoke([6] if occasion == "second" else [7])
        published(occasion, NEXT)
    return listed


@pytest.fixture
def holders(tmp_path: Path) -> list[Holder]:
    """Four people with root keys."""
    return [Holder.make(tmp_path / "holders" / name) for name in "abcd"]


@pytest.fixture
def rooted(listed: Path, own_keys: Path, holders: list[Holder]) -> Path:
    """One version, and root 1 (two of the first three people), which has endorsed its keyring."""
    published("first")
    begin_roots(holders[:3], AT)
    return listed


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets bounds; those that are not named bind nobody."""
    free = {"grows_free": 1000, "grows_share_max": 0.0, "shrinks_free": 1000, "shrinks_share_max": 0.0}

    def bound(**rules: float) -> None:
        for name, value in (free | rules).items():
            monkeypatch.setattr(programme().blacklist, name, value)

    return bound


@pytest.fixture
def sealed(listed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `listed`, with contacts that can be opened, as a roster has them."""
    monkeypatch.setenv("PRAKERJA_CONTACT_KEY", base64.b64encode(bytes(32)).decode())
    contacts = Contacts.configured()
    with warehouse.transaction(as_owner=True) as connection:
        for number in range(1, 11):
            connection.exec_driver_sql(
                "update recipients set contact = %s where card_number = %s",
                (contacts.key.seal(number, Contact(f"Nama {number}", "", "")), number),
            )
    return listed


@pytest.fixture
def growing(listed: Path, bound: Callable[..., None]) -> Path:
    """Five listed; one of them was reinstated since, and two more revoked, which is more than may be added."""
    published("first")
    reinstate(1)
    revoke([6, 7])
    bound(grows_free=1)
    return listed


@pytest.fixture
def own_home(home: Path, session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's folder is the test's own."""
    monkeypatch.setattr(running.Settings, "make_home", lambda _: home)
    return home


@pytest.fixture
def api(listed: Path, own_home: Path) -> Iterator[Api]:
    """A service over one version of five people, of today."""
    with of_today(own_home) as running_api:
        yield running_api


@pytest.fixture
def narrow_api(listed: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """As `api`, with room for four connections."""
    monkeypatch.setattr(server, "CONNECTIONS_LEAST", 4)
    monkeypatch.setattr(server, "CONNECTIONS_AT_ONCE", 4)
    with of_today(own_home) as running_api:
        yield running_api


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let go for being slow."""
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 3_600.0)
    monkeypatch.setattr(protocol, "SEND_SECONDS", 3_600.0)


@pytest.fixture(scope="module")
def asked_api(session_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """As `api`, for all tests of a file that only ask and that use no other home."""
    with pytest.MonkeyPatch.context() as patch:
        folder = begin(session_home, tmp_path_factory.mktemp("asked"), patch)
        patch.setattr(running.Settings, "make_home", lambda _: folder)
        write_people()
        with of_today(folder) as running_api:
            yield running_api


@contextmanager
def of_today(folder: Path) -> Iterator[Api]:
    publishing.publish("first", NOW, TODAY)
    standing.refresh_standings(DAY)
    figures.refresh(NOW)
    with served(folder) as running_api:
        await_version(running_api, 1)
        yield running_api


@pytest.fixture
def proposed(cohort: Cohort, signers: dict[str, Path]) -> decision.Decision:
    """Two people of gelombang 12 wait for a signature."""
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    return made


@pytest.fixture
def signed(cohort: Cohort, proposed: decision.Decision, signers: dict[str, Path]) -> decision.Decision:
    """Both are revoked, and Siti has signed."""
    sign(digest_of(), signers["siti"])
    assert revocation.revoke(cohort, proposed, DECIDED_ON) == 2
    return proposed


@pytest.fixture
def unlisted(home: Path) -> Iterator[Path]:
    """Make sure that nothing was published; gives the list's folder."""
    folder = home / "publish" / "blacklist"
    yield folder
    assert not (folder / POINTER).exists()


@pytest.fixture
def proven(signed: decision.Decision, home: Path) -> str:
    """Both are listed, and number 2 has bought in time, as a later delivery says; gives the batch to reinstate."""
    assert publishing.publish("first", DECIDED_AT, DECIDED_ON) == 1
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    assert reinstatement.reinstate(DECIDED_ON + timedelta(days=1)) == 0
    return digest_of("reinstatement")


@pytest.fixture
def listed_by_files(cohort: Cohort, home: Path) -> Path:
    """Recipients 1 and 2 are revoked and listed, by files in the landing zone; gives the blacklist's folder."""
    carry_out(cohort)
    publishing.publish("first", PUBLISHED_AT, PUBLISHED_ON)
    return home / "publish" / "blacklist"


@pytest.fixture
def auditor(listed_by_files: Path, home: Path, tmp_path: Path) -> Auditor:
    """An auditor of that list."""
    return Auditor.of(home, tmp_path / "given")


@pytest.fixture
def hostile(tmp_path: Path) -> Repository:
    """A version of a stranger's, signed by a key that lies beside it."""
    repository = Repository(tmp_path / "publish")
    repository.publish(range(1, 4))
    return repository


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of somebody else's."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    (folder / ".kept.1.tmp").write_text("kept")
    return folder
