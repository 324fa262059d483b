"""Alembic's entry: the connection comes from `prakerja.schema.upgrade`, never from a file."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
