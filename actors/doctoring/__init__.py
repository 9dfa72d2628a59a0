"""``minutebook doctor``: `examine` finds what a crash left, `treat` releases it."""
