"""What one browser has before it, without a browser: what becomes of its training when the connection breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from koubai.language import UserError
from koubai.spec import Trial
from koubai.store import Store
from koubai.web import uploads
from koubai.web.play import bench as module
from koubai.web.play import page, prescription
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


def test_what_the_bench_cannot_do_is_said_without_the_place_of_an_upload(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a change, a reset, and a training that goes wrong later; and where a page is opened, and a prescription asked for."""
    said: list[str] = []

    async def scene(bench: Bench, client: Any) -> None:
        place = uploads.folder(bench.store) / "mine-0123456789ab.csv"
        gone = UserError(f"{place} is gone.", f"{place} がありません。")
        failing = MagicMock(side_effect=gone)
        for where, name in ((module, "warn"), (prescription, "problem")):
            monkeypatch.setattr(where, name, lambda words: said.append(str(words)))
        await bench.change(failing)
        for where in (module, page):
            monkeypatch.setattr(where, "permitted", failing)
        await bench.reset()
        live = bench.live
        bench.live = MagicMock(error=gone)
        bench._push()
        bench.live = live

        query = SimpleNamespace(request=SimpleNamespace(query_params="data=moons"))
        monkeypatch.setattr(page, "ui", SimpleNamespace(context=SimpleNamespace(client=query)))
        said.append(str(page.asked(bench.store)[1]))

        for name in ("put", "button", "ui"):
            monkeypatch.setattr(prescription, name, MagicMock())
        monkeypatch.setattr(prescription, "worked_out", failing)
        prescription.prescriptions(bench)
        await cast(MagicMock, bench.stage.on).call_args.args[1](SimpleNamespace(args=0))

    play(scene)
    assert said == ["mine.csv is gone."] * 5
