-- Until the database does so by itself.
ANALYZE {schema}.documents_{number};
