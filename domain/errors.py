"""Every error that Minutebook raises, grouped by the operation that raises it.

All derive from `MinutebookError`, so that ``except MinutebookError`` is enough for a
host that treats them alike. Each message says what was wrong and ends in what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minutebook.domain.events.conflict import Conflict


class MinutebookError(Exception):
    """Root of every error that Minutebook raises."""


# -- defining and building events ---------------------------------------------


class EventDefinitionError(MinutebookError, TypeError):
    """An event class is declared wrongly; raised when the class statement runs."""


class InvalidEvent(MinutebookError, ValueError):
    """An event cannot be built or stored as given; nothing was recorded."""


class InvalidBinding(MinutebookError, ValueError):
    """`bind` was given a value that cannot be bound; nothing was bound."""


# -- telling events -----------------------------------------------------------


class DuplicateEvent(MinutebookError):
    """The ledger already holds this event id with another type or payload."""


class AuditClosed(MinutebookError):
    """The audit system is closed, or is closing; the event or command was not taken."""


class AuditBacklogFull(MinutebookError):
    """Too many events wait for the ledger; this one was not taken."""


class AuditUnavailable(MinutebookError):
    """The ledger cannot be written, and a system that is fail-closed does nothing unrecorded."""


class JournalError(MinutebookError):
    """The journal cannot be written: no room, or no permission; the event was not taken."""


class FlushTimeout(MinutebookError, TimeoutError):
    """Not everything told before the flush was committed in time; it is still queued."""


# -- opening and writing the ledger -------------------------------------------


class LedgerError(MinutebookError):
    """Something about the ledger file or its storage; see the subclasses."""


class LedgerPathError(LedgerError):
    """The ledger's path cannot hold a ledger: missing directory, or a directory itself."""


class NotALedger(LedgerError):
    """The file exists but is not a Minutebook ledger; it was left untouched."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer Minutebook; it was left untouched."""


class LedgerCorrupt(LedgerError):
    """SQLite reports that the ledger file is damaged; it was left untouched."""


class NetworkFileSystem(LedgerPathError):
    """The path is on a network file system, where SQLite's write-ahead log does not work."""


class LedgerAstray(LedgerError):
    """The file at the path is missing, or is not the ledger that its side files belong to."""


class LedgerReadOnly(LedgerError):
    """The ledger file or its directory may not be written."""


class LedgerUnavailable(LedgerError):
    """The ledger cannot be written at the moment; the batch is kept and retried."""


class LedgerBusy(LedgerUnavailable):
    """Another connection holds SQLite's write lock for longer than the busy timeout."""


class LedgerFull(LedgerUnavailable):
    """The disk is full, or a size limit was reached."""


class LedgerInputOutput(LedgerUnavailable):
    """The operating system reported an I/O error on the ledger's files."""


class UncommittedEvents(LedgerError):
    """Events that were accepted are not known to be in the ledger; `count` says how many."""

    def __init__(self, message: str, *, count: int) -> None:
        super().__init__(message)
        self.count = count
        """How many accepted events are not in the ledger."""


# -- reading the ledger -------------------------------------------------------


class LedgerMissing(LedgerError):
    """There is no file at the path; a reader never makes one."""


class InvalidQuery(MinutebookError, ValueError):
    """What was asked of the ledger makes no sense, such as a time that is none."""


class UnreadableEvent(MinutebookError, ValueError):
    """An entry cannot be read as an object of its event's class; what is stored is unharmed."""


class EntryNotFound(LedgerError, LookupError):
    """No entry of the ledger has the id or index that was asked for."""


class AmbiguousEntry(LedgerError, LookupError):
    """More than one entry fits the beginning of an id that was asked for."""


# -- proving what is in the ledger --------------------------------------------


class InvalidNote(MinutebookError, ValueError):
    """A signed note, a checkpoint, a key or a proof is not of the form that it must have."""


class ProofRefused(MinutebookError):
    """A proof, or a signature on it, does not hold: what it claims is not shown by it."""


class NotYetProvable(LedgerError):
    """No signed checkpoint covers the entry yet."""


class SigningFailed(LedgerError):
    """The log's key cannot be used to sign a checkpoint; the entries are committed all the same."""


class WitnessRefused(MinutebookError):
    """A log is not consistent with what the witness signed before; nothing was signed."""


# -- keeping and forgetting ---------------------------------------------------


class UnknownHold(MinutebookError, LookupError):
    """There is no legal hold of this id."""


class UnderLegalHold(MinutebookError):
    """A legal hold keeps what was to be erased; it was left as it is."""


class SegmentRefused(MinutebookError):
    """A segment does not show what it says: it was changed, or somebody else signed it."""


class ArchiveFailed(MinutebookError):
    """A segment cannot be written, or its copy in the archive is not what it should be."""


class SubjectKeysError(MinutebookError):
    """The file with the keys of personal fields cannot be used."""


class UnknownSubject(MinutebookError, LookupError):
    """No key was ever made for this subject, so that there is nothing to forget."""


# -- ending -------------------------------------------------------------------


class SignalsUnavailable(MinutebookError, RuntimeError):
    """Signals cannot be handled here: not the main thread, or not this signal."""


# -- settings and commands ----------------------------------------------------


class SettingsError(MinutebookError, ValueError):
    """A setting, from a keyword or a ``MINUTEBOOK_*`` variable, has no valid value."""


class InvalidCommand(MinutebookError, ValueError):
    """A request to a service actor has a missing or malformed argument."""


class AppDatabaseError(MinutebookError):
    """The app database, where the services keep their state, cannot be read or written."""


class FileLockError(MinutebookError):
    """A lock file cannot be made, or another process holds it; nothing was done."""


class ServiceFailure(MinutebookError):
    """A service actor met an error that it did not expect; the cause is chained."""


# -- sessions -----------------------------------------------------------------


class UnknownSession(MinutebookError, LookupError):
    """No session has this id."""


class SessionAlreadyClosed(MinutebookError):
    """The session was closed before."""


class SessionExpired(SessionAlreadyClosed):
    """The session's time was over, or it was idle for too long; create a new one."""


class SessionStillOpen(MinutebookError):
    """The session is open, and only closed ones may be deleted."""


# -- authentication -----------------------------------------------------------


class AuthenticationFailed(MinutebookError):
    """The credential was not accepted; the message never says which part was wrong."""


class PermissionDenied(MinutebookError):
    """Whoever asks is known, and may not do this; the refusal was recorded."""


class PasswordHashingFailed(MinutebookError):
    """A password could not be hashed or checked, for want of memory; nothing was changed."""


class UserExists(MinutebookError):
    """A user of this name exists already."""


class UnknownUser(MinutebookError, LookupError):
    """No user has this name."""


class UnknownToken(MinutebookError, LookupError):
    """No API token has this id."""


class UnknownDelegation(MinutebookError, LookupError):
    """The user has not allowed this agent anything."""


# -- configuration ------------------------------------------------------------


class ConfigError(MinutebookError):
    """The configuration file cannot be read or written."""


class InvalidConfig(ConfigError, ValueError):
    """A value, or a key, of the configuration does not fit the host's model."""


class UnknownConfigKey(MinutebookError, LookupError):
    """The configuration has no such key."""


# -- plans, sandboxes and projects --------------------------------------------


class UnknownPlan(MinutebookError, LookupError):
    """No plan has this id."""


class UnknownCancellation(MinutebookError, LookupError):
    """Nobody has asked for the plan to be cancelled."""


class InvalidHolder(MinutebookError, ValueError):
    """What was registered as a holder of resources is none, or has the name of another one."""


class IllegalTransition(MinutebookError):
    """The plan's phase does not allow this step; the message names the legal ones."""


class PlanConstrained(MinutebookError):
    """The plan cannot go on within its limits, and has ended; the message names the limit."""


class ApprovalMissing(MinutebookError):
    """The plan needs somebody's approval before it is applied, and has none."""


class UnknownDecision(MinutebookError, LookupError):
    """The plan has no decision of this id, or a correction has made it void."""


class ProjectError(MinutebookError):
    """Something about the project's directory or repository; see the subclasses."""


class ProjectMissing(ProjectError, LookupError):
    """The project's path does not exist or is not a directory."""


class NotARepository(ProjectError):
    """The project's path is not the top of a git work tree with a commit."""


class ProjectsOverlap(ProjectError):
    """A plan was given the same project twice, or one inside another."""


class ProjectDirty(ProjectError):
    """The project has uncommitted changes; it was left as it is."""


class MergeConflict(ProjectError):
    """The plan's changes do not merge into the project; `conflicts` says where."""

    def __init__(self, message: str, *, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__(message)
        self.conflicts = conflicts
        """Each file in conflict, with the kind of conflict and the lines."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Files in conflict, relative to their projects."""
        return tuple(dict.fromkeys(conflict.path for conflict in self.conflicts))


class ValidationFailed(ProjectError):
    """A validation command of the plan failed; the project was left as it is."""


class ProjectMoved(ProjectError):
    """The project's branch moved while the plan was being applied; nothing was changed."""


class GitError(ProjectError):
    """A git command failed; the message carries its standard error."""


class DirectoryProjectError(ProjectError):
    """A project that is a plain directory cannot be copied, compared or written as asked."""


class UnknownSandbox(MinutebookError, LookupError):
    """No sandbox, and no plan either, has this id."""


class WorkFailed(MinutebookError):
    """The plan's work ended with an error or was stopped."""


class WorkerDied(WorkFailed):
    """The process that worked on the plan was killed; who found it has ended the plan."""


class UnimportableWork(MinutebookError, ValueError):
    """The plan's work is a callable that a child process could not import."""
