"""Stacked networks: layers with a leading trial axis, forward and backward side by side."""

from koubai.networks.architectures import build
from koubai.networks.network import Network, Pass

__all__ = ["Network", "Pass", "build"]
