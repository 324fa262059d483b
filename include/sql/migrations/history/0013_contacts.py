"""Names, phones and e-mail addresses are sealed by a key that the warehouse does not have."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from prakerja import warehouse
from prakerja.cohorts.contacts import ROWS_AT_ONCE, Contact, Contacts

revision = "0013"
down_revision = "0012"

PLAIN = """
select recipient_id, card_number, full_name, phone, email
from recipients
where contact is null
order by recipient_id
limit :most
"""


def upgrade() -> None:
    op.execute(
        "alter table recipients add column contact bytea, add column phone_token text not null default '',"
        " add column email_token text not null default ''"
    )
    connection = op.get_bind()
    while rows := connection.execute(sa.text(PLAIN), {"most": ROWS_AT_ONCE}).mappings().all():
        people = [(row["card_number"], Contact(row["full_name"], row["phone"], row["email"])) for row in rows]
        warehouse.execute(
            connection,
            "cohorts/update_contacts",
            recipient_ids=[row["recipient_id"] for row in rows],
            **Contacts.configured().columns(people),
        )
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
