SELECT number, fields, cursor, documents, is_serving FROM {schema}.generations
