"""Measurements of speed beside a reference and beside the limit, in one run, as ratios."""
