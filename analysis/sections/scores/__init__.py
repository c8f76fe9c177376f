"""Sections of notebook 03: scores of model pairs, and how well they tell human from synthetic text."""
