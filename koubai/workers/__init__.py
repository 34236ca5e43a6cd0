"""Stacks trained in processes of their own, beside the one that a study was given to."""
