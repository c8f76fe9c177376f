"""The published study, section by section, in its own order: the one list of all sections."""

from typing import Final

from analysis.sections.section import Section

SECTIONS: Final[tuple[Section, ...]] = ()
