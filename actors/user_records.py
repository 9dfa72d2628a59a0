"""Users, roles and delegations, as the app database has them."""

from __future__ import annotations

from datetime import datetime

from minutebook.actors.appdb import AppDatabase
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import UnknownUser
from minutebook.domain.state import Delegation, User

_COLUMNS = "name, created_at, disabled_at, failed_attempts, lock_ends_at"


def all_users(database: AppDatabase) -> tuple[User, ...]:
    """Return the users, by name."""
    roles: dict[str, list[str]] = {}
    for row in database.rows("SELECT user_name, role FROM user_roles ORDER BY role"):
        roles.setdefault(row["user_name"], []).append(row["role"])
    rows = database.rows(f"SELECT {_COLUMNS} FROM users ORDER BY name")
    return tuple(User(**row, roles=tuple(roles.get(row["name"], ()))) for row in rows)


def find_user(database: AppDatabase, name: str) -> User | None:
    """Return a user, or ``None``."""
    row = database.row(f"SELECT {_COLUMNS} FROM users WHERE name = ?", (name,))
    if row is None:
        return None
    roles = database.rows("SELECT role FROM user_roles WHERE user_name = ? ORDER BY role", (name,))
    return User(**row, roles=tuple(role["role"] for role in roles))


def known_user(database: AppDatabase, name: str) -> User:
    """Return a user.

    Raises:
        UnknownUser: there is none of this name.
    """
    user = find_user(database, name)
    if user is None:
        msg = f"no user is named {name!r}; list_users() names those there are."
        raise UnknownUser(msg)
    return user


def delegation_of(database: AppDatabase, person: str, agent: str) -> Delegation | None:
    """Return what a person has allowed an agent, whether or not it has expired."""
    row = database.row("SELECT * FROM delegations WHERE person = ? AND agent = ?", (person, agent))
    return None if row is None else Delegation(**row)


def valid_delegation(
    database: AppDatabase, person: str, agent: str, now: datetime
) -> Delegation | None:
    """Return what lets an agent act for a person now, if anything does: both are let in."""
    row = database.row(
        "SELECT * FROM delegations WHERE person = ?1 AND agent = ?2"
        " AND (expires_at IS NULL OR expires_at > ?3) AND NOT EXISTS"
        " (SELECT 1 FROM users WHERE name IN (?1, ?2) AND disabled_at IS NOT NULL)",
        (person, agent, to_microseconds(now)),
    )
    return None if row is None else Delegation(**row)
