"""Network file systems are refused, and nothing else is."""

import os
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.file_system import (
    MOUNTINFO,
    check_file_system,
    mount_of,
    parse_mounts,
)
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import NetworkFileSystem

NFS = (
    "512 30 0:57 / /home/shared rw,relatime shared:280 - nfs4 server.example.com:/export"
    " rw,vers=4.2,rsize=1048576,wsize=1048576,hard,proto=tcp,addr=192.0.2.7"
)

REFUSED = [
    NFS,
    "39 27 0:36 / /mnt/d rw,nosuid,relatime shared:1 - nfs 192.0.2.7:/d rw,vers=3,local_lock=none",
    "99 27 0:48 / /mnt/share rw,relatime shared:53 - cifs //server/share rw,vers=3.1.1,soft",
    "99 27 0:48 / /mnt/share rw,relatime - smb3 //server/share rw,vers=3.1.1",
    "104 27 0:49 / /mnt/remote rw,nosuid,nodev,relatime - fuse.sshfs alice@host:/srv rw,user_id=0",
    "77 66 0:43 / /mnt/c rw,noatime - 9p C:\\134 rw,dirsync,aname=drvfs;path=C:\\,trans=fd,rfd=5",
    "88 27 0:50 / /vagrant rw,nodev,relatime - vboxsf vagrant rw,iocharset=utf8,uid=1000",
    "61 27 0:46 / /lustre rw - lustre 192.0.2.7@tcp:/scratch rw,flock,lazystatfs",
    "62 27 0:47 / /ceph rw,relatime - ceph 192.0.2.7:6789:/ rw,name=admin,secret=<hidden>,acl",
    "63 27 0:51 / /g rw,relatime - fuse.glusterfs server:/volume rw,user_id=0,allow_other",
]

PASSED = [
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict",
    "25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24683656k",
    "1523 1377 0:412 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/a:/b,upperdir=/c",
    "31 1 0:29 /@ / rw,relatime shared:1 - btrfs /dev/nvme0n1p2 rw,ssd,subvolid=256,subvol=/@",
    "44 31 0:34 / /tank rw,relatime shared:20 - zfs tank rw,xattr,noacl",
    "55 31 8:17 / /mnt/usb rw,relatime - fuseblk /dev/sdb1 rw,user_id=0,blksize=4096",
    "71 31 0:61 / /work rw,relatime - virtiofs share rw",
    "72 31 0:62 / /Users rw,nosuid,nodev,relatime - fuse.grpcfuse grpcfuse rw,max_read=1048576",
    "73 31 0:63 / /home/a/x rw,relatime - fuse.bindfs /home/a/y rw,user_id=1000",
    "1 0 0:1 / / rw - 9p none rw,trans=fd,rfdno=4,wfdno=4,aname=/,cache=remote_revalidating",
]


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: line.partition(" - ")[2].split()[0])
def test_what_other_machines_may_write_is_refused(line: str) -> None:
    (mount,) = parse_mounts(line)
    assert mount.is_network


@pytest.mark.parametrize("line", PASSED, ids=lambda line: line.partition(" - ")[2].split()[0])
def test_what_is_of_this_machine_passes(line: str) -> None:
    (mount,) = parse_mounts(line)
    assert not mount.is_network


def test_blanks_in_names_and_lines_that_are_none_are_read() -> None:
    """The kernel escapes blanks; optional fields come in any number."""
    mounts = parse_mounts(
        "36 35 98:0 /m /mnt/my\\040disk rw,noatime master:1 unbindable - ext3 /dev/a\\040b rw\n"
        "\nno mount\n37 35 98:1 / /x rw - xfs /dev/b rw\n"
    )
    assert [(str(mount.point), mount.source) for mount in mounts] == [
        ("/mnt/my disk", "/dev/a b"),
        ("/x", "/dev/b"),
    ]


def test_a_directory_is_on_the_nearest_mount_above_it() -> None:
    mounts = parse_mounts("\n".join([PASSED[0], NFS]))
    for directory, kind in [
        ("/home/shared", "nfs4"),
        ("/home/shared/a/b", "nfs4"),
        ("/home/shared-not", "ext4"),
        ("/home", "ext4"),
    ]:
        mount = mount_of(Path(directory), "9:9", mounts)
        assert mount is not None
        assert mount.kind == kind
    assert mount_of(Path("/home"), "9:9", []) is None


def test_a_mount_over_another_one_hides_it() -> None:
    """The last of two at one point counts, and the device tells what hides a deeper one."""
    over = "600 30 0:90 / /home/shared rw - tmpfs tmpfs rw"
    mount = mount_of(Path("/home/shared"), "9:9", parse_mounts(f"{NFS}\n{over}"))
    assert mount is not None
    assert mount.kind == "tmpfs"
    hiding = "601 30 0:91 / /home rw - tmpfs tmpfs rw"
    mount = mount_of(Path("/home/shared/x"), "0:91", parse_mounts(f"{NFS}\n{hiding}"))
    assert mount is not None
    assert mount.kind == "tmpfs"


def nfs_at(directory: Path, mountinfo: Path) -> Path:
    """Write a mountinfo in which a real directory is on NFS."""
    device = directory.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    line = NFS.replace("0:57", name).replace("/home/shared", str(directory))
    mountinfo.write_text(f"{PASSED[0]}\n{line}\n")
    return mountinfo


def test_the_refusal_names_the_mount_and_the_way_out(tmp_path: Path) -> None:
    shared = (tmp_path / "shared").resolve()
    shared.mkdir()
    mountinfo = nfs_at(shared, tmp_path / "mountinfo")
    with pytest.raises(NetworkFileSystem) as refused:
        check_file_system(shared / "audit.db", mountinfo=mountinfo)
    for part in ("server.example.com:/export", "nfs4", str(shared), "allow_network_file_system"):
        assert part in str(refused.value)
    check_file_system(tmp_path / "audit.db", mountinfo=mountinfo)


def test_what_cannot_be_told_passes(tmp_path: Path) -> None:
    """No /proc, as on macOS, or one that says nothing."""
    check_file_system(tmp_path / "audit.db", mountinfo=tmp_path / "none")
    (tmp_path / "empty").touch()
    check_file_system(tmp_path / "audit.db", mountinfo=tmp_path / "empty")


def test_a_system_is_refused_before_anything_is_made_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mountinfo = nfs_at(tmp_path.resolve(), tmp_path / "mountinfo")
    monkeypatch.setattr(check_file_system, "__kwdefaults__", {"mountinfo": mountinfo})
    path = tmp_path / "audit.db"
    with pytest.raises(NetworkFileSystem):
        AuditSystem.open(path)
    assert [found.name for found in tmp_path.iterdir()] == ["mountinfo"]
    with AuditSystem.open(path, allow_network_file_system=True):
        pass
    with pytest.raises(NetworkFileSystem):
        AuditSystem.open(path)


@pytest.mark.skipif(not MOUNTINFO.exists(), reason="there is no mountinfo")
def test_the_file_system_of_these_tests_is_found_and_passes(
    tmp_path: Path, encoder: Encoder
) -> None:
    device = tmp_path.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    mount = mount_of(tmp_path.resolve(), name, parse_mounts(MOUNTINFO.read_text()))
    assert mount is not None
    SqliteLedger(tmp_path / "audit.db", encoder).close()
