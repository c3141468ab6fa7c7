-- The generation that is searched. For this transaction: the plan of a search is made here and not by the database, whose
-- statistics are of another moment.
SELECT
    g.number, g.fields, g.cursor, g.documents,
    set_config('statement_timeout', %(statement)s, true),
    set_config('lock_timeout', %(lock)s, true),
    set_config('work_mem', %(memory)s, true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_sort', 'off', true),
    set_config('enable_hashagg', 'off', true),
    set_config('jit', 'off', true)
FROM {schema}.generations AS g
WHERE g.is_serving
