"""Work in steps: the same work, with way given in between."""

from minutebook.actors.ledger.steps import in_steps


def test_way_is_given_after_each_item() -> None:
    """In order, and nothing else changes."""
    seen: list[object] = []

    def work(item: int) -> int:
        seen.append(item)
        return 10 * item

    assert in_steps(work, range(3), lambda: seen.append("way")) == [0, 10, 20]
    assert seen == [0, "way", 1, "way", 2, "way"]


def test_without_it_the_work_is_done_in_one_go() -> None:
    assert in_steps(abs, [-1, 2], None) == [1, 2]
    assert in_steps(abs, [], None) == []
