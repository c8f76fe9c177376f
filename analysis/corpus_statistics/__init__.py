"""Statistics of the texts that a run scored, in bounded memory. Knows records of a corpus, no figures and no page."""
