-- Before it is searched.
ALTER INDEX {schema}.documents_{number}_terms SET (gin_pending_list_limit = {pending_serving_kib});
SELECT gin_clean_pending_list('{schema}.documents_{number}_terms'::regclass);
