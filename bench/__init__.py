"""Speed against a reference and against the limit, side by side in one run, as ratios."""
