-- Grain: one row per document of the published folder that is recorded under one of the names.
-- Parameters: series, names.
select
    d.name,
    d.content
from published_documents as d
where d.series = :series and d.name = any(cast(:names as text[]))
