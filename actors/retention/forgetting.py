"""Forgetting somebody: the keys of the personal fields are destroyed, and that is told."""

from __future__ import annotations

from minutebook.actors.ledger.subject_keys import SubjectKeys
from minutebook.actors.retention.clerk import Clerk
from minutebook.actors.retention.holding import read_holds
from minutebook.domain.errors import UnderLegalHold, UnknownSubject
from minutebook.domain.events.retention import SubjectForgotten
from minutebook.domain.redaction import Redactor
from minutebook.domain.state.retention import ForgottenSubject


def forget(clerk: Clerk, keys: SubjectKeys, redactor: Redactor, subject: str) -> ForgottenSubject:
    """Destroy a subject's keys; nothing that was sealed for the subject can be read any more.

    What is told about the subject later gets a new key. One that was forgotten before is left as
    it is, and told once only; what a crash kept from being told is told now.

    Raises:
        UnderLegalHold: a hold keeps all that this user did; its keys stay.
        UnknownSubject: there never was a key for it.
        SubjectKeysError: the keys cannot be written.
        LedgerError: they are destroyed, and it could not be told: forget again.
    """
    shown = redactor.mask(subject)
    with clerk.turn() as connection:
        holds = read_holds(connection).values()
    for hold in holds:
        if (hold.kind, hold.value) == ("user", subject):
            msg = f"hold {hold.hold_id} keeps what is to be forgotten; lift it first."
            raise UnderLegalHold(msg)
    places = keys.destroy(subject)
    if places is None:
        msg = (
            "no personal field was ever kept for this subject; give it as the events say it:"
            " case and blanks count."
        )
        raise UnknownSubject(msg)
    if places:
        clerk.enter(
            SubjectForgotten(source=clerk.source, subject=shown, keys_destroyed=len(places))
        )
        keys.note_told(places)
    return ForgottenSubject(subject=shown, keys_destroyed=len(places))
