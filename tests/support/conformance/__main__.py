"""Write the conformance kit's publications, cases and keys."""

from tests.support.conformance.writing import write_kit

write_kit()
