"""Lists and texts are cut to what an event may hold, and say how much is missing."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from minutebook.domain.fitting import LIST_BYTES_MAX, fit, fit_texts, shortened
from minutebook.domain.surrogates import escape


@given(st.lists(st.integers(0, LIST_BYTES_MAX), max_size=60))
def test_the_first_items_are_kept_as_many_as_fit(sizes: list[int]) -> None:
    kept, omitted = fit(sizes, lambda size: size)

    assert list(kept) == sizes[: len(kept)]
    assert len(kept) + omitted == len(sizes)
    assert sum(kept) <= LIST_BYTES_MAX
    assert not omitted or sum(sizes[: len(kept) + 1]) > LIST_BYTES_MAX


def test_the_limit_is_32_kib_and_may_be_reached() -> None:
    assert LIST_BYTES_MAX == 32_768
    assert fit([LIST_BYTES_MAX], lambda size: size) == ((LIST_BYTES_MAX,), 0)
    assert fit([LIST_BYTES_MAX + 1, 0], lambda size: size) == ((), 2)
    assert fit([], len) == ((), 0)


@given(st.lists(st.text(st.characters() | st.sampled_from("\x10\x00\udc80\ud800")), max_size=40))
def test_texts_take_no_more_than_they_are_counted_for(texts: list[str]) -> None:
    kept, omitted = fit_texts(texts * 50)

    assert len(kept) + omitted == len(texts) * 50
    stored = orjson.dumps([escape(text) for text in kept])
    # U+0010 and surrogates come to ten bytes each: an escape and four digits.
    assert len(stored) <= LIST_BYTES_MAX * 10 / 6 + 2


@given(st.text(max_size=60), st.integers(5, 60))
def test_a_shortened_text_keeps_its_ends_within_the_limit(text: str, characters_max: int) -> None:
    short = shortened(text, characters_max)

    assert len(short) <= characters_max
    if len(text) <= characters_max:
        assert short == text
    else:
        head, _, tail = short.partition(" ... ") if " ... " not in text else ("", "", "")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_a_text_is_left_alone_up_to_2000_characters() -> None:
    assert shortened("x" * 2000) == "x" * 2000
    assert len(shortened("x" * 2001)) <= 2000
    assert shortened("a" * 5000 + "b" * 5000).startswith("aaa")
    assert shortened("a" * 5000 + "b" * 5000).endswith("bbb")
