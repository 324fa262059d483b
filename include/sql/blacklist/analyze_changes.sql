-- Grain: none; lets the list be read by a plan for as many people as there are by now.
analyze blacklist_changes
