import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/**
 * What is searched for by agents: words and names of servers and capabilities, of what examples show.
 * All that is indexed is cut to what a tsvector can hold.
 */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`create extension if not exists pg_trgm`
    // `createIssue`, `create_issue` and `create-issue` are the same words.
    yield* sql`
      create function search_words(words text) returns text language sql immutable parallel safe as $$
        select trim(lower(regexp_replace(regexp_replace(coalesce(words, ''),
          '([[:lower:][:digit:]])([[:upper:]])', '\\1 \\2', 'g'), '[[:punct:][:space:]]+', ' ', 'g')))
      $$`
    // A name beyond what an index takes as one key is not looked for.
    yield* sql`
      create function schema_properties(schema json) returns text[] language sql immutable parallel safe as $$
        select coalesce(array_agg(key), '{}') from json_object_keys(
          case when json_typeof(schema -> 'properties') = 'object' then schema -> 'properties' else '{}' end) key
        where octet_length(key) <= 800
      $$`
    yield* sql`
      create function schema_descriptions(schema json) returns text language sql immutable parallel safe as $$
        select coalesce(string_agg(value ->> 'description', ' '), '') from json_each(
          case when json_typeof(schema -> 'properties') = 'object' then schema -> 'properties' else '{}' end)
        where json_typeof(value) = 'object' and json_typeof(value -> 'description') = 'string'
      $$`
    // Stable for what it may be given, immutable for text.
    yield* sql`
      create function joined_words(words text[]) returns text language sql immutable parallel safe as $$
        select search_words(array_to_string(words, ' '))
      $$`
    yield* sql`alter table capabilities
      add column names text not null generated always as (search_words(name || ' ' || coalesce(title, ''))) stored,
      add column properties text[] not null generated always as (schema_properties(input_schema)) stored,
      add column search tsvector not null generated always as (
        setweight(to_tsvector('english', search_words(name || ' ' || coalesce(title, ''))), 'A') ||
        setweight(to_tsvector('english', left(joined_words(schema_properties(input_schema)), 20000)), 'B') ||
        setweight(to_tsvector('english', left(description, 20000)), 'C') ||
        setweight(to_tsvector('english', left(schema_descriptions(input_schema), 20000)), 'D')) stored`
    yield* sql`alter table mcp_servers
      add column names text not null generated always as (search_words(name)) stored,
      add column search tsvector not null generated always as (
        setweight(to_tsvector('english', search_words(name)), 'A') ||
        setweight(to_tsvector('english', joined_words(tags)), 'B') ||
        setweight(to_tsvector('english', left(description, 20000)), 'C')) stored`
    for (const table of ["capabilities", "mcp_servers"]) {
      yield* sql`create index ${sql(`${table}_search`)} on ${sql(table)} using gin (search)`
      yield* sql`create index ${sql(`${table}_names`)} on ${sql(table)} using gin (names gin_trgm_ops)`
    }
    yield* sql`create index capabilities_properties on capabilities using gin (properties)`
    // Filled as the messages are written: examples that were made before are found by their suite alone.
    yield* sql`alter table examples
      add column title text constraint examples_title_length check (char_length(title) <= 200),
      add column actions text[] not null default '{}',
      add column action_ids uuid[] not null default '{}',
      add column tools text[] not null default '{}',
      add column tool_ids uuid[] not null default '{}',
      add column search tsvector`
    yield* sql`create index examples_org_shown on examples (org_id, id)
      where status = 'COMPLETED' and review is distinct from 'rejected'`
    for (const column of ["actions", "action_ids", "tools", "tool_ids", "search"]) {
      yield* sql`create index ${sql(`examples_${column}`)} on examples using gin (${sql(column)})
        where status = 'COMPLETED' and review is distinct from 'rejected'`
    }
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop index examples_org_shown`
    yield* sql`alter table examples drop column title, drop column actions, drop column action_ids, drop column tools,
      drop column tool_ids, drop column search`
    yield* sql`alter table mcp_servers drop column names, drop column search`
    yield* sql`alter table capabilities drop column names, drop column properties, drop column search`
    yield* sql`drop function joined_words, schema_descriptions, schema_properties, search_words`
    // Where somebody else made it or needs it, it stays.
    yield* sql`
      do $$ begin
        drop extension if exists pg_trgm;
      exception when insufficient_privilege or dependent_objects_still_exist then null;
      end $$`
  })
}
