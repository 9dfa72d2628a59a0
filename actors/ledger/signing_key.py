"""The log's private key: in a file that is made with its first use, or in a setting."""

from __future__ import annotations

from pathlib import Path

from minutebook.actors.ledger.ed25519 import Signer
from minutebook.actors.ledger.new_file import create_once, replace
from minutebook.domain.errors import InvalidNote, SigningFailed
from minutebook.domain.note import SecretKey, VerifierKey


class KeySource:
    """Where the key comes from.

    Args:
        path: of the key's file.
        text: the key itself, as `SecretKey.as_text` writes it, in the place of a file.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self._text = text
        self._signer: Signer | None = None

    def signer(self, name: str, announced: VerifierKey | None) -> Signer:
        """Return the key that the log has announced; the first one is made.

        Args:
            name: what a new key signs under.
            announced: by the log; ``None`` when it has not signed anything yet.

        Raises:
            SigningFailed: the key cannot be read, or is another one.
        """
        if self._signer is None or announced not in (None, self._signer.vkey):
            self._signer = self._load(name, announced)
        return self._signer

    def _load(self, name: str, announced: VerifierKey | None) -> Signer:
        if self._text is not None:
            where, signer = "the setting signing_key", _signer_of(self._text, "signing_key")
        else:
            where, signer = f"key file {self.path}", self._from_files(name, announced)
        if announced not in (None, signer.vkey):
            msg = (
                f"{where} holds another key than {announced.as_text()}, which the log has"
                " announced last; restore that one, or let `minutebook keys --rotate` announce a"
                " new one."
            )
            raise SigningFailed(msg)
        return signer

    def _from_files(self, name: str, announced: VerifierKey | None) -> Signer:
        try:
            if announced is None and not self.path.exists():
                create_once(self.path, _line(Signer.new(name)))
            signer = _signer_of(self.path.read_text(encoding="utf-8"), f"key file {self.path}")
            following = self._following()
            if following is not None and announced == following.vkey:
                # Whoever announced it did not come to this.
                self.finish_rotation()
                return following
        except (OSError, UnicodeDecodeError) as error:
            msg = f"key file {self.path}: {error}; make it readable, or restore it from a backup."
            raise SigningFailed(msg) from error
        return signer

    # -- taking another key's place: the new one lies beside the old until it is announced --------

    @property
    def _next_path(self) -> Path:
        return self.path.with_name(self.path.name + ".next")

    def _following(self) -> Signer | None:
        if not self._next_path.exists():
            return None
        return _signer_of(
            self._next_path.read_text(encoding="utf-8"), f"key file {self._next_path}"
        )

    def begin_rotation(self, name: str) -> Signer:
        """Draw the key that comes next, and keep it in a file of its own.

        Raises:
            SigningFailed: it cannot be kept, or the key is no file's.
        """
        if self._text is not None:
            msg = "the signing key is a setting; change it there once the new one is announced."
            raise SigningFailed(msg)
        signer = Signer.new(name)
        try:
            replace(self._next_path, _line(signer))
        except OSError as error:
            msg = f"key file {self._next_path}: {error}; make its directory writable."
            raise SigningFailed(msg) from error
        return signer

    def finish_rotation(self) -> None:
        """Put the new key into the place of the old one, which is gone for good.

        Raises:
            OSError: it cannot be.
        """
        self._next_path.replace(self.path)
        self._signer = None


def _line(signer: Signer) -> bytes:
    return f"{signer.secret.as_text(signer.vkey.public_key)}\n".encode()


def _signer_of(text: str, where: str) -> Signer:
    try:
        return Signer(SecretKey.of_text(text))
    except InvalidNote as error:
        msg = f"{where}: {error}"
        raise SigningFailed(msg) from None
