import pytest

from flt.data.readers.tables import parse_table
from flt.errors import InputError

GOOD = b"  2.8858451e-001 -2.0294171e-002\r\n -9.9527860e-001  1.0000000e+000\r\n"


def parse(text: bytes, columns: int = 2):
    return parse_table(text, columns=columns, low=-1, high=1, name="X.txt", remedy="get another")


def test_official_notation():
    assert parse(GOOD).tolist() == [[0.28858451, -0.020294171], [-0.9952786, 1.0]]


def test_one_column_and_one_line():
    assert parse(b"1\n0\n", columns=1).tolist() == [[1], [0]]
    assert parse(b"1 0", columns=2).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "X.txt is empty: get another"),
        (b" \n\n", "X.txt is empty"),
        (GOOD + b"0.5\n", "X.txt, line 3 has 1 values instead of 2: get another"),
        (GOOD + b"\n0.5 0.5 0.5\n", "X.txt, line 4 has 3 values instead of 2"),
        (b"0.5\n0.5\n", "X.txt, line 1 has 1 values instead of 2"),
        (GOOD + b"0.5 0.5x\n", "X.txt, line 3 has '0.5x', which is not a number"),
        (GOOD + b"0.5 #\n", "X.txt, line 3 has '#', which is not a number"),
        (GOOD + b"0.5 \xff\x00\n", "X.txt, line 3 has .* which is not a number"),
        (GOOD + b"nan 0\n", "X.txt, line 3 has nan in column 1, where values are numbers from -1 to 1: get another"),
        (GOOD + b"\n0 -inf\n", "X.txt, line 4 has -inf in column 2, where"),
        (b"0 0\n0 1.5\n", "X.txt, line 2 has 1.5 in column 2"),
    ],
)
def test_errors_name_the_line(text: bytes, message: str):
    with pytest.raises(InputError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
