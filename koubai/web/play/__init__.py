"""Play: build networks, and watch their variants train side by side."""

from koubai.web.play.page import content
from koubai.web.play.upload import ADDRESS as UPLOADS

__all__ = ["UPLOADS", "content"]
