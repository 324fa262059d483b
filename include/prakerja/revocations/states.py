"""The states of a recipient and the transitions between them, as the warehouse enforces them."""

from __future__ import annotations

from prakerja import warehouse

#: The label of each fact in the diagram.
FACTS = {
    "outcomes": "decided",
    "hold_resolutions": "looked into",
    "late_findings": "late evidence clears them",
    "revocations": "approved, carried out",
    "reinstatements": "approved, or appeal upheld",
}


def diagram() -> str:
    """Return the transitions as a Mermaid state diagram."""
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "revocations/list_transitions")
    lines = [f"    {row['from_state']} --> {row['to_state']} : {FACTS[row['fact']]}" for row in rows]
    return "\n".join(["stateDiagram-v2", "    [*] --> selected", *lines, "    reinstated --> [*]"])
