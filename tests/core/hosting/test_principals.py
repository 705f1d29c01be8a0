"""Who is being served: sent away when they may not stay, forgotten when they have been away."""

import asyncio

import pytest
from aisbx.hosting.principals import Presences
from aisbx.types import Principal

ONE, TWO = Principal("key:one"), Principal("key:two")


def _stands(who: str) -> bool:
    return who != ONE.id


def test_whoever_may_not_stay_has_their_requests_ended_and_nobody_else() -> None:
    async def served() -> list[bool]:
        presences = Presences()

        async def serve(who: Principal) -> None:
            with presences.serving(who):
                await asyncio.sleep(60)

        tasks = [asyncio.ensure_future(serve(who)) for who in (ONE, TWO)]
        await asyncio.sleep(0)
        assert presences.sweep(0, _stands) == [ONE.id]
        await tasks[0]  # ended, with nothing to raise
        assert presences.sweep(0, _stands) == [], "who is being served is not away"
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):  # of somebody else: it goes on up
            await tasks[1]
        assert presences.sweep(60, _stands) == []
        return [presences.sweep(0, _stands) == [TWO.id], presences.sweep(0, _stands) == []]

    assert asyncio.run(served()) == [True, True]
