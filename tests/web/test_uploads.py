"""What visitors may bring, and what they may name."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from koubai.data import load
from koubai.laboratory import run
from koubai.language import UserError, Words
from koubai.store import Store
from koubai.study import Study
from koubai.web import server, shell, study, uploads
from tests.bounds import bounded
from tests.data.test_fuzz import WRITERS, damages

TABLE = "a,b,class\n" + "".join(f"{k},{k * k % 7},{'yes' if k % 2 else 'no'}\n" for k in range(40))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "out" / "store")


def kept(store: Store) -> list[str]:
    place = uploads.folder(store)
    return sorted(file.name for file in place.iterdir()) if place.exists() else []


def test_a_table_is_kept_beside_the_store_and_is_data(store: Store) -> None:
    data = uploads.keep(store, "my table.csv", TABLE.encode())
    assert Path(data.name).parent == store.folder.parent / "uploads"
    assert load(data).classes == ("no", "yes")
    uploads.permitted(store, [data.name, "digits"])
    assert uploads.keep(store, "my table.csv", TABLE.encode()) == data and len(kept(store)) == 1


@pytest.mark.parametrize(
    "name", ["../../etc/cron.csv", "/etc/x.csv", "..csv", "a/../../b.csv", "<script>.csv", "\x00.csv", "勾配.csv"]
)
def test_no_name_leads_out_of_the_folder(store: Store, name: str) -> None:
    path = Path(uploads.keep(store, name, TABLE.encode()).name) if Path(name).suffix else uploads.folder(store) / "x"
    assert path.parent == uploads.folder(store) and not set("<>/\x00") & set(path.name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\xff\xfe\x00"),
        ("a.npz", b"PK\x03\x04 not really"),
        ("a.parquet", b"PAR1"),
        ("a.csv", b"x\n1\n"),
    ],
)
def test_what_no_reader_accepts_is_not_kept(store: Store, name: str, content: bytes) -> None:
    with pytest.raises(UserError) as error:
        uploads.keep(store, name, content)
    assert not kept(store)
    assert str(store.folder.parent) not in str(error.value)


def test_what_is_wrong_with_an_upload_later_names_the_file_and_not_its_place(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = uploads.keep(store, "my table.csv", TABLE.encode())
    with pytest.raises(UserError) as error:
        load(data.model_copy(update={"target": "color"}))
    for words in uploads.told(store, error.value).words:
        assert "mytable.csv" in words and str(store.folder.parent) not in words and Path(data.name).name not in words
    monkeypatch.setattr(uploads, "write_whole", MagicMock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(UserError, match=r"'more\.csv' could not be kept on the server: No space left") as full:
        uploads.keep(store, "more.csv", TABLE.encode())
    monkeypatch.setattr(uploads, "ALL", 10)
    with pytest.raises(UserError, match="together") as many:
        uploads.keep(store, "more.csv", TABLE.encode())
    assert not any(str(store.folder.parent) in words for words in (*full.value.words, *many.value.words))


@pytest.mark.parametrize(
    ("part", "handler"), [("report", server._report), ("curves", server._curves), ("download", server._model)]
)
def test_what_cannot_be_downloaded_names_no_place(
    store: Store, monkeypatch: pytest.MonkeyPatch, part: str, handler: Callable[..., Any]
) -> None:
    data = uploads.keep(store, "my table.csv", TABLE.encode())
    monkeypatch.setattr(study, part, MagicMock(side_effect=UserError(f"{data.name} is gone.", f"{data.name} がありません。")))
    more = ("best",) if part == "download" else ()
    answer = asyncio.run(handler(store, "some", *more))
    assert (answer.status_code, bytes(answer.body).decode()) == (404, "mytable.csv is gone.")


def test_a_page_that_cannot_be_shown_names_no_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is opened, and in what a visitor does on it later."""
    data = uploads.keep(store, "my table.csv", TABLE.encode())
    error = UserError(f"{data.name} is gone.", f"{data.name} がありません。")
    pages, handled, said = [], [], []
    monkeypatch.setattr(shell, "Page", lambda *_, **__: pages.append)
    monkeypatch.setattr(shell, "ui", MagicMock(on_exception=handled.append))
    monkeypatch.setattr(shell, "_frame", lambda path: None)
    for name in ("problem", "warn"):
        monkeypatch.setattr(shell, name, lambda words: said.append(str(words)))
    shell.page("/", Words("Title", "題"), MagicMock(side_effect=error), store)
    with monkeypatch.context() as patch:
        patch.setattr(shell, "put", MagicMock())
        asyncio.run(pages[0]())
    handled[0](error)
    assert said == ["mytable.csv is gone."] * 2


def test_what_a_visitor_takes_away_names_no_place(store: Store) -> None:
    """A study as a file, and its network in a zip file."""
    data = uploads.keep(store, "my table.csv", TABLE.encode())
    ours = Study({"data": data, "layers": [2], "steps": 2, "batch_size": 20}, name="mine")
    run(ours, store=store)
    files = {"toml": uploads.placeless(store, ours.to_toml()).encode()}
    with zipfile.ZipFile(io.BytesIO(study.zipped(store, ours.id, "best")[1])) as archive:
        files |= {Path(name).name: archive.read(name) for name in archive.namelist()}
    assert {"model.py", "model.json", "model.safetensors", "README.md"} < files.keys()
    place = str(store.folder.parent).encode()
    assert not [name for name, content in files.items() if place in content or Path(data.name).stem.encode() in content]
    assert (
        tomllib.loads(files["toml"].decode())["base"]["data"]
        == json.loads(files["model.json"])["trial"]["data"]["name"]
        == "mytable.csv"
    )


@pytest.mark.parametrize("doubled", ["", "\\"])
def test_a_place_on_windows_is_left_out_too(monkeypatch: pytest.MonkeyPatch, doubled: str) -> None:
    monkeypatch.setattr(uploads, "folder", lambda store: r"C:\Users\new\uploads")
    monkeypatch.setattr(uploads.os, "sep", "\\")
    path = r"C:\Users\new\uploads\mine-0123456789ab.csv".replace("\\", "\\" + doubled)
    assert uploads.placeless(MagicMock(), f'data = "{path}"') == 'data = "mine.csv"'


def test_arrays_that_would_have_to_be_unpickled_are_refused(store: Store, tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", x=np.array([{"a": 1}] * 40, dtype=object), y=np.arange(40) % 2)
    with pytest.raises(UserError):
        uploads.keep(store, "evil.npz", (tmp_path / "evil.npz").read_bytes())
    assert not kept(store)


@pytest.mark.parametrize("name", ["a.pkl", "a.py", "a", "a.csv.exe", ".csv", "a.zip"])
def test_other_kinds_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UserError, match="ends in"):
        uploads.keep(store, name, b"x")


def test_too_much_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST", 100)
    with pytest.raises(UserError, match="at most"):
        uploads.keep(store, "a.csv", TABLE.encode())
    monkeypatch.setattr(uploads, "MOST", 10**6)
    monkeypatch.setattr(uploads, "ALL", len(TABLE) + 10)
    uploads.keep(store, "a.csv", TABLE.encode())
    with pytest.raises(UserError, match="take more"):
        uploads.keep(store, "a.csv", (TABLE + "1,2,no\n").encode())


def test_a_link_in_the_folder_leads_nowhere(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(TABLE)
    uploads.folder(store).mkdir(parents=True)
    (uploads.folder(store) / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(UserError):
        uploads.permitted(store, [str(uploads.folder(store) / "link.csv")])


def test_what_would_expand_beyond_bounds_is_refused_before_it_does(store: Store, tmp_path: Path) -> None:
    """800 MB of zeros in 1 MB, and a thousand million rows in some kilobytes, must not take the memory of who serves."""
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 100)})
            for _ in range(50):
                file.write(bytes(2**24))
        with archive.open("y.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(10**6, np.uint8))
    rows = pa.table({name: pa.DictionaryArray.from_arrays(np.zeros(2 * 10**7, np.int8), [1.0]) for name in "abc"})
    pq.write_table(rows, tmp_path / "bomb.parquet")
    for name in ("bomb.npz", "bomb.parquet"):
        content = (tmp_path / name).read_bytes()
        assert len(content) < uploads.MOST
        with bounded(), pytest.raises(UserError, match="more than the 50,000,000 that are read"):
            uploads.keep(store, name, content)
    assert not kept(store)


@given(
    st.sampled_from(["own.csv", "own.npz", "own.parquet"]),
    st.sampled_from(["csv", "npz", "npz compressed", "parquet", "parquet zstd"]),
    damages(),
    st.sampled_from([None, "class", "no such"]),
)
def test_uploads_damaged_at_random(name: str, kind: str, damage: Callable[[bytes], bytes], target: str | None) -> None:
    """Kept where it can be loaded; else one sentence, and nothing is kept."""
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place) / "out" / "store")
        content = damage(WRITERS[kind](Path(place)).read_bytes())
        with bounded():
            data = None
            try:
                data = uploads.keep(store, name, content, target)
            finally:
                assert len(kept(store)) == (data is not None)
            uploads.permitted(store, [data.name])
            assert load(data).features > 0
