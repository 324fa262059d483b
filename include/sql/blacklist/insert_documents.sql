-- Grain: one row per document of the published folder. What was recorded first under a name stays: twice is once.
-- Parameters: series, names, contents.
-- Role: publish.
insert into published_documents (series, name, content)
select
    :series,
    d.name,
    d.content
from unnest(cast(:names as text[]), cast(:contents as bytea[])) as d (name, content)
on conflict (series, name) do nothing
