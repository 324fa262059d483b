"""Which decision tables and reports tell of, what a restatement changes: each in one function; a current index."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    # Else a delivery's rows are looked for in all that came since the last vacuum, which may be a month.
    op.execute("alter index transactions_delivery_id set (autosummarize = on)")
