"""Keeping and forgetting: segments, archives, pruning, legal holds, and destroyed keys."""
