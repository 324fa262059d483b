"""What publishing stands on: keys of versions, approvals of jumps, rotations, API keys, and lookups without the NIK."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
