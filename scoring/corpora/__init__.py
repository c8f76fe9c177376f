"""Corpora: files or datasets in, records of texts with their authors out."""
