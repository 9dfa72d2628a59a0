"""The configuration's TOML file: read whole, written atomically."""

from __future__ import annotations

import os
from pathlib import Path

from minutebook.actors.config_document import ConfigDocument, failed


class ConfigFile:
    """One file of settings.

    It is read anew each time, so edits by hand count. A change is staged first, in a file
    beside it, and then made by one rename: as long as the staged file is there, it was not
    made. Whoever changes it keeps others from doing so at the same time.

    Args:
        path: made, with mode 0600, with the first setting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> Path:
        """Where the file is, behind all links."""
        return self._path.resolve()

    @property
    def name(self) -> Path:
        """Where it is looked for: the same, or a link to it."""
        return self._path.absolute()

    def read(self) -> str:
        """Return the text; empty when there is no file.

        Raises:
            ConfigError: it cannot be read, or is not UTF-8.
        """
        try:
            # As bytes: text mode would turn a file with CRLF into one without.
            return self._path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise failed(self._path, "read", error) from error

    def load(self) -> ConfigDocument:
        """Return all settings; raises `ConfigError` like `read`, and when it is no TOML."""
        return ConfigDocument.parsed(self._path, self.read())

    def stage(self, document: ConfigDocument) -> None:
        """Stage what the file is to hold; raises `ConfigError`."""
        staged = staged_beside(self.place)
        try:
            # What a kill left, secrets in it, is taken away.
            staged.unlink(missing_ok=True)
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(staged, flags, 0o600), "wb") as file:
                    file.write(document.text.encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                # Its absence is to mean that the change was made, after a power failure too.
                _sync_directory(staged.parent)
            except BaseException:
                staged.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise failed(self.place, "written", error) from error

    def make(self) -> None:
        """Make the staged change; raises `ConfigError`."""
        try:
            staged_beside(self.place).replace(self.place)
            _sync_directory(self.place.parent)
        except OSError as error:
            raise failed(self.place, "written", error) from error

    def discard(self) -> None:
        """Make nothing of what was staged."""
        staged_beside(self.place).unlink(missing_ok=True)

    def delete(self) -> None:
        """Remove the file; raises `ConfigError`."""
        try:
            self._path.unlink()
            _sync_directory(self._path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise failed(self._path, "removed", error) from error


def staged_beside(place: Path) -> Path:
    """Return where a change of a file is staged."""
    return place.with_name(f"{place.name}.new")


def _sync_directory(path: Path) -> None:
    """Make a rename in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
