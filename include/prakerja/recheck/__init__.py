"""The second reading: who bought in time, computed again from the files before anybody is revoked.

A revocation is for life, and the product decides it with one parser, one ledger and one rule. This package reads the
same files and computes the same decision by other means: Python's `csv` and `json`, openpyxl, and sets in memory.
It shares no code with the feeds, the cohorts or the warehouse, because a fault in shared code would be found in both
readings and so in neither. It imports only `prakerja.platforms` (platforms are data), `prakerja.settings` for the
bounds of `program.yaml`, and `prakerja.errors`; what people have said it is given as rows of facts (`known`).

Read it beside section 2 of the contract: each sentence stands as a comment at the lines that carry it out.
`files` opens the evidence, `reading` and `workbook` yield a file's rows as delivered, `rows` says what a row says and
whose it might be, `rule` decides, `passed_over` looks for deliveries that should count and do not; `published` compares
a published list.

Left to the first reading are undoings that were delivered before the announcement: where one counts, the two differ,
and the person is held. Left out are what no file says: whether a result is plausible, who is at risk before the
deadline, and whether a card or NIK stands in another cohort.
"""
