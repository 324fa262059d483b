"""The service reads the counts that the runs have kept for the public statistics, and no table of cohorts.

The definitions changed and no table did: the new revision makes every warehouse apply them again.
"""

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    pass
