"""Remedies by name, each with the symptoms it treats. A new one is one function in one of these files."""

from koubai.doctor.remedies import layers, size, steps  # noqa: F401 (their remedies)
from koubai.doctor.remedies.base import REMEDIES, Remedy, remedies_for, treated

__all__ = ["REMEDIES", "Remedy", "remedies_for", "treated"]
