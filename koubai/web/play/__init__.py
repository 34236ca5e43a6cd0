"""Play: build networks, and watch their variants train side by side."""

from koubai.web.play.page import content

__all__ = ["content"]
