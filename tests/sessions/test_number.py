"""What is a number and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linda_cli.errors import BadNumber
from linda_cli.sessions.number import parse_number


@pytest.mark.parametrize("text", ["971505760056", "+971505760056", "+971 50 576 0056", " 971 505760056 "])
def test_a_number_as_people_write_it(text: str) -> None:
    assert parse_number(text) == "971505760056"


@given(st.text())
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
