"""What one browser has before it: its board, and the training of it. It ends with the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any

from nicegui import ui

from koubai.data import load
from koubai.data.builtin import BUILTIN
from koubai.language import UserError, Words
from koubai.store import Store
from koubai.web.play.board import Board
from koubai.web.play.live import Live
from koubai.web.play.look import Look, Shown
from koubai.web.play.scene import Stage, scene
from koubai.web.shell import aside, warn
from koubai.web.uploads import permitted, told

USUAL_SPEED = 1000.0  # steps a second
FALLBACK = (20, 20)  # layers, where data came that the layers before do not take


class Bench:
    """The board of one browser and its training, and those who want to hear when either changes.

    ``heard`` are called with nothing whenever the board, or whether it trains, has changed.
    """

    def __init__(self, board: Board, store: Store, stage: Stage) -> None:
        self.board, self.store, self.stage = board, store, stage
        self.speed, self.kept = USUAL_SPEED, False
        self.heard: list[Callable[[], object]] = []
        self.refused = False  # what is heard is that a change could not be
        self.live: Live[Shown] | None = None
        self.brought: list[str] = []  # uploads of this visit
        self._run = 0
        self._pauses = False  # what the page calls the button
        self._drawn = True  # the browser drew what it was sent last
        self._cut_off = False  # it trained when the browser was gone, and stands still until it is back
        self._one = asyncio.Lock()
        self._loop, self._context = asyncio.get_running_loop(), copy_context()
        self._client = ui.context.client
        stage.on("drawn", self._draw, args=[])
        stage.on("key", lambda event: {"start": self.start, "step": self.step}.get(event.args, self.reset)())
        stage.on("remove", lambda event: self.change(lambda board: board.without(int(event.args))))
        self._client.on_connect(self._come)
        self._client.on_disconnect(self._go)
        self._client.on_delete(self.leave)

    @property
    def running(self) -> bool:
        """Whether it trains now."""
        return self.live is not None and self.live.running and not self.live.done

    @property
    def done(self) -> bool:
        """Whether it has trained to its end."""
        return self.live is not None and self.live.done

    async def edit(self, changes: Mapping[str, Any]) -> None:
        """Change fields of the base."""
        await self.change(lambda board: board.edited(changes))

    async def other_data(self, name: str) -> None:
        """Other data for the base, and what they do not fit changed too.

        Where they are no images, the layers that take images go; a minibatch has at most all samples; a quantity is standardized.
        """
        source = BUILTIN.get(name)
        images = "flatten" in self.board.base.layers and (source is None or len(source.shape) < 2)
        data = {"name": name, "standardize": True} if source and not source.classes else name

        def make(board: Board) -> Board:
            after = board.edited({"data": data, **({"layers": FALLBACK} if images else {})})
            return after.edited({"batch_size": min(after.base.batch_size, len(load(after.base.data).x_train))})

        await self.change(make)

    async def take(self, name: str) -> None:
        """Data that the visitor has uploaded. Raises ``UserError`` where nobody has."""
        permitted(self.store, [name])
        self.brought.append(name)
        await self.other_data(name)

    async def change(self, make: Callable[[Board], Board]) -> None:
        """Another board, made of this one; it trains from its start. What cannot be is said, and all stays as it was."""
        async with self._one:
            before = self.board
            try:
                after = make(before)
                if after == before:
                    return
                await self._begin(after, self.running)
            except UserError as error:
                self.refused = True
                with self._client:
                    warn(told(self.store, error))
            self._tell()
            self.refused = False

    async def reset(self) -> None:
        """The same board from its start, standing still."""
        async with self._one:
            try:
                await self._begin(self.board, False)
            except UserError as error:
                with self._client:
                    warn(told(self.store, error))
            self._tell()

    async def _begin(self, board: Board, going: bool) -> None:
        """A new training; the old one ends only when the new one is there. Raises ``UserError``."""
        permitted(self.store, {trial.data.name for trial in board.variants})
        look, run = Look(board), self._run + 1

        def tell() -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._push, context=self._context)

        live = await aside(Live, board.study, look, tell)
        try:
            shown = await aside(scene, board, run)
        except BaseException:
            live.close()
            raise
        if self.live:
            self.live.close()
        if self._client.is_deleted:
            live.close()
            return
        changed = board.address() != self.board.address()
        self.board, self.live, self._run, self._drawn = board, live, run, True
        self.stage.props["scene"] = shown
        if changed:
            with self._client:
                ui.navigate.history.replace(board.link())
        if self.kept:
            live.keep(self.store)
        if going:
            live.start(self.speed)
        self._push()  # its first look may have come before it was ours

    async def start(self) -> None:
        """Start, pause, or begin anew where it is done; whoever meant to pause loses nothing where it was done a moment before."""
        if self.done and self._pauses:
            self._tell()
            return
        if self.live is None or self.done:
            await self.reset()
        if self.live is None:
            return
        if self.running:
            self.live.pause()
        else:
            self.live.start(self.speed)
        self._tell()

    def step(self) -> None:
        """One step further."""
        if self.live:
            self.live.step()
            self._tell()

    def faster(self, speed: str) -> None:
        """So many steps a second; ``"inf"`` is as fast as it goes."""
        self.speed = float(speed)
        if self.live and self.running:
            self.live.start(self.speed)

    def keep(self, on: bool) -> None:
        """Whether it goes on when the page is closed, and is stored at its end."""
        self.kept = on
        if self.live:
            self.live.keep(self.store if on else None)

    async def _come(self) -> None:
        """The browser is there: for the first time, or again after its connection broke, to what it left."""
        if self.live is None:
            await self.reset()
            return
        self._drawn = True  # nobody knows; one frame too many does no harm
        if self._cut_off:
            self._cut_off = False
            self.live.start(self.speed)
        self._push()

    def _go(self) -> None:
        """The connection is gone: nothing trains for nobody."""
        if self.live and self.running and not self.kept and not self._client.has_socket_connection:
            self._cut_off = True
            self.live.pause()

    def leave(self) -> None:
        """The browser does not come back."""
        if self.live:
            self.live.close()
            self.live = None
        self.heard.clear()

    def _push(self) -> None:
        """Send the browser the newest look, where it has drawn the one before; called when there is one."""
        live = self.live
        if live is None or self._client.is_deleted:
            return
        if live.error:
            with self._client:
                warn(told(self.store, live.error) if isinstance(live.error, UserError) else BUG)
            self.live = None
            self._tell()
            return
        if self._drawn and (seen := live.taken()):
            self._drawn = False
            self.stage.run_method("frame", {**seen, "run": self._run})
            if live.done or live.stored:
                self._tell()

    def _draw(self) -> None:
        self._drawn = True
        self._push()

    def _tell(self) -> None:
        self._pauses = self.running
        for one in self.heard:
            one()


BUG = Words(
    "A bug in Koubai ended this training. The terminal has the details.",
    "Koubaiの不具合で学習が止まりました。詳細はターミナルに表示されています。",
)
