"""What one browser has before it, without a browser: what becomes of its training when the connection breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from koubai.spec import Trial
from koubai.store import Store
from koubai.web.play import bench as module
from koubai.web.play.bench import Bench
from koubai.web.play.board import Board

BOARD = Board(Trial(data="moons", layers=(4,), batch_size=20, steps=10**7), seeds=1)

Play = Callable[[Callable[[Bench, Any], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Calls a scene with a bench whose browser has come, and with that browser; afterwards the browser leaves for good."""
    client = MagicMock(is_deleted=False, has_socket_connection=True)
    monkeypatch.setattr(module, "ui", SimpleNamespace(context=SimpleNamespace(client=client)))

    def played(scene: Callable[[Bench, Any], Coroutine[Any, Any, None]]) -> None:
        async def all_of_it() -> None:
            bench = Bench(BOARD, Store(tmp_path / "store"), MagicMock())
            await bench._come()
            live = bench.live
            assert live is not None
            try:
                await scene(bench, client)
            finally:
                bench.keep(False)
                bench.leave()
            live.thread.join(20)
            assert not live.thread.is_alive()

        asyncio.run(all_of_it())

    return played


def test_what_trained_stands_still_while_the_browser_is_gone_and_goes_on_when_it_is_back(play: Play) -> None:
    async def scene(bench: Bench, client: Any) -> None:
        await bench.start()
        live = bench.live
        client.has_socket_connection = False
        bench._go()
        assert not bench.running
        client.has_socket_connection = True
        await bench._come()
        assert bench.running and bench.live is live  # not begun anew

    play(scene)


def test_what_stood_still_stands_still_when_the_browser_is_back(play: Play) -> None:
    async def scene(bench: Bench, client: Any) -> None:
        live = bench.live
        client.has_socket_connection = False
        bench._go()
        await bench._come()
        assert not bench.running and bench.live is live

    play(scene)


def test_a_pause_that_comes_too_late_does_not_begin_anew(play: Play) -> None:
    async def scene(bench: Bench, client: Any) -> None:
        await bench.start()
        assert bench.live is not None
        bench.live.close()
        bench.live = done = MagicMock(done=True)  # and the page has not heard
        await bench.start()
        assert bench.live is done
        await bench.start()
        assert bench.live is not done

    play(scene)


def test_what_is_kept_or_has_another_connection_trains_on(play: Play) -> None:
    async def scene(bench: Bench, client: Any) -> None:
        await bench.start()
        bench._go()  # an old connection is given up after the new one is there
        assert bench.running
        bench.keep(True)
        client.has_socket_connection = False
        bench._go()
        assert bench.running

    play(scene)
