-- Facts of a table that no entry of the log tells of.
create or replace function audit_strays(fact text) returns bigint
language plpgsql stable
as $$
declare
    strays bigint;
begin
    execute format(
        'select count(*) from %I as t where not exists ('
        ' select from audit_log as l where l.entry = t.entry and l.facts ? %L)', audit_strays.fact, audit_strays.fact
    )
    into strays;
    return strays;
end;
$$;
