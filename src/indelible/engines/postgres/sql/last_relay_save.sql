-- Which save a relay is the outcome of.
SELECT revision, save_id FROM {schema}.relays WHERE name = %(name)s
