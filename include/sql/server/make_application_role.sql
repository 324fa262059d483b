-- Grain: no rows. The role that can only add facts, for whoever connects; run twice, it is there.
-- Parameters: none.
do $$
begin
    if not exists (select from pg_roles where rolname = 'prakerja_app') then
        create role prakerja_app nologin;
    end if;
    execute format('grant prakerja_app to %I', session_user);
end;
$$
