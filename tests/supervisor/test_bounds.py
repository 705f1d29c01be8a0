"""No sandbox, however much it does, makes an answer that the service cannot hold."""

from itertools import count
from typing import Any, cast

import pytest
from aisbx.hosting.requests import RefusedError
from aisbx_supervisor.routes import review


def test_more_changes_than_go_into_an_answer_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "MOST", 3)
    assert review.bounded(cast("Any", range(3))) == [0, 1, 2]
    with pytest.raises(RefusedError, match="more than 3 paths") as refused:
        review.bounded(cast("Any", count()))
    assert (refused.value.status, "path=" in refused.value.hint) == (422, True)
