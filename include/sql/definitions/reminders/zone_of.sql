-- The time zone of a province, by its code.
create or replace function zone_of(region_code text) returns text
language sql immutable parallel safe
return case
    when region_code in ('51', '52', '53', '63', '64', '65', '71', '72', '73', '74', '75', '76') then 'Asia/Makassar'
    when region_code in ('81', '82') or region_code like '9%' then 'Asia/Jayapura'
    else 'Asia/Jakarta'
end;
