"""The settings as docs/configuration.md shows them, and as they are in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prakerja.settings import (
    COMPOSE,
    COMPOSE_SETTINGS,
    KEYS,
    MACHINE,
    MESSAGES,
    PLACES,
    READERS,
    REMOVED,
    REMOVED_SETTINGS,
    ForeignSetting,
    Setting,
    Settings,
    list_settings,
)

HEAD = """\
# Configuration

Settings are environment variables; secret ones may be files of the folder `PRAKERJA_SECRETS` instead. An empty one
counts as unset. A value that cannot be used is an error in one line, which names the variable and says what to write.
`prakerja settings` prints the settings of a process, with secrets as `set` or `unset`; `prakerja settings --markdown`
prints this page.
"""
NOTES = {
    KEYS: "Every key is secret. If Airflow has a secrets backend, a task takes the keys that its environment does not "
    "have from the backend's variables, named as the settings in lower case (`prakerja_signing_key`).",
    MESSAGES: "A gateway that `program.yaml` adds has `PRAKERJA_<GATEWAY>_URL` (secret), `_PROVIDER` and `_FROM`, like "
    "those below. In DAGs, the Airflow connections `prakerja_sms`, `prakerja_sms_fallback` and `prakerja_smtp` come "
    "before the URLs.",
    COMPOSE: "`docker-compose.yaml` sets most settings above for its containers. These are read from the environment "
    "of `docker compose`, or from a file `.env` beside it.",
    REMOVED: "A command that needs the successor of one of these stops and names it.",
}


class PresentSetting(NamedTuple):
    """A setting as it is in this process: `value` masks a secret, `source` is `environment`, `secrets` or `default`."""

    name: str
    value: str
    source: str


def list_present() -> list[PresentSetting]:
    """Return the settings of this process. Raises `PrakerjaError` for a value that cannot be used."""
    settings, found = Settings.from_environment(), []
    for field, setting in list_settings().items():
        value = getattr(settings, field)
        if field == "receipts_secret" and settings.receipts_secrets:
            given = [setting.name.replace("<PROVIDER>", name.upper()) for name in sorted(settings.receipts_secrets)]
            found += [PresentSetting(name, "set", _source(settings, name, True)) for name in given]
            continue
        shown = "unset" if value is None else "set" if setting.is_secret else str(value)
        found.append(PresentSetting(setting.name, shown, _source(settings, setting.name, setting.is_secret)))
    return found


def _source(settings: Settings, name: str, is_secret: bool) -> str:
    if name in settings.environment:
        return "environment"
    return "secrets" if is_secret and settings.find(name) is not None else "default"


def build_page() -> str:
    """Return docs/configuration.md."""
    read: list[Setting[object] | ForeignSetting] = [*list_settings().values(), *COMPOSE_SETTINGS]
    sections = [
        _section(title, [setting for setting in read if setting.section == title])
        for title in (PLACES, KEYS, MESSAGES, MACHINE, READERS, COMPOSE)
    ]
    removed = [
        f"## {REMOVED}",
        NOTES[REMOVED],
        _table(("variable", "instead"), [_removed(s) for s in REMOVED_SETTINGS]),
    ]
    return "\n\n".join([HEAD.rstrip("\n"), *sections, *removed])


def _section(title: str, settings: list[Setting[object] | ForeignSetting]) -> str:
    head = ("variable", "meaning", "type", "default", "secret")
    rows = [
        (f"`{each.name}`", each.meaning, each.kind.name, each.default_text, "yes" if each.is_secret else "")
        for each in settings
    ]
    return "\n\n".join([f"## {title}", *([NOTES[title]] if title in NOTES else []), _table(head, rows)])


def _removed(setting: ForeignSetting) -> tuple[str, str]:
    return f"`{setting.name}`", setting.meaning


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
