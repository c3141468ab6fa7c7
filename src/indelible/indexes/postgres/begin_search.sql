-- One moment, and the generation that is searched in it. The plan of a search is made here and not by the database, whose
-- statistics are of another moment.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

SELECT
    g.number, g.fields, g.cursor, g.documents, g.log_hash,
    set_config('statement_timeout', '{statement_ms}ms', true),
    set_config('lock_timeout', '{lock_ms}ms', true),
    set_config('work_mem', '{memory}', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_sort', 'off', true),
    set_config('enable_hashagg', 'off', true),
    set_config('jit', 'off', true)
FROM {schema}.generations AS g
WHERE g.is_serving;
