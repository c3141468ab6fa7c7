SELECT number, fields, cursor, documents, log_hash, is_serving FROM {schema}.generations
