"""The answers to the review questions, computed on the spot; ``quiz`` asks them."""
