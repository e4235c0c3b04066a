-- What a Supabase project has before the first migration, for the whole server: its roles.
-- The login `postgres` owns the database and migrates; as there, it is no superuser.

do $$
declare
    role_name text;
begin
    foreach role_name in array array['anon', 'authenticated', 'service_role', 'authenticator', 'postgres'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I', role_name);
        end if;
    end loop;
end
$$;

alter role anon nologin noinherit;
alter role authenticated nologin noinherit;
alter role service_role nologin noinherit bypassrls;
alter role authenticator nologin noinherit;
alter role postgres login createrole createdb bypassrls nosuperuser;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
