"""Of much output the beginning and the end are kept, and what is between them is counted."""

from aisbx.api.bounded import Cut, HeadAndTail, shown


def test_the_beginning_and_the_end_are_kept() -> None:
    for size in (0, 1, 4, 5, 9, 10, 11, 50):
        for chunk in (1, 3, 7, 100):
            data = bytes(range(100, 100 + size))
            kept = HeadAndTail(4, 6)
            for start in range(0, size, chunk):
                kept.add(data[start : start + chunk])
            assert kept.given() == ((data, None) if size <= 10 else (data[:4] + data[-6:], Cut(4, size - 10)))
    kept = HeadAndTail(2)
    kept.add(b"abcdef")
    assert shown(*kept.given()) == "ab\n[4 bytes left out]\n"
    kept = HeadAndTail(4, 4)
    kept.add(b"ab")
    kept.skip(7)
    kept.add(b"xy")
    assert kept.given() == (b"abxy", Cut(2, 7))
