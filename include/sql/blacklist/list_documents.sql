-- Grain: one row per document of the published folder, of the series that was begun last.
select
    d.series,
    d.name,
    d.content
from public.published_documents as d
where d.series = (select max(s.series) from public.published_documents as s)
order by d.name
