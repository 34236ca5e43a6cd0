"""Training: which trials train together, the steps themselves, and what is recorded on the way."""

from koubai.training.cohort import cost, plan
from koubai.training.loop import Outcome, train

__all__ = ["Outcome", "cost", "plan", "train"]
