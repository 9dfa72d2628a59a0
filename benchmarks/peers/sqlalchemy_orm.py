"""SQLAlchemy's ORM: one object, one commit, in the caller's thread."""

from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_row


class Base(DeclarativeBase):
    """The mapping."""


class Logged(Base):
    """A row."""

    __tablename__ = sqlite_file.TABLE
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    type: Mapped[str]
    occurred_at: Mapped[str]
    user_identity: Mapped[str | None]
    body: Mapped[str]


class SqlAlchemyOrm(Peer):
    """`session.add`, `session.commit`; WAL and FULL."""

    title = "SQLAlchemy ORM, a commit each"
    kind = "database"
    needs = ("SQLAlchemy",)
    returns = "disk"

    def open(self, directory: Path) -> None:
        """Make the engine and a session."""
        self._engine = create_engine(f"sqlite:///{directory / 'orm.db'}")

        @event.listens_for(self._engine, "connect")
        def set_up(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                cursor.execute(f"PRAGMA {pragma}").fetchall()
            cursor.close()

        Base.metadata.create_all(self._engine)
        self._session = Session(self._engine, expire_on_commit=False)
        raw = self._session.connection().connection.dbapi_connection
        self.settings = sqlite_file.settings_of(raw)
        self._session.commit()
        assert self.settings == {"journal_mode": "wal", "synchronous": "FULL"}, self.settings

    def emit(self) -> None:
        """Build it, add it, commit it."""
        row = to_row(build())
        self._session.add(
            Logged(id=row[0], type=row[1], occurred_at=row[2], user_identity=row[3], body=row[4])
        )
        self._session.commit()

    def drain(self) -> None:
        """Forget the objects; a session of a host lives no longer than a request."""
        self._session.expunge_all()

    def close(self) -> None:
        """Close the session and the engine."""
        self._session.close()
        self._engine.dispose()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "orm.db")
