"""What an exported ``model.py`` does to raw samples before its network sees them: the same that was done to the training samples.

Texts of Python that needs PyTorch (and Pillow, for files of images) and nothing of Koubai; the numbers are in ``model.json``.
"""

from __future__ import annotations

from koubai.data import Dataset

COMMON = '''
def about():
    """What goes in and what comes out, as model.json says."""
    return json.loads((HERE / "model.json").read_text(encoding="utf-8"))


def standardized(x):
    """Numbers ``[sample, ...]`` as the network takes them: gaps filled, standardized."""
    told = about()["input"]
    x = x.reshape(-1, *told["shape"])
    if "missing" in told:
        x = torch.where(x.isnan(), torch.tensor(told["missing"]), x)
    if not x.isfinite().all():
        raise ValueError("a value is missing or infinite, and the network was not trained to fill it")
    if "mean" in told:
        mean, scale = (torch.tensor(told[name], dtype=torch.float64) for name in ("mean", "scale"))
        x = ((x - mean).float() / scale).float()
    return x.to(getattr(torch, told["dtype"]))
'''
IMAGES = '''
def prepare(images):
    """Images as the network takes them.

    One is a file's path or a Pillow image, cut to the network's size. Several are an array or tensor ``[sample, {sides}]``, of bytes
    or of brightness from 0 to 1.
    """
    if isinstance(images, (str, Path)) or hasattr(images, "convert"):
        images = pixels(images)
    x = torch.as_tensor(images)
    return standardized(x / 255 if x.dtype == torch.uint8 else x.float())


def pixels(image):
    """One image as bytes ``[channel, height, width]``, turned as its EXIF says."""
    from PIL import Image, ImageOps

    channels, height, width = about()["input"]["image"]
    if not hasattr(image, "convert"):
        with Image.open(image) as opened:
            return pixels(ImageOps.exif_transpose(opened))
    image = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(height, width, channels).permute(2, 0, 1)
'''
ARRAYS = '''
def prepare(samples):
    """Samples as the network takes them, from an array or tensor ``[sample, {sides}]``; bytes become 0 to 1."""
    x = torch.as_tensor(samples)
    return standardized(x / 255 if x.dtype == torch.uint8 else x.float())
'''
TABLE = '''
def prepare(rows):
    """Rows of a table as the network takes them: one ``{column: value}``, or several, as ``csv.DictReader`` reads them too.

    A missing value is ``None`` or an empty text.
    """
    columns, values = about()["input"]["columns"], []
    for row in [rows] if isinstance(rows, dict) else rows:
        for column in columns:
            given = row[column["name"]]
            given = given.strip() if isinstance(given, str) else given
            if "categories" not in column:
                values.append(float("nan") if given in (None, "") else float(given))
                continue
            if given not in (None, "", *column["categories"]):
                raise ValueError(f"the network does not know {given!r} in column {column['name']!r}")
            values += [float(given == category) for category in column["categories"]]
    return standardized(torch.tensor(values))
'''
TARGET = '''
def target(outputs):
    """The network's outputs in the unit of the target, ``[sample]``."""
    told = about()["output"]
    return outputs[:, 0] * told["scale"] + told["mean"]
'''


def preparation(data: Dataset) -> str:
    """The functions that go into ``model.py`` for networks of these data."""
    made = TABLE if data.transform.fields else IMAGES if pictures(data) else ARRAYS
    parts = [COMMON, made.replace("{sides}", ", ".join(map(str, data.shape)))]
    return "\n".join(parts + [TARGET] * (data.target is not None))


def pictures(data: Dataset) -> bool:
    """Whether samples are images, grey or of three channels."""
    return len(data.shape) == 2 or (len(data.shape) == 3 and data.shape[0] in (1, 3))
