"""The tables of an empty warehouse. A home of before this revision comes here by `history/`."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = None


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
