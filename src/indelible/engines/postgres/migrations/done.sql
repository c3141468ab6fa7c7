INSERT INTO {schema}.schema_steps (version, step) VALUES (%(version)s, %(step)s)
