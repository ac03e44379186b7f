"""Run by Alembic for every command. The connection and its transaction are the caller's (db/migrate.py)."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    # SQLite can undo DDL like PostgreSQL, because db/engine.py begins transactions itself
    transactional_ddl=True,
    render_as_batch=context.config.attributes.get("render_as_batch", True),
    compare_type=True,
    render_item=context.config.attributes.get("render_item"),
)
with context.begin_transaction():
    context.run_migrations()
