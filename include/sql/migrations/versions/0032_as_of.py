"""Functions name the day whose knowledge they use `as_of`.

The definitions changed and no table did: the new revision makes every warehouse apply them again.
"""

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    pass
