"""What is a number and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linda_cli.errors import BadNumber
from linda_cli.sessions.number import parse_number


@pytest.mark.parametrize(
    "text",
    [
        "971505760056",
        "+971505760056",
        "+971 50 576 0056",
        " 971 505760056 ",
        "+971 50 576-0056",
        "\u202a+971 50 576 0056\u202c",
        "\u2068+971\u00a050\u202f576\u2009\u20090056\u2069",
        "\u200e+971-50-576-0056\u200f",
        "+971\u201050\u2011576\u20130056",
        "(+971) 50.576.0056",
        "+971 (50) 576 0056\n",
        "\u0669\u0667\u0661\u0665\u0660\u0665\u0667\u0666\u0660\u0660\u0665\u0666",
        "\u06f9\u06f7\u06f1 \u06f5\u06f0 576 0056",
        "\uff0b\uff19\uff17\uff11505760056",
        "\ufeff971505760056",
    ],
)
def test_a_number_as_people_write_it(text: str) -> None:
    assert parse_number(text) == "971505760056"


@pytest.mark.parametrize(
    "text",
    ["+", "971+505760056", "++971505760056", "971505760056x", "97150576005\u00b2", "9715057600\u2166", "971/505760056"],
)
def test_what_only_looks_like_one_is_refused(text: str) -> None:
    with pytest.raises(BadNumber):
        parse_number(text)


@given(st.text() | st.text(st.characters(categories=["Nd", "Zs", "Pd", "Cf", "No", "Nl"])))
def test_anything_else_is_refused_and_nothing_but_digits_comes_out(text: str) -> None:
    try:
        number = parse_number(text)
    except BadNumber as problem:
        assert problem.message.isprintable()
        assert len(problem.message) < 500
    else:
        assert number.isascii()
        assert number.isdigit()
        assert 7 <= len(number) <= 15
        assert number[0] != "0"
