"""Data sets: arrays, splits and standardizing, from inside the package or from the user's files."""

from koubai.data.dataset import Dataset, load

__all__ = ["Dataset", "load"]
