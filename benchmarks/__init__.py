"""Koubai beside what a user would otherwise write, measured side by side in one run."""
