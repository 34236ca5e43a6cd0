"""Any PyTorch model under watch while it trains: hooks that see what the ledger sees, for the doctor and the report."""

from koubai.watching.watcher import Watch, watch

__all__ = ["Watch", "watch"]
