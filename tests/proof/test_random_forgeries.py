"""Whatever is changed at random, anywhere in what was signed, is found."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain.entry import COLUMNS
from tests.proof import forging
from tests.proof.conftest import Noted

SAMPLE = 40
ALL = 600

Forgery = Callable[[sqlite3.Connection, random.Random, int], None]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "audit.db"
    with AuditSystem.open(path, checkpoint_every=100, batch_max=30) as system:
        for number in range(800):
            system.audit.tell(Noted(number=number, user_identity="alice"))
    return path


def change_a_column(database: sqlite3.Connection, chance: random.Random, index: int) -> None:
    name = chance.choice([name for name in COLUMNS if name not in ("log_index", "id")])
    (old,) = database.execute(
        f"SELECT {name} FROM entries WHERE log_index = ?", (index,)
    ).fetchone()
    new: object
    if isinstance(old, bytes):
        place = chance.randrange(len(old))
        new = old[:place] + bytes([old[place] ^ 1 << chance.randrange(8)]) + old[place + 1 :]
    elif isinstance(old, int):
        new = old + chance.choice([-1, 1, 1000])
    else:
        new = f"{old}x"
    database.execute(f"UPDATE entries SET {name} = ? WHERE log_index = ?", (new, index))


def change_and_hash_again(database: sqlite3.Connection, chance: random.Random, index: int) -> None:
    body = forging.edited(forging.body_of(database, index), user_identity="nobody")
    forging.rewrite(database, index, body)
    if chance.random() < 0.5:
        forging.regrow(database)


def delete_some(database: sqlite3.Connection, chance: random.Random, index: int) -> None:
    count = chance.choice([1, 2, 50])
    database.execute(
        "DELETE FROM entries WHERE log_index BETWEEN ? AND ?", (index, index + count - 1)
    )
    if count == 1 and chance.random() < 0.5:
        forging.close_up(database, index)
        if chance.random() < 0.5:
            forging.regrow(database)


def swap_two(database: sqlite3.Connection, chance: random.Random, index: int) -> None:
    other = (index + chance.randrange(1, 700)) % 700
    forging.swap(database, index, other)
    if chance.random() < 0.5:
        forging.regrow(database)


def repeat_one(database: sqlite3.Connection, chance: random.Random, index: int) -> None:
    body = forging.body_of(database, index).replace(b'"id":"0', b'"id":"f')
    forging.rewrite(database, (index + 5) % 700, body)


FORGERIES: tuple[Forgery, ...] = (
    change_a_column,
    change_and_hash_again,
    delete_some,
    swap_two,
    repeat_one,
)


def check(small: Path, directory: Path, seed: int) -> None:
    shutil.copytree(small.parent, directory)
    path, chance = directory / small.name, random.Random(seed)
    forgery = chance.choice(FORGERIES)
    with forging.forging(path) as database:
        forgery(database, chance, chance.randrange(700))
    assert verify_ledger(path).findings, (forgery.__name__, seed)


def test_a_sample_of_forgeries_is_found(small: Path, tmp_path: Path) -> None:
    assert verify_ledger(small).findings == ()
    for seed in range(SAMPLE):
        check(small, tmp_path / str(seed), seed)
        shutil.rmtree(tmp_path / str(seed))


@pytest.mark.slow
def test_all_forgeries_are_found(small: Path, tmp_path: Path) -> None:
    for seed in range(SAMPLE, ALL):
        check(small, tmp_path / str(seed), seed)
        shutil.rmtree(tmp_path / str(seed))
