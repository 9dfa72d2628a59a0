"""The transition table of a plan's phases."""

import pytest

from minutebook.domain import IllegalTransition, Phase
from minutebook.domain.plan import (
    TRANSITIONS,
    ProcessingState,
    check_correction,
    check_transition,
    is_ended,
)

STEPS = {
    "action": ["strategize", "cancelled", "errored", "constrained"],
    "strategize": ["execute", "cancelled", "errored", "constrained"],
    "execute": ["apply", "cancelled", "errored", "constrained"],
    "apply": ["applied", "cancelled", "errored", "constrained"],
    "applied": [],
    "cancelled": [],
    "errored": [],
    "constrained": [],
}
PAIRS = [(current, wanted) for current in STEPS for wanted in STEPS]


def test_the_table_knows_every_phase() -> None:
    assert {phase.value for phase in Phase} == set(STEPS) == {phase.value for phase in TRANSITIONS}
    states = [state.value for state in ProcessingState]
    assert states == ["queued", "processing", "complete", "failed"]


@pytest.mark.parametrize(
    ("current", "wanted"), [pair for pair in PAIRS if pair[1] in STEPS[pair[0]]]
)
def test_a_legal_step_is_taken(current: str, wanted: str) -> None:
    check_transition("p-1", Phase(current), Phase(wanted))


@pytest.mark.parametrize(
    ("current", "wanted"), [pair for pair in PAIRS if pair[1] not in STEPS[pair[0]]]
)
def test_an_illegal_step_is_refused_with_the_legal_ones_named(current: str, wanted: str) -> None:
    with pytest.raises(IllegalTransition) as caught:
        check_transition("p-1", Phase(current), Phase(wanted))

    message = str(caught.value)
    assert message.startswith(f"plan p-1 is in phase {current} and cannot go to {wanted}: ")
    if STEPS[current]:
        assert message.endswith(f"from {current} it may go to {', '.join(STEPS[current])}.")
    else:
        assert message.endswith("it has ended; create a new plan.")


def test_a_phase_without_a_next_one_is_an_end() -> None:
    assert {phase for phase in Phase if is_ended(phase)} == {
        phase for phase in Phase if not STEPS[phase.value]
    }


@pytest.mark.parametrize("current", Phase)
@pytest.mark.parametrize("wanted", Phase)
def test_a_correction_re_enters_what_the_plan_has_had_and_is_not_working_on(
    current: Phase, wanted: Phase
) -> None:
    """From an end, what is legal is what was legal where the plan ended."""
    had = {Phase.STRATEGIZE: ["strategize"], Phase.EXECUTE: ["strategize", "execute"]}
    living = [phase for phase in Phase if not is_ended(phase)]
    for ended_in in (None, *living) if current in ("errored", "constrained") else (None,):
        legal = had.get(current if ended_in is None else ended_in, [])
        for state in ProcessingState:
            if wanted in legal and state is not ProcessingState.PROCESSING:
                check_correction("p-1", current, state, ended_in, wanted)
                continue
            with pytest.raises(IllegalTransition) as caught:
                check_correction("p-1", current, state, ended_in, wanted)
            if state is ProcessingState.PROCESSING:
                assert "is being worked on" in str(caught.value)
            elif legal:
                assert str(caught.value).endswith(f"it may re-enter {', '.join(legal)}.")
            else:
                assert str(caught.value).endswith(": create a new plan.")
