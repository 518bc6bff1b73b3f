"""Whatever is wrong with a version is found before any of it is used, and is named; and none of it is ever executed."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.artifacts import packed, path_of, write_artifact
from tests.hostile import CORPUS, Contents, Damage, flips, forge, truncations
from tests.stores import Kept
from trainer.artifact import ArtifactRejected, Held
from trainer.artifact.files import Directory
from trainer.artifact.manifest import EVALUATED_NAME, FILE_NAMES, MANIFEST_NAME, REFERENCE_NAME, SHIPPED_NAME, sealed
from trainer.artifact.verification import verified
from trainer.store import write
from trainer.training.result import sentences_of

SOUND = dict(packed().contents)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=8,
)


def rejection(damage: Damage) -> ArtifactRejected:
    """Why the sound version is rejected once it has been damaged; fails if it is not."""
    contents: Contents = dict(SOUND)
    damage(contents)
    with pytest.raises(ArtifactRejected) as rejected:
        verified(Held(contents))
    return rejected.value


def test_the_version_that_is_damaged_is_sound() -> None:
    assert verified(Held(SOUND)).manifest.version


@pytest.mark.parametrize(("damage", "reason"), CORPUS.values(), ids=CORPUS.keys())
def test_a_hostile_or_broken_version_is_rejected(damage: Damage, reason: str) -> None:
    rejected = rejection(damage)
    assert rejected.reason == reason
    assert len(rejected.message) < 400


def test_every_file_cut_short_is_rejected() -> None:
    counted = Counter(name for name, damage in truncations(SOUND) if rejection(damage))
    assert min(counted[name] for name in (MANIFEST_NAME, *FILE_NAMES)) > 30


def test_every_file_with_a_flipped_bit_is_rejected() -> None:
    reasons = Counter((name, rejection(damage).reason) for name, damage in flips(SOUND))
    assert {reason for name, reason in reasons if name != MANIFEST_NAME} == {"DigestMismatch"}
    assert {reason for name, reason in reasons if name == MANIFEST_NAME} <= {"ManifestUnreadable", "ManifestAltered"}
    assert sum(reasons.values()) > len(SOUND[MANIFEST_NAME])


def test_the_manifest_of_another_version_does_not_fit() -> None:
    other = packed(seed=2).contents
    assert rejection(lambda contents: contents.update({MANIFEST_NAME: other[MANIFEST_NAME]})).reason == "DigestMismatch"


def test_another_sound_version_is_found_out_by_the_digest_alone() -> None:
    digest = verified(Held(SOUND)).digest
    assert verified(Held(SOUND), digest).digest == digest
    with pytest.raises(ArtifactRejected, match="AnotherVersion"):
        verified(packed(seed=2), digest)


@pytest.mark.parametrize("name", ["a manifest: a key twice", "weights: pickle", "weights: not a number"])
def test_it_is_rejected_wherever_it_is_kept(kept: Kept, name: str) -> None:
    damage, reason = CORPUS[name]
    contents: Contents = dict(SOUND)
    damage(contents)
    kept.store.create("v1", contents)
    with pytest.raises(ArtifactRejected, match=reason):
        verified(kept.store.version("v1"))
    with pytest.raises(ArtifactRejected):
        write(kept.store, Held(contents))


def link_out(path: Path, name: str) -> None:
    shutil.move(path / name, path.parent / "elsewhere")
    (path / name).symlink_to(path.parent / "elsewhere")


def pipe(path: Path, name: str) -> None:
    (path / name).unlink()
    os.mkfifo(path / name)


def directory(path: Path, name: str) -> None:
    (path / name).unlink()
    (path / name).mkdir()


def device(path: Path, name: str) -> None:
    (path / name).unlink()
    (path / name).symlink_to("/dev/zero")


@pytest.mark.parametrize("name", [MANIFEST_NAME, *FILE_NAMES])
@pytest.mark.parametrize("put", [link_out, pipe, directory, device])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, put: Callable[[Path, str], None], name: str) -> None:
    path = path_of(write_artifact(tmp_path))
    put(path, name)
    with pytest.raises(ArtifactRejected) as rejected:
        verified(Directory(path))
    assert rejected.value.reason == "FileUnreadable"


def test_a_version_that_is_a_link_to_another_is_not_read(tmp_path: Path) -> None:
    path = path_of(write_artifact(tmp_path))
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(ArtifactRejected, match="FileUnreadable"):
        verified(Directory(tmp_path / "link"))


@settings(deadline=None)
@given(content=st.binary(max_size=200))
@pytest.mark.parametrize("name", [MANIFEST_NAME, *FILE_NAMES])
def test_any_bytes_are_rejected_and_nothing_else_happens(name: str, content: bytes) -> None:
    damage: Damage = (
        (lambda contents: contents.update({name: content})) if name == MANIFEST_NAME else forge(name, lambda _: content)
    )
    assert rejection(damage).reason


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_forged_manifest_is_rejected_or_as_sound_as_before(data: st.DataObject) -> None:
    document = orjson.loads(SOUND[MANIFEST_NAME])
    _change_somewhere(document, data)
    _is_rejected_or_sound({**SOUND, MANIFEST_NAME: sealed(document)})


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_forged_reference_is_rejected_or_as_sound_as_before(data: st.DataObject) -> None:
    document = orjson.loads(SOUND[REFERENCE_NAME])
    _change_somewhere(document, data)
    contents: Contents = dict(SOUND)
    forge(REFERENCE_NAME, lambda _: sealed(document))(contents)
    _is_rejected_or_sound(contents)


@settings(max_examples=200, deadline=None)
@given(index=st.integers(0, 2000), byte=st.integers(0, 255), name=st.sampled_from([SHIPPED_NAME, EVALUATED_NAME]))
def test_forged_weights_are_rejected_or_as_sound_as_before(index: int, byte: int, name: str) -> None:
    def changed(content: bytes) -> bytes:
        place = index % len(content)
        return content[:place] + bytes([byte]) + content[place + 1 :]

    contents: Contents = dict(SOUND)
    forge(name, changed)(contents)
    _is_rejected_or_sound(contents)


def _change_somewhere(document: Any, data: st.DataObject) -> None:
    """Put any JSON in any place of the document, some levels down."""
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        key = data.draw(st.sampled_from(keys))
        below = document[key]
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            document[key] = data.draw(JSON)
            return
        document = below


def _is_rejected_or_sound(contents: Contents) -> None:
    try:
        artifact = verified(Held(contents))
    except ArtifactRejected:
        return
    # It has answered; and what a trainer says of a version that is there can be said.
    assert artifact.manifest.version in sentences_of(artifact)
