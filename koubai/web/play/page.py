"""Play: build networks, watch them train side by side."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from koubai.language import UserError, Words, say
from koubai.spec import Trial
from koubai.store import Store
from koubai.web.controls import button, check, choice
from koubai.web.play.bench import USUAL_SPEED, Bench
from koubai.web.play.board import Board
from koubai.web.play.builder import builder
from koubai.web.play.prescription import prescriptions
from koubai.web.play.scene import Stage
from koubai.web.play.variants import adding
from koubai.web.shell import problem, put
from koubai.web.uploads import permitted, placeless, told

FIRST = Board(
    Trial(data="spirals", layers=(8,) * 5, activation="sigmoid", initializer="xavier", batch_size=32, steps=5000),
    [{"activation": "relu"}],
)
SPEEDS = {
    "10": Words("10 steps/s", "毎秒10ステップ"),
    "100": Words("100 steps/s", "毎秒100ステップ"),
    f"{USUAL_SPEED:g}": Words("1,000 steps/s", "毎秒1,000ステップ"),
    "inf": Words("as fast as it goes", "最高速"),
}
COPY = "e => navigator.clipboard && navigator.clipboard.writeText(e.target.closest('.q-card').querySelector('code').textContent)"
STYLE = (Path(__file__).parent / "play.css").read_text("utf-8")


def content(store: Store) -> None:
    """Fill the page."""
    ui.add_css(STYLE)
    board, error = asked(store)
    with put("div", classes="play"):
        with put("div", classes="intro"):
            put("h1", Words("Play", "実験する"))
            if board == FIRST:
                put(
                    "p",
                    Words(
                        "The same network twice, once with sigmoid and once with ReLU. Press Start, and watch how much of the gradient "
                        "reaches the first layer.",
                        "同じネットワークを、シグモイドとReLUで比べます。スタートを押して、最初の層に届く勾配の大きさを見てください。",
                    ),
                    "lead",
                )
        if error:
            problem(error)
        bar = put("div", classes="bar", role="toolbar", aria_label=Words("Training", "学習"))
        with put("div", classes="bench"):
            with put("div", classes="shown"):
                stage = Stage()
            bench = Bench(board, store, stage)
            with stage:
                adding(bench)
            with stage.add_slot("below"):
                prescriptions(bench)
            with put("aside", classes="builder", id="builder", aria_label=Words("The network", "ネットワークの設定")):
                builder(bench)
        with bar:
            controls(bench)


def asked(store: Store) -> tuple[Board, UserError | None]:
    """The board that the address asks for, the first one where it asks for none or for what cannot be, and then why."""
    query = str(ui.context.client.request.query_params)
    if not query:
        return FIRST, None
    try:
        board = Board.read(query)
        permitted(store, {trial.data.name for trial in board.variants})
        return board, None
    except UserError as error:
        return FIRST, told(store, error)


def controls(bench: Bench) -> None:
    """Start, step, reset, speed; and what is taken away from here."""
    start = button(Words("Start", "スタート"), bench.start, "main start", aria_keyshortcuts="Space")
    button(Words("Step", "1ステップ"), bench.step, aria_keyshortcuts="s")
    button(Words("Reset", "リセット"), bench.reset, aria_keyshortcuts="r")
    choice(Words("speed", "速さ"), SPEEDS, f"{USUAL_SPEED:g}", bench.faster)
    check(Words("keep", "保存する"), False, bench.keep)
    put("a", Words("Settings ↓", "設定 ↓"), "button below", href="#builder")  # on a phone they stand below all that is shown
    put("span", classes="space")
    button(Words("Copy link", "リンクをコピー"), lambda: copied(bench))
    button("TOML", lambda: shown("TOML", placeless(bench.store, bench.board.study.to_toml())))
    button("Python", lambda: shown("Python", placeless(bench.store, bench.board.python())))

    def heard() -> None:
        words = (
            Words("Pause", "一時停止")
            if bench.running
            else Words("Again", "もう一度")
            if bench.done
            else Words("Start", "スタート")
        )
        start.text = say(words)

    bench.heard.append(heard)


async def copied(bench: Bench) -> None:
    """Copy the address of what is on the screen, or show it where the browser does not let us."""
    link = await ui.run_javascript("location.origin", timeout=5) + bench.board.link()
    if await ui.run_javascript(
        f"navigator.clipboard ? navigator.clipboard.writeText({link!r}).then(() => true, () => false) : false", timeout=5
    ):
        ui.notify(say(Words("The link is copied.", "リンクをコピーしました。")), type="positive")
    else:
        shown(say(Words("Link", "リンク")), link)


def shown(title: str, text: str) -> None:
    """A text to take away, in a dialog."""
    with ui.dialog().props("aria-labelledby=taken") as dialog, ui.card().classes("taken"):
        put("h2", title, id="taken")
        with put("pre", tabindex="0"):
            put("code", text)
        with put("div", classes="row"):
            done = Words("Copied", "コピーしました")
            copy = button(Words("Copy", "コピー"), lambda: copy.set_text(say(done)))
            copy.on("click", js_handler=COPY)
            button(Words("Close", "閉じる"), dialog.close)
    dialog.on("hide", dialog.delete)
    dialog.open()
