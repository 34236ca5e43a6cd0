"""Training: which trials train together, the steps themselves, and what is recorded on the way."""

from koubai.training.cohort import cost, plan
from koubai.training.loop import Outcome, Training, flush_denormals, train

__all__ = ["Outcome", "Training", "cost", "flush_denormals", "plan", "train"]
