"""The second reading: who bought in time, computed again from the files before anybody is revoked.

A revocation is for life, and the product decides it with one parser, one ledger and one rule. This package reads the
same files and computes the same decision by other means: Python's `csv` and `json`, openpyxl, and sets in memory.
It shares no code with the feeds, the cohorts or the warehouse, because a fault in shared code would be found in both
readings and so in neither. It imports only `prakerja.platforms` (platforms are data), `prakerja.programme` for the
bounds of `program.yaml`, and `prakerja.errors`. It receives what people have recorded as rows of facts (`known`).

Read it beside section 2 of the contract: each sentence is a comment on the lines that implement it. `files` opens the
evidence, `reading` and `workbook` yield a file's rows as delivered, `rows` interprets a row and finds the cards that it
might be about, `rule` decides, `passed_over` finds deliveries that should count and do not, and `published` checks a
published list.

Undoings that were delivered before the announcement are read by the first reading alone: if one counts, the readings
differ and the recipient is held. Not checked is what no file says: whether a result is plausible, who is at risk before
the deadline, and whether another cohort has a card or NIK.
"""
