"""Reminders as messages with a fate: what may become of one, runs with pinned texts, opt-outs, what recipients lack."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
