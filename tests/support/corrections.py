"""Corrections of the small cohort's people, by the command line and by the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from prakerja.cli import app
from prakerja.cohorts import corrections
from prakerja.errors import PrakerjaError
from prakerja.revocations.approval import yield_waiting_batches
from tests.support.publisher import pick

WHY = "typed wrong by the office"


def run(*arguments: str, given: Any = None) -> Any:
    text = given if isinstance(given, str) or given is None else json.dumps(given)
    return CliRunner().invoke(app, ["correct", *arguments], input=text)


def correct(*entries: dict[str, str], by: str = "ani") -> str:
    """Correct people by standard input; return what is printed."""
    result = run("-", "--because", WHY, "--as", by, given=list(entries))
    assert result.exit_code == 0, (result.output, result.exception)
    return str(result.output)


def refused(*arguments: str, given: Any = None) -> str:
    result = run(*arguments, given=given)
    assert isinstance(result.exception, PrakerjaError), result.output
    return str(result.exception)


def approve(by: str = "siti") -> str:
    """Let another person approve the NIKs that wait; return their request."""
    (waiting,) = corrections.waiting()
    result = run("--digest", waiting.request[:16], "--as", by)
    assert result.exit_code == 0, (result.output, result.exception)
    return waiting.request


def correct_nik(card_number: str, nik: str) -> str:
    correct({"card_number": card_number, "nik": nik})
    return approve()


def nik_of(number: int) -> int:
    return int(pick(f"select nik from recipients_in_force where recipient_id = {number}")[0][0])


def sign_batch(key: Path) -> str:
    ((_, batch),) = yield_waiting_batches()
    named = ("approve", "12", "--digest", batch.digest, "--as", "siti", "--sign-with", str(key))
    result = CliRunner().invoke(app, named)
    assert result.exit_code == 0, result.exception
    return batch.digest
