"""What a watch has brought, found by the keys that each object gives itself."""

from collections.abc import Mapping
from typing import Any

import pytest

from retrainer.index import Index


def by_colours(body: Mapping[str, Any]) -> dict[str, str]:
    return dict.fromkeys(body["colours"], body["name"])


def an_object(uid: str, name: str, *colours: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "name": name, "colours": colours}


@pytest.fixture
def index() -> Index:
    index = Index(by_colours)
    index.take(an_object("1", "house", "red", "white"))
    index.take(an_object("2", "car", "red"))
    return index


def found(index: Index) -> dict[str, list[str]]:
    return {key: list(there) for key, there in index.items()}


def test_an_object_is_found_by_each_of_its_keys(index: Index) -> None:
    assert found(index) == {"red": ["house", "car"], "white": ["house"]}
    assert len(index) == 2


def test_a_change_takes_the_place_of_what_was(index: Index) -> None:
    index.take(an_object("1", "villa", "white", "blue"))
    assert found(index) == {"red": ["car"], "white": ["villa"], "blue": ["villa"]}


def test_what_is_gone_is_found_no_more_nor_is_its_key(index: Index) -> None:
    for uid in ("1", "never-seen"):
        index.take(an_object(uid, "house"), gone=True)
    assert found(index) == {"red": ["car"]}
    assert (index.has("1"), index.has("2")) == (False, True)


def test_what_has_no_key_has_come_all_the_same(index: Index) -> None:
    index.take(an_object("3", "glass"))
    assert index.has("3")
    assert "glass" not in {name for there in index.values() for name in there}


def test_what_cannot_be_parsed_has_come_and_is_found_as_it_was_no_more(index: Index) -> None:
    with pytest.raises(KeyError):
        index.take({"metadata": {"uid": "1"}})
    assert index.has("1")
    assert found(index) == {"red": ["car"]}
