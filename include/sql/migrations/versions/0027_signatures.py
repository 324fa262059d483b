"""Signed approvals count alone where the rule says so, bind identities, and may be added to an unsigned approval."""

from pathlib import Path

from alembic import op

revision = "0027"
down_revision = "0024"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
