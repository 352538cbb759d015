"""Ids as shared artifacts show them: codes that only who has the data set can make."""

from raymed.data.shown_ids import PLAIN, ShownIds

SUMS = ["b" * 64, "a" * 64]


def test_an_id_has_one_code_whatever_the_order_of_images() -> None:
    code = ShownIds.coded(SUMS).patient("quentina")

    assert code == ShownIds.coded(reversed(SUMS)).patient("quentina")
    assert len(code) == 10
    assert code.isalnum()


def test_ids_kinds_and_data_sets_have_codes_of_their_own() -> None:
    ids, other = ShownIds.coded(SUMS), ShownIds.coded(["c" * 64])

    codes = {
        ids.patient("a"),
        ids.patient("b"),
        ids.sample("a"),
        ids.sample("b"),
        other.patient("a"),
    }

    assert len(codes) == 5


def test_plain_ids_are_themselves() -> None:
    assert (PLAIN.sample("a/b.png"), PLAIN.patient("P1")) == ("a/b.png", "P1")
