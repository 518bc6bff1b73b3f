"""Where versions and checkpoints are kept: a directory or an S3 bucket, behind one interface."""

from trainer.store.interface import Contents, Store, StoreUnavailable
from trainer.store.opening import open_store
from trainer.store.writing import write

__all__ = ["Contents", "Store", "StoreUnavailable", "open_store", "write"]
