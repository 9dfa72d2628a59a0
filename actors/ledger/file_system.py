"""Refusing file systems on which a ledger would not be safe.

SQLite's write-ahead log needs memory that all who have the file open share: "WAL does not work
over a network filesystem" (https://www.sqlite.org/wal.html). Many of them have it on one
machine alone, or pretend to lock. So what other machines can write, too, is refused.

Refused:

- NFS, SMB, AFS, Ceph, Gluster, Lustre, GPFS and their like;
- file systems of a cluster on shared disks: GFS2, OCFS2;
- FUSE over a network: sshfs, s3fs, rclone and the like;
- shared folders of VirtualBox, VMware and Parallels; 9p, such as Windows' drives in WSL.

Passes:

- what is of this machine: ext4, xfs, btrfs, zfs, tmpfs and so on, and all that is not named here;
- overlay, the root of most containers;
- 9p as the root: the sandbox gVisor, or a virtual machine of its own;
- virtiofs, and all other FUSE: folders that Docker Desktop shares, NTFS. There it is for one
  side only: the host must not open a ledger that a virtual machine writes.

Linux only: elsewhere nothing tells the kind of a file system without running a program, and
SQLite's own refusal of a write-ahead log is all there is.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from minutebook.domain.errors import NetworkFileSystem

MOUNTINFO: Final = Path("/proc/self/mountinfo")
"""Where Linux says what is mounted; see proc(5)."""

_NETWORK: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncp", "ncpfs"),
        *("afs", "auristorfs", "coda", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "fhgfs"),
        *("orangefs", "pvfs2", "panfs", "wekafs", "moosefs", "ibrix", "dvs", "cvfs", "acfs"),
        *("gfs", "gfs2", "ocfs2", "vboxsf", "vmhgfs", "prl_fs"),
    }
)

_NETWORK_FUSE: Final = frozenset(
    {
        *("sshfs", "smbnetfs", "afp", "curlftpfs", "davfs", "davfs2", "gvfsd-fuse", "rclone"),
        *("s3fs", "goofys", "mount-s3", "mountpoint-s3", "gcsfuse", "blobfuse", "blobfuse2"),
        *("ceph", "ceph-fuse", "glusterfs", "beegfs", "moosefs", "mfs", "lizardfs", "juicefs"),
        *("seaweedfs", "weed", "hdfs", "objectivefs", "google-drive-ocamlfuse", "vmhgfs-fuse"),
    }
)


class Mount(NamedTuple):
    """A line of mountinfo."""

    point: Path
    """Where it is mounted."""
    device: str
    """``major:minor``."""
    kind: str
    """Such as ``ext4`` or ``fuse.sshfs``."""
    source: str
    """What is mounted, such as ``/dev/sda1`` or ``server:/export``."""

    @property
    def is_network(self) -> bool:
        """Whether other machines may write it, too."""
        if self.kind == "9p":
            return self.point != Path("/")
        family, _, name = self.kind.partition(".")
        if family in ("fuse", "fuseblk"):
            return name in _NETWORK_FUSE
        return self.kind in _NETWORK


def parse_mounts(text: str) -> list[Mount]:
    """Return what is mounted, in the order of mounting; lines that are none are left out.

    Args:
        text: the content of ``/proc/self/mountinfo``.
    """
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        # The sixth field is followed by any number of optional ones, up to the hyphen.
        if len(fields) >= 6 and len(kinds) >= 2:
            point = Path(_unescaped(fields[4]))
            mounts.append(Mount(point, fields[2], kinds[0], _unescaped(kinds[1])))
    return mounts


def mount_of(directory: Path, device: str, mounts: list[Mount]) -> Mount | None:
    """Return the mount that a directory is on.

    Args:
        directory: an absolute path, links resolved.
        device: its ``major:minor``. Tells a mount from one that hides it; some file systems
            (btrfs is one) give their files another device than their mount.
        mounts: in the order of mounting.
    """
    found = [
        (mount.device == device, len(mount.point.parts), place)
        for place, mount in enumerate(mounts)
        if directory.is_relative_to(mount.point)
    ]
    return mounts[max(found)[2]] if found else None


def check_file_system(path: Path, *, mountinfo: Path = MOUNTINFO) -> None:
    """Refuse a ledger on a network file system; passes what cannot be told.

    Args:
        path: of the ledger, absolute, links resolved.
        mountinfo: where to read what is mounted.

    Raises:
        NetworkFileSystem: it is on one.
    """
    mount = None
    # No such file where there is no Linux, or no /proc.
    with contextlib.suppress(OSError):
        text = os.fsdecode(mountinfo.read_bytes())
        device = path.parent.stat().st_dev
        name = f"{os.major(device)}:{os.minor(device)}"
        mount = mount_of(path.parent, name, parse_mounts(text))
    if mount is not None and mount.is_network:
        msg = (
            f"ledger {path} is on the network file system {mount.source} ({mount.kind}, mounted at"
            f" {mount.point}), where SQLite cannot keep it whole; put it on a local disk, or set"
            " allow_network_file_system=True when only this machine ever opens it."
        )
        raise NetworkFileSystem(msg)


def _unescaped(field: str) -> str:
    # The kernel writes blanks, tabs, line ends and backslashes as three octal digits.
    return re.sub(r"\\([0-7]{3})", lambda digits: chr(int(digits[1], 8)), field)
