"""CSV and Parquet, against tables written by Python's csv module, pyarrow and by hand."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from sklearn.datasets import load_iris

from koubai.data import files, load
from koubai.data.readers import csvs
from koubai.spec import Data
from tests.data.sets import look, refused

WORDS = st.text(st.characters(exclude_categories=["C"], exclude_characters="\r\n\0"), min_size=1, max_size=6).filter(
    lambda text: text.strip() == text and csvs.Form(Path(), "", ",", (), True).number(text) is None
)
CELLS = st.one_of(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=30, max_size=30),
    st.lists(st.integers(-1000, 1000), min_size=30, max_size=30),
    st.lists(WORDS, min_size=1, max_size=4, unique=True).flatmap(
        lambda words: st.lists(st.sampled_from(words), min_size=30, max_size=30)
    ),
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "own.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@given(
    st.lists(CELLS, min_size=1, max_size=4),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[Any]], separator: str, quoting: Any, encoding: str, end: str
) -> None:
    names = [f"feature {k}" for k in range(len(columns))]
    labels = ["no", "yes"] * 15
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerow([*names, "answer"])
    writer.writerows(zip(*columns, labels, strict=True))
    folder = tmp_path_factory.mktemp("csv")
    (folder / "own.csv").write_bytes(file.getvalue().encode(encoding))
    found = look(folder / "own.csv")
    expected, titles = [], []
    for name, cells in zip(names, columns, strict=True):
        if isinstance(cells[0], str):
            for text in sorted(set(cells)):
                titles.append(f"{name}={text}")
                expected.append([cell == text for cell in cells])
        else:
            titles.append(name)
            expected.append(cells)
    assert found.columns == tuple(titles)
    np.testing.assert_array_equal(found.x, np.array(expected, np.float32).T)
    assert found.y.tolist() == [0, 1] * 15 and found.classes == ("no", "yes")
    pq.write_table(pa.table(dict(zip([*names, "answer"], [*columns, labels], strict=True))), folder / "own.parquet")
    again = look(folder / "own.parquet")
    np.testing.assert_array_equal(again.x, found.x)
    np.testing.assert_array_equal(again.y, found.y)
    assert (again.columns, again.classes) == (found.columns, found.classes)


def test_iris_trains_like_any_other_set(tmp_path: Path) -> None:
    iris = load_iris()
    with open(tmp_path / "iris.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["species", *iris.feature_names])
        writer.writerows([iris.target_names[y], *x] for x, y in zip(iris.data, iris.target, strict=True))
    data = load(Data(name=str(tmp_path / "iris.csv"), target="species"))
    assert data.classes == tuple(iris.target_names) and data.shape == (4,)
    assert np.bincount(data.y_train).tolist() == [40] * 3 and np.bincount(data.y_validation).tolist() == [10] * 3
    rows = {(*x.astype(np.float32).tolist(), int(y)) for x, y in zip(iris.data, iris.target, strict=True)}
    assert {(*x.tolist(), int(y)) for x, y in zip(data.x_train, data.y_train, strict=True)} < rows


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("a,b,c", "c"), ("a,label,c", "label"), ("Target,class,c", "Target"), ("y,b,c", "y"), ("Class,y,c", "Class"), ("labels,ys,c", "c"),
    ],
)  # fmt: skip
def test_the_target_is_named_or_called_so_or_the_last(write: Callable[..., Path], header: str, target: str) -> None:
    path = write(header + "\n" + "1,2,3\n4,5,6\n")
    place = header.split(",").index(target)
    found = look(path)
    assert found.classes == tuple("123456"[place::3]) and target not in found.columns and len(found.columns) == 2
    assert look(path, target="c").classes == ("3", "6")
    assert look(path, drop=[target]).columns != found.columns


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a,b\n1,x\n2,y\n", ("a",)),
        ("1,x\n2,y\n", ("column 1",)),
        ("1,5\n2,6\n", ("column 1",)),
        ("label,0,1\n3,4,5\n6,7,8\n", ("0", "1")),  # MNIST's tables name their columns by numbers
        ("a,b\n,x\n2,y\n3,x\n", ("a",)),
        ("\n\na,b\n\n1,x\n2,y\n\n", ("a",)),
        (" a , b \n 1 , x \n 2 ,y\n", ("a",)),
        ("p,q\nr,s\nt,u\n", ("p=r", "p=t")),  # no numbers at all: the first row is taken for the header
    ],
)
def test_a_header_is_recognized(write: Callable[..., Path], content: str, columns: tuple[str, ...]) -> None:
    assert look(write(content), missing="mean").columns == columns


@pytest.mark.parametrize("content", ["1,5;3;x\n-2,25;4;y\n", "p;q;r\n1,5;3;x\n-2,25;4;y\n", '"1,5";"3";"x"\n"-2,25";"4";"y"\n'])
def test_beside_semicolons_a_comma_is_the_decimal_point(write: Callable[..., Path], content: str) -> None:
    assert look(write(content)).x.tolist() == [[1.5, 3], [-2.25, 4]]


def test_japanese_windows(write: Callable[..., Path]) -> None:
    text = "身長,性別,種類\n170,男,犬\n160,女,猫\n"
    for encoding in ("utf-8", "utf-8-sig", "cp932", "utf-16"):
        found = look(write(text.encode(encoding)))
        assert (
            found.columns == ("身長", "性別=女", "性別=男")
            and found.classes == ("犬", "猫")
            and found.x.tolist() == [[170, 0, 1], [160, 1, 0]]
        )


def test_row_numbers_as_pandas_writes_them_are_no_feature(write: Callable[..., Path], tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"a": [5.0, 6, 7, 8], "y": ["u", "u", "v", "v"]})
    frame.to_csv(tmp_path / "own.csv")
    found = look(tmp_path / "own.csv")
    assert found.columns == ("a",) and "numbers the rows" in found.notes[0].en
    for index, columns in (([4, 5, 6, 7], ("a",)), ([4, 9, 6, 7], ("a", "__index_level_0__"))):
        frame = pandas.DataFrame({"a": [5.0, 6, 7, 8], "kind": ["u", "u", "v", "v"]}, index=index)
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=True), tmp_path / "own.parquet")
        found = look(tmp_path / "own.parquet")  # where they stand last, and are no target
        assert found.columns == columns and found.classes == ("u", "v")
    assert look(write(",y\n0,u\n1,v\n")).columns == ("",)  # there is nothing else
    assert look(write(",a,y\n3,5,u\n9,6,v\n")).columns == ("", "a")  # not row numbers


def test_a_text_far_down_makes_a_column_of_texts(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvs, "CHUNK", 7)
    rows = "".join(f"{k % 5},{k},{k % 2}\n" for k in range(200))
    assert look(write("a,b,y\n" + rows)).columns == ("a", "b")
    found = look(write("a,b,y\n" + rows + "five,7,1\n" + rows))
    assert found.columns == ("a=0", "a=1", "a=2", "a=3", "a=4", "a=five", "b")
    assert found.x[200].tolist() == [0, 0, 0, 0, 0, 1, 7] and found.x[203].tolist() == [0, 0, 1, 0, 0, 0, 2]
    assert "column 'b' has more than 100 different strings (in row 202 'O')" in refused(write("a,b,y\n" + rows + "5,O,1\n"))


MISSING = "a,b,c,y\n1,u,5,p\n,v,?,q\n3,,7,p\nNA,u,n/a,q\n5,v,9,p\n6,NA,1,q\n7,u,2,p\n8,v,3,q\n"


def test_missing_values_are_refused_by_row_and_column(write: Callable[..., Path]) -> None:
    assert "row 3, column 'a' has no value; missing = \"mean\"" in refused(write(MISSING))
    assert "row 4, column 'b' has no value" in refused(write(MISSING), drop=["a", "c"])
    assert "row 3, column 'c' has no value" in refused(write(MISSING), drop=["a", "b"])
    sentence = refused(write("a,y\n1,p\n2,\n3,q\n"), missing="mean")
    assert "row 3 has no value in the target column 'y'" in sentence
    assert look(write("a,y\n1,p\n2,\n3,q\n"), missing="drop").rows.tolist() == [2, 4]  # type: ignore[union-attr]


def test_missing_values_are_filled_or_dropped_as_asked(write: Callable[..., Path]) -> None:
    found = look(write(MISSING), missing="drop")
    assert found.columns == ("a", "b=NA", "b=u", "b=v", "c") and found.rows is not None
    assert found.rows.tolist() == [2, 6, 7, 8, 9]  # among texts NA is a text like any other
    assert found.x[:, 0].tolist() == [1, 5, 6, 7, 8] and found.x[2].tolist() == [6, 1, 0, 0, 1]
    found = look(write(MISSING), missing="mean")
    assert found.missing == {"a": 2, "b": 1, "c": 2}
    assert np.isnan(found.x[:, 0]).tolist() == [False, True, False, True] + [False] * 4 and not found.x[2, 1:4].any()
    data = load(Data(name=str(write(MISSING)), missing="mean", validation=0.25))
    a = {1, 3, 5, 6, 7, 8}
    trained = {float(value) for value in data.x_train[:, 0]} & a
    filled = {float(value) for value in (*data.x_train[:, 0], *data.x_validation[:, 0])} - a
    assert filled <= {float(np.float32(np.mean(list(trained))))}  # nothing of the validation part goes into the mean
    assert np.isfinite(data.x_train).all() and np.isfinite(data.x_validation).all()
    sentence = refused(write("a,b,y\n" + "1,,0\n2,,1\n" * 5), missing="mean")
    assert "'b' has no value in any training sample" in sentence


BAD: dict[str, tuple[bytes | str, list[str]]] = {
    "empty": ("", ["own.csv is empty"]),
    "blank lines": ("\n\n\r\n", ["own.csv is empty"]),
    "a header alone": ("a,b\n", ["has no rows"]),
    "one column": ("a\n1\n2\n", ["needs a target column and at least one more; what is left of it is ['a']"]),
    "ragged": ("a,b\n1,2\n3,4,5\n", ["row 3 has 3 cells and the first row 2"]),
    "ragged below a blank line": ("a,b\n1,2\n\n3\n", ["row 4 has 1 cell and"]),
    "a name twice": ("a,b,a\n1,2,3\n", ["2 columns 'a'"]),
    "infinite": ("a,y\n1,0\n-inf,1\n", ["row 3, column 'a' is infinite"]),
    "too large": ("a,y\n1,0\n1e39,1\n", ["row 3, column 'a' is infinite, or too large"]),
    "far too large": ("a,y\n1,0\n1e999,1\n", ["row 3, column 'a' is infinite, or too large"]),
    "a quantity that is always the same": ("a,price\n" + "1,2.5\n" * 9, ["target is 2.5 in all 7 training samples"]),
    "an infinite label": ("a,y\n1,0\n1,inf\n", ["label of sample 1 is no number"]),
    "one class": ("a,y\n1,0\n2,0\n", ["only one class, '0'"]),
    "one of a class": ("a,y\n1,p\n2,p\n3,p\n4,q\n", ["class 'q' has only one sample"]),
    "names": ("name,a,y\n" + "".join(f"person {k},1,{k % 2}\n" for k in range(200)), ["'name'", "more than 100", "drop = ['name']"]),
    "people as classes": ("a,who\n" + "".join(f"1,person {k}\n" for k in range(2000)), ["column 'who'", "more than 1000"]),
    "an open quote": ('a,y\n1,"0\n2,1\n', ["cannot be read as CSV"]),
    "a long cell": ("a,y\n1," + "x" * 200_000 + "\n", ["cannot be read as CSV", "field larger"]),
    "a line without end": ("a,y\n" + "1," * 3_000_000, ["more than 4,194,304 characters"]),
    "a million columns": ("1," * 10**6 + "1\n", ["has 1,000,001 columns; at most 100,000 are read"]),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), ["not text"]),
    "zeros": (bytes(1000), ["not text"]),
    "half of UTF-16": ("a,y\n1,0\n".encode("utf-16")[:-1], ["cannot be read as CSV"]),
    "Windows-1252": ("sigmoïde,y\n1,0\n2,1\n".encode("latin-1"), ["not text; save it as UTF-8"]),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_one_sentence(write: Callable[..., Path], what: str) -> None:
    content, parts = BAD[what]
    sentence = refused(write(content))
    for part in parts:
        assert part in sentence, sentence


def test_wrong_columns_are_named(write: Callable[..., Path]) -> None:
    path = write("sepal,petal,species\n1,2,a\n3,4,b\n")
    assert "did you mean 'species'" in refused(path, target="specis")
    assert "did you mean 'petal'" in refused(path, drop=["petals"])
    assert "needs a target column" in refused(path, drop=["species"], target="species")
    assert "needs a target column" in refused(path, drop=["sepal", "petal"])
    assert "not resized" in refused(path, size=8)


def test_parquets_types(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    columns = {
        "whole": pa.array([1, None, 3, 4], pa.int8()),
        "large": pa.array([2**40, 1, 2, 3], pa.uint64()),
        "true": pa.array([True, False, None, True]),
        "half": pa.array(np.array([0.5, 1, 2, 3], np.float16)),
        "decimal": pa.array([1, 2, 3, 4]).cast(pa.decimal128(21, 2)),
        "coded": pa.array(["u", "v", None, "u"]).dictionary_encode(),
        "numbers coded": pa.array([5, 7, 5, None]).dictionary_encode(),
        "large text": pa.array(["", "v", "v", "u"], pa.large_string()),
        "view": pa.array(["a", "b", "b", "a"], pa.string_view()),
        "class": pa.array([False, True, True, False]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=3)
    found = look(path, missing="mean")
    expected = [
        [1, 2**40, 1, 0.5, 1, 1, 0, 5, 0, 0, 1, 0],
        [np.nan, 1, 0, 1, 2, 0, 1, 7, 0, 1, 0, 1],
        [3, 2, np.nan, 2, 3, 0, 0, 5, 0, 1, 0, 1],
        [4, 3, 1, 3, 4, 1, 0, np.nan, 1, 0, 1, 0],
    ]
    np.testing.assert_array_equal(found.x, np.array(expected, np.float32))
    assert found.columns[5:] == ("coded=u", "coded=v", "numbers coded", "large text=u", "large text=v", "view=a", "view=b")
    assert found.y.tolist() == [0, 1, 1, 0]
    assert "row 2, column 'whole' has no value" in refused(path)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([0, 1], pa.timestamp("ms")), "timestamp[ms]"), (pa.array([[1], [2]]), "list<"),
        (pa.array([{"a": 1}, {"a": 2}]), "struct<"),
        (pa.array([b"a", b"b"]), "binary"),
    ],
)  # fmt: skip
def test_parquets_other_types_are_refused_by_name(tmp_path: Path, column: pa.Array, kind: str) -> None:
    path = tmp_path / "own.parquet"
    pq.write_table(pa.table({"when": column, "a.b": [1, 2], "y": [0, 1]}), path)
    sentence = refused(path)
    assert f"column 'when' is of type {kind}" in sentence and "drop = ['when']" in sentence
    assert look(path, drop=["when"]).columns == ("a.b",)


def test_parquet_with_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    for a, kind, part in (
        (["x", None], pa.string(), ""),
        ([None, None], pa.string(), "no values but those of 'y'"),
        ([], pa.int8(), "no rows"),
    ):
        pq.write_table(pa.table({"a": pa.array(a, kind), "y": list(range(len(a)))}), path)
        if part:
            assert part in refused(path, missing="mean")
    pq.write_table(pa.table({}), path)
    assert "needs a target column" in refused(path)


def test_parquet_that_is_none_or_promises_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.parquet"
    for content in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"a,b\n1,2\n" * 100):
        path.write_bytes(content)
        assert "own.parquet cannot be read" in refused(path)
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50_000, np.int32)), pa.array(["x" * 100_000]))
    pq.write_table(pa.table({"a": long, "y": [0, 1] * 25_000}), path)
    assert path.stat().st_size < 100_000
    assert look(path).x.shape == (50_000, 1)  # 5 GB as texts, and one text in truth
    assert pa.default_memory_pool().max_memory() < 2**27
    monkeypatch.setattr(files, "MOST", 2**20)
    pq.write_table(pa.table({"a": np.zeros(2**20, np.int8), "y": np.zeros(2**20, np.int8)}), path)
    assert path.stat().st_size < 100_000
    assert "announces 2,097,152 values" in refused(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install 'koubai[parquet]'" in refused(tmp_path / "own.parquet")
