"""Notes, checkpoints, cosignatures and proofs against the vectors that others publish."""

from __future__ import annotations

import pytest

from minutebook.actors.ledger.ed25519 import Signer, verify_signature
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.errors import InvalidNote
from minutebook.domain.log_key import LogKey, key_ring
from minutebook.domain.log_proof import EntryProof, GrowthProof
from minutebook.domain.note import (
    COSIGNATURE,
    ED25519,
    Note,
    SecretKey,
    Signature,
    VerifierKey,
    cosigned_message,
)

# https://pkg.go.dev/golang.org/x/mod/sumdb/note, and its note_test.go.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
    "qfqdngotpRZb6KE6RyyBwJnAM=\n"
)

# The test vector of https://c2sp.org/signed-note@v1.0.0.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONnc"
    "AlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)

# The examples of https://c2sp.org/signed-note and https://c2sp.org/tlog-cosignature, whose keys
# are not published.
C2SP_LONG_NOTE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU"
    "0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
C2SP_COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2o"
    "yin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)

# A checkpoint of a public log, with its own signature and that of a witness.
ARCHE_VKEY = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
REMORA_VKEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
ARCHE_CHECKPOINT = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPM"
    "HbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3N"
    "ygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXT"
    "ynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)


@pytest.mark.parametrize(
    ("vkey", "note"),
    [
        (GO_VKEY, GO_NOTE),
        (C2SP_VKEY, C2SP_NOTE),
        (ARCHE_VKEY, ARCHE_CHECKPOINT),
        (REMORA_VKEY, ARCHE_CHECKPOINT),
    ],
    ids=["go", "c2sp", "a public log", "its witness"],
)
def test_published_notes_verify_and_changed_ones_do_not(vkey: str, note: str) -> None:
    key, read = VerifierKey.of_text(vkey), Note.of_text(note)
    assert key.as_text() == vkey
    assert read.as_text() == note
    assert read.signers([key], verify_signature) == ([key], [])
    changed = read._replace(text="X" + read.text)
    assert changed.signers([key], verify_signature) == ([], [key])
    other = VerifierKey("somebody.example", ED25519, key.public_key)
    assert read.signers([other], verify_signature) == ([], [])


def test_the_published_note_is_signed_to_the_byte() -> None:
    """Ed25519 draws nothing, so that Go's signature must come out."""
    signer = Signer(SecretKey.of_text(GO_SECRET))
    assert signer.vkey.as_text() == GO_VKEY
    assert signer.secret.as_text(signer.vkey.public_key) == GO_SECRET
    assert Note(GO_TEXT, (signer.sign(GO_TEXT),)).as_text() == GO_NOTE
    assert GO_SECRET[-20:] not in repr(signer.secret)


def test_the_published_example_with_an_empty_line_is_split_at_the_last_one() -> None:
    note = Note.of_text(C2SP_LONG_NOTE)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [line.name for line in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.as_text() == C2SP_LONG_NOTE


def test_the_published_cosignature_is_laid_out_as_it_says() -> None:
    note = Note.of_text(C2SP_COSIGNED)
    checkpoint = Checkpoint.of_text(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.as_text() == note.text
    timestamp = int.from_bytes(note.signatures[1].signature[:8], "big")
    assert cosigned_message(timestamp, note.text) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_a_cosignature_of_ours_verifies_and_is_no_plain_signature() -> None:
    witness, text = Signer.new("witness.example/w"), "log.example\n0\n" + "A" * 43 + "=\n"
    note = Note(text, (witness.cosign(text, 1_700_000_000),))
    assert note.signers([witness.witness_vkey], verify_signature) == ([witness.witness_vkey], [])
    assert note.signers([witness.vkey], verify_signature) == ([], [])
    assert witness.witness_vkey.kind == COSIGNATURE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "\n\n— n AAAAAAA=\n",
        "text\n\n— n AAAAAAA=",
        "text\n\n- n AAAAAAA=\n",
        "text\n\n— n AAAA\n",
        "text\n\n— n AAAAAAB=\n",
        "text\n\n— n+m AAAAAAA=\n",
        "te\txt\n\n— n AAAAAAA=\n",
        "text\n\n" + "— n AAAAAAA=\n" * 101,
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        Note.of_text(text)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        GO_VKEY.replace("c74f20a3", "c74f20a4"),
        GO_VKEY[:-4],
        GO_VKEY.replace("+ARpc", "+AXpc"),
        "rekor.sigstore.dev+c0d23d6a+Aj" + "A" * 42,
    ],
)
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(InvalidNote):
        VerifierKey.of_text(vkey)


@pytest.mark.parametrize("text", ["", GO_VKEY, GO_SECRET[:-3], "PRIVATE+KEY+n+00000000+AAAA"])
def test_what_is_no_secret_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidNote) as refused:
        SecretKey.of_text(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["o\n1\n", "o\n01\n" + "A" * 43 + "=\n", "o\n1\nAAAA\n", "o\n-1\n" + "A" * 43 + "=\n", ""],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint.of_text(text)


# The shape of the example of https://c2sp.org/tlog-proof, with signatures that are whole.
PROOF = (
    "c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 73894\n"
    "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
    "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\n" + C2SP_COSIGNED
)


def test_a_proof_reads_and_writes_as_specified() -> None:
    proof = EntryProof.of_text(PROOF)
    assert (proof.log_index, len(proof.hashes), proof.extra) == (73894, 2, b"extra")
    assert proof.checkpoint.as_text() == C2SP_COSIGNED
    assert proof.as_text() == PROOF
    bare = PROOF.replace("extra ZXh0cmE=\n", "")
    assert EntryProof.of_text(bare).extra is None
    assert EntryProof.of_text(bare).as_text() == bare
    alone = f"c2sp.org/tlog-proof@v1\nindex 0\n\n{C2SP_COSIGNED}"
    assert EntryProof.of_text(alone).as_text() == alone
    grown = f"old 5\n{'A' * 43}=\n\n{C2SP_COSIGNED}"
    assert GrowthProof.of_text(grown).as_text() == grown


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("@v1", "@v2"),
        ("extra ZXh0cmE=", "extra !!"),
        ("index 73894\n", ""),
        ("73894", "-1"),
        ("73894", "007"),
        ("gSKy", "gSK"),
        ("gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n", "AAAA\n"),
    ],
)
def test_what_is_no_proof_is_refused(part: str, instead: str) -> None:
    with pytest.raises(InvalidNote):
        EntryProof.of_text(PROOF.replace(part, instead, 1))


def test_keys_follow_one_another_by_endorsement_both_ways() -> None:
    first, second, third, thief = (Signer.new("log.example") for _ in range(4))

    def announced(key: Signer, since: int, before: Signer | None, *by: Signer) -> Note:
        said = LogKey("log.example", key.vkey, since, before.vkey if before else None)
        text = said.as_text()
        assert LogKey.of_text(text) == said
        return Note(text, tuple(signer.sign(text) for signer in by))

    notes = [
        announced(first, 10, None, first),
        announced(second, 20, first, second, first),
        announced(thief, 25, second, thief),  # without the endorsement
        announced(third, 30, second, third, second),
    ]
    ring = key_ring([second.vkey], notes, "log.example", verify_signature)
    assert set(ring.keys) == {first.vkey, second.vkey, third.vkey}
    assert [ring.may_sign(first.vkey, size) for size in (9, 10, 20, 21)] == [0, 1, 1, 0]
    assert [ring.may_sign(third.vkey, size) for size in (29, 30, 10**9)] == [0, 1, 1]
    assert not ring.may_sign(thief.vkey, 26)
    assert key_ring([thief.vkey], notes, "log.example", verify_signature).keys == (thief.vkey,)
    elsewhere = key_ring([first.vkey], notes, "other.example", verify_signature)
    assert elsewhere.keys == (first.vkey,)


def test_a_signature_line_is_added_once() -> None:
    signer, text = Signer.new("a"), "text\n"
    note = Note(text, (signer.sign(text),))
    assert note.signed_by(signer.sign(text)) == note
    added = note.signed_by(Signature("b", b"1234", b"5"))
    assert Note.of_text(added.as_text()) == added
