"""Results on disk, as they are made.

A store is a folder: ``stacks/*.safetensors`` hold what each finished stack gave (history, final weights, and in the
metadata the trials and the environment), ``index.sqlite`` says which trial is in which row of which file. A stack's file is
written whole or not at all, before the index names it, and its name is a hash of its content. Nothing is ever unpickled.
"""

from koubai.data.files import write_whole
from koubai.store.files import Record, write_out
from koubai.store.machine import environment
from koubai.store.store import STATES, Store

__all__ = ["STATES", "Record", "Store", "environment", "write_out", "write_whole"]
