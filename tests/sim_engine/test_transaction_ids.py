"""Ids behave like a tuple of texts."""

import pickle

import numpy as np
import pyarrow as pa
import pytest

from sim_engine.transaction_ids import TransactionIds

TEXTS = ("T1", "gen:A:0:12", "ü", "日本", "T1")
IDS = TransactionIds.of(TEXTS)


def test_ids_are_told_as_they_were_given():
    assert len(IDS) == 5
    assert list(IDS) == list(TEXTS)
    assert IDS.arrow.type == pa.large_string()
    assert IDS.arrow.to_pylist() == list(TEXTS)
    assert TransactionIds.of(text for text in TEXTS) == TEXTS
    assert list(TransactionIds.of([])) == []


@pytest.mark.parametrize("place", [0, 4, -1, -5, np.int32(2), np.int64(-2), np.uint8(3)])
def test_a_place_gives_a_text(place):
    assert IDS[place] == TEXTS[int(place)]
    assert type(IDS[place]) is str


@pytest.mark.parametrize("place", [5, -6, np.int32(5)])
def test_a_place_beyond_the_ends_is_refused(place):
    with pytest.raises(IndexError):
        IDS[place]


def test_a_place_is_a_whole_number():
    with pytest.raises(TypeError):
        IDS[1.0]


@pytest.mark.parametrize(
    "chosen",
    [
        slice(None),
        slice(2),
        slice(1, 3),
        slice(3, None),
        slice(-2, None),
        slice(3, 1),
        slice(2, 99),
        slice(None, None, 2),
    ],
)
def test_a_slice_gives_ids(chosen):
    assert isinstance(IDS[chosen], TransactionIds)
    assert list(IDS[chosen]) == list(TEXTS[chosen])
    assert list(IDS[1:][chosen]) == list(TEXTS[1:][chosen])


def test_ids_equal_the_same_texts_in_whatever_sequence():
    assert IDS == TEXTS
    assert list(TEXTS) == IDS
    assert TransactionIds.of(TEXTS) == IDS
    assert IDS[1:4] == TransactionIds.of(TEXTS[1:4])
    assert TransactionIds.of([]) == ()
    for other in (TEXTS[:4], (*TEXTS[:4], "T2"), TransactionIds.of(TEXTS[::-1]), TransactionIds.of(TEXTS[:4])):
        assert other != IDS
    assert TransactionIds.of("AB") == ["A", "B"]
    assert TransactionIds.of("AB") != "AB"
    assert IDS != 5


def test_rows_are_taken_in_the_order_asked_for():
    assert IDS.take(np.array([3, 0, 3], np.int32)) == ("日本", "T1", "日本")
    assert IDS[1:].take(np.array([1])) == ("ü",)
    assert IDS.take(np.empty(0, np.int64)) == ()


def test_parts_are_joined_in_order():
    assert TransactionIds.concat([IDS[3:], TransactionIds.of([]), IDS[:2]]) == ("日本", "T1", "T1", "gen:A:0:12")


def test_bytes_become_ids_without_being_copied():
    content = np.frombuffer(bytearray("abü".encode()), np.uint8)
    ids = TransactionIds.of_bytes(np.array([0, 1, 1, 4]), content)
    assert ids == ("a", "", "bü")
    content[0] = ord("z")
    assert ids[0] == "z"


def test_ids_survive_pickling():
    assert pickle.loads(pickle.dumps(IDS[1:3])) == TEXTS[1:3]


def test_ids_are_no_dictionary_keys():
    with pytest.raises(TypeError, match="unhashable"):
        hash(IDS)
